"""How ``mibench submit`` prints what a check found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from mibench.cli.report import plain, print_json

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mibench.intake.failures import Failure, Report

Function = TypeVar("Function", bound="Callable[..., Any]")


def format_option(function: Function) -> Function:
    """Add ``--format`` and ``--json`` to a command, as the arguments ``form`` and ``as_json``."""
    kinds = click.Choice(["text", "markdown", "json"])
    text = "Print text, JSON, or markdown that is safe to post."
    chosen = click.option("--format", "form", type=kinds, default="text", show_default=True, help=text)
    return chosen(click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function))


def print_report(report: Report, form: str, *, wrote: str | None = None) -> None:
    """Print one report.

    Args:
        report: What the check found.
        form: text, markdown or json.
        wrote: Archive that was written, if one was.
    """
    from mibench.intake.report_text import values_of

    if form == "json":
        print_json(values_of(report) | ({"archive": wrote} if wrote else {}))
        return
    print_reports([report], form)
    if wrote and form == "text":
        click.echo(plain(f"Wrote {wrote}."))


def print_reports(reports: Sequence[Report], form: str) -> None:
    """Print several reports; as JSON, a list of them."""
    from mibench.intake.report_text import markdown, values_of

    if form == "json":
        print_json([values_of(report) for report in reports])
    elif form == "markdown":
        click.echo(markdown(reports), nl=False)
    else:
        for report in reports:
            _print_text(report)


def check_new(path: str) -> None:
    """Refuse a file that is there.

    Raises:
        UsageError: It is, or the name cannot be used.
    """
    from mibench.core.errors import UsageError
    from mibench.core.files import check_name, exists

    check_name(path)
    if exists(path):
        raise UsageError(f"{path} is not overwritten.", why="It exists.", do="Choose another name or remove it.")


def write_reports(reports: Sequence[Report], path: str) -> None:
    """Write reports as JSON, a list of them.

    Raises:
        StoreError: It cannot be written.
    """
    import json

    from mibench.core.files import atomic_write
    from mibench.intake.report_text import values_of

    atomic_write(path, json.dumps([values_of(report) for report in reports], indent=2) + "\n")


def _print_text(report: Report) -> None:
    from mibench.intake.report_text import last_line

    for number, one in enumerate(report.failures, start=1):
        _print_failure(number, one)
    for note in report.notes:
        click.echo(plain(f"note: {note}"))
    if report.manifest_sha256 is not None:
        click.echo(f"manifest: sha256 {report.manifest_sha256}")
    click.echo(plain(last_line(report)))


def _print_failure(number: int, one: Failure) -> None:
    from mibench.intake.report_text import place_of

    place = place_of(one)
    click.secho(plain(f"{number}. {one.what}{f' ({place})' if place else ''}"), fg="red")
    click.echo(plain(f"   why: {one.why}"))
    click.echo(plain(f"   do:  {one.do}"))
