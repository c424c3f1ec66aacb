"""`mibench leaderboard`: make the tables and the site from records, or check that they are up to date."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mibench.cli.report import print_json
from mibench.core.errors import MibenchError
from mibench.core.files import check_name

if TYPE_CHECKING:
    from mibench.records.saebench.read import PublishedResult, Version

_RECORDS = Path("leaderboard/records")
_OUT = Path("leaderboard")

_records = click.argument("records", nargs=-1, type=click.Path(path_type=Path))
_out = click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=_OUT,
    show_default=True,
    help="Folder of the tables; the site is in its folder site.",
)
_published = click.option(
    "--published",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Folder of SAEBench's result files, or `saebench` for those that come with mibench: shown as published by "
    "others, and never ranked; may be repeated.",
)
_version = click.option(
    "--version",
    type=click.Choice(["saebench-0.3", "saebench-0.6", "mibench"]),
    help="Which SAEBench made them, where files do not tell.",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")


@click.group()
def leaderboard() -> None:
    """Make the leaderboard from records, or check it."""


@leaderboard.command("build")
@_records
@_out
@_published
@_version
@_json
def build_command(
    records: tuple[Path, ...], out: Path, published: tuple[Path, ...], version: Version | None, *, as_json: bool
) -> None:
    """Write leaderboard.md, leaderboard.csv and curves of all RECORDS, and the site.

    RECORDS are folders that `mibench run` wrote; the default is leaderboard/records.
    """
    from mibench.leaderboard.build import build

    _check_names(*records, *published, out)
    report = build(records or (_RECORDS,), out, _results(published, version))
    if as_json:
        print_json(report.as_dict())
        return
    for warning in report.warnings:
        click.echo(f"note: {warning}", err=True)
    failed = f", {report.without_numbers} without numbers" if report.without_numbers else ""
    click.echo(f"{_some(report.groups, 'table')}, {_some(report.rows, 'row')}{failed}: {out / 'site' / 'index.html'}")


@leaderboard.command("check")
@_records
@_out
@_published
@_version
@_json
def check_command(
    records: tuple[Path, ...], out: Path, published: tuple[Path, ...], version: Version | None, *, as_json: bool
) -> None:
    """Fail unless the tables are those that RECORDS give."""
    from mibench.leaderboard.build import check

    _check_names(*records, *published, out)
    differences = check(records or (_RECORDS,), out, _results(published, version))
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


def _results(folders: tuple[Path, ...], version: Version | None) -> list[PublishedResult]:
    from mibench.records.saebench.read import read_results
    from mibench.records.saebench.shipped import SHIPPED, shipped_results

    return [
        one
        for folder in folders
        for one in (shipped_results() if str(folder) == SHIPPED else read_results(folder, version=version))
    ]


def _check_names(*paths: Path) -> None:
    for path in paths:
        check_name(path)


def _some(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


command = leaderboard
