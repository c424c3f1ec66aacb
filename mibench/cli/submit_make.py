"""``mibench submit make``: artifacts of a submission that holds methods."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mibench.cli.model_folders import model_folder_option, named_folders
from mibench.cli.report import json_option, plain, print_json

if TYPE_CHECKING:
    from mibench.intake.check import Asked
    from mibench.intake.make import Made

_MAKE = """Example:

\b
    mibench submit make code/my-team__my-method@1 -o submissions --trust-code
    mibench submit make code/my-team__my-method@1 -o submissions --trust-code --twice --seconds 600 --memory-gb 8
"""


@click.command(epilog=_MAKE)
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="Folder of submissions.")
@click.option("--trust-code", is_flag=True, help="Run the methods; without it, it is only said what would run.")
@click.option(
    "--sandbox",
    type=click.Choice(["auto", "bubblewrap", "apptainer", "unshare"]),
    default="auto",
    show_default=True,
    help="What confines the methods; without one that holds, nothing is run.",
)
@model_folder_option
@click.option("--round", "rules_file", metavar="FILE", help="Rules of a shared task: its round.json.")
@click.option("--seconds", type=click.FloatRange(1), default=3600, show_default=True, help="Time of all methods.")
@click.option("--memory-gb", type=click.FloatRange(0.25), default=16, show_default=True, help="Memory, at most.")
@click.option("--threads", type=click.IntRange(1, 1024), default=1, show_default=True, help="Threads of one operation.")
@click.option("--twice", is_flag=True, help="Make everything twice, and say whether it is the same.")
@json_option
@click.pass_context
def command(context: click.Context, /, folder: Path, *, out: Path, as_json: bool, **options: Any) -> None:
    """Run the methods that FOLDER holds, in a sandbox without network, and write a submission of what they make.

    They see their own folder, the models and public data. What they leave is checked as any submission is.
    """
    from mibench.cli.submit_report import print_report
    from mibench.core.errors import UsageError
    from mibench.core.files import MIB
    from mibench.intake.check import check_submission
    from mibench.intake.make import Means, NotMadeError, make_submission
    from mibench.sandbox.backends import find_backend

    asked = _asked(options)
    report = check_submission(folder, asked)
    if not report.passed:
        print_report(report, "json" if as_json else "text")
        context.exit(1)
    if not options["trust_code"]:
        do = "Read the code, then give --trust-code."
        raise UsageError("Nothing was run.", why=_what_would_run(folder), do=do)
    means = Means(
        backend=find_backend(options["sandbox"]),
        asked=asked,
        seconds=options["seconds"],
        memory_bytes=int(options["memory_gb"] * 1024 * MIB),
        threads=options["threads"],
        twice=options["twice"],
    )
    try:
        made = make_submission(folder, out, means)
    except NotMadeError as error:
        for line in () if as_json else error.tail.splitlines()[-20:]:
            click.echo(plain(f"  | {line}"), err=True)
        raise
    _say(made, means.backend.name, as_json=as_json)


def _asked(options: dict[str, Any]) -> Asked:
    from dataclasses import replace

    from mibench.intake.check import Asked
    from mibench.intake.round import read_round
    from mibench.intake.rules import Rules

    own = None if options["rules_file"] is None else read_round(options["rules_file"])
    rules = Rules() if own is None else own.rules()
    return Asked(rules=replace(rules, code=True), folders=named_folders(options["folders"]), round=own)


def _what_would_run(folder: Path) -> str:
    from mibench.intake.make import read_methods

    methods = read_methods(folder).methods
    first, n = methods[0], sum(len(one.pairs) for one in methods)
    more = f" and {len(methods) - 1} more" if len(methods) > 1 else ""
    n_artifacts = f"{n} artifact{'s' * (n != 1)}"
    return f"{folder} holds code: {first.function} in {first.file}{more} would be run, to make {n_artifacts}."


def _say(made: Made, backend: str, *, as_json: bool) -> None:
    if as_json:
        values = {"folder": str(made.folder), "made_from": made.made_from, "reproduced": made.reproduced}
        print_json(values | {"artifacts": dict(made.digests), "backend": backend})
        return
    n = len(made.digests)
    click.echo(plain(f"Wrote {made.folder}: {n} artifact{'s' * (n != 1)}, made in {backend}."))
    if made.reproduced is not None:
        again = "reproduced: both times the same bytes" if made.reproduced else "not reproduced: other bytes each time"
        click.echo(f"{again}.")
