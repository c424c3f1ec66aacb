"""``mibench doctor``: what is wrong with this machine, and the command that fixes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from mibench.cli.report import json_option, plain, print_json, print_table

if TYPE_CHECKING:
    from mibench.cli.checkup import Check

_EXAMPLE = """Example:

\b
    mibench doctor
    mibench doctor --model smollm2-135m
"""


@click.command(epilog=_EXAMPLE)
@click.option("-M", "--model", metavar="REF", help="Also load this model and run the engine's self-check.")
@json_option
@click.pass_context
def command(context: click.Context, model: str | None, *, as_json: bool) -> None:
    """Check Python, packages, memory, disk, data and models.

    Exit status 1: something that mibench needs is broken. Warnings do not count.
    """
    from mibench.cli.checkup import check_machine, check_model

    checks = [*check_machine(), *([check_model(model)] if model is not None else [])]
    if as_json:
        print_json([asdict(check) for check in checks])
    else:
        print_table([{"": one.status, "what": one.name, "found": one.found} for one in checks])
        _print_fixes(checks)
    if any(check.status == "broken" for check in checks):
        context.exit(1)


def _print_fixes(checks: Sequence[Check]) -> None:
    problems = [check for check in checks if check.fix]
    if not problems:
        click.echo("Everything that mibench needs is here.")
    for check in problems:
        click.echo(f"{check.name}:\n    {plain(check.fix)}")
