"""`mibench leaderboard`: make the tables and the page from records, or check that they are up to date."""

from __future__ import annotations

from pathlib import Path

import click

from mibench.cli.report import print_json
from mibench.core.errors import MibenchError
from mibench.core.files import check_name

_RECORDS = Path("leaderboard/records")
_OUT = Path("leaderboard")

_records = click.argument("records", nargs=-1, type=click.Path(path_type=Path))
_out = click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=_OUT,
    show_default=True,
    help="Folder of the tables and the page.",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")


@click.group()
def leaderboard() -> None:
    """Make the leaderboard from records, or check it."""


@leaderboard.command("build")
@_records
@_out
@_json
def build_command(records: tuple[Path, ...], out: Path, *, as_json: bool) -> None:
    """Write leaderboard.md, leaderboard.csv, index.html and the curves of all RECORDS.

    RECORDS are folders that `mibench run` wrote; the default is leaderboard/records.
    """
    from mibench.leaderboard.build import build

    _check_names(*records, out)
    report = build(records or (_RECORDS,), out)
    if as_json:
        print_json(report.as_dict())
        return
    for warning in report.warnings:
        click.echo(f"note: {warning}", err=True)
    failed = f", {report.without_numbers} without numbers" if report.without_numbers else ""
    click.echo(f"{_some(report.groups, 'table')}, {_some(report.rows, 'row')}{failed}: {out / 'index.html'}")


@leaderboard.command("check")
@_records
@_out
@_json
def check_command(records: tuple[Path, ...], out: Path, *, as_json: bool) -> None:
    """Fail unless the tables and the page are those that RECORDS give."""
    from mibench.leaderboard.build import check

    _check_names(*records, out)
    differences = check(records or (_RECORDS,), out)
    if as_json:
        print_json({"up_to_date": not differences, "differences": differences})
    if differences:
        raise MibenchError(
            f"The leaderboard in {out} is not what its records give.",
            why="; ".join(differences) + ".",
            do="Run `mibench leaderboard build` with the same folders.",
        )
    if not as_json:
        click.echo(f"{out} is up to date.")


def _check_names(*paths: Path) -> None:
    for path in paths:
        check_name(path)


def _some(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


command = leaderboard
