"""`mibench leaderboard`: make the tables and the site from records, or check that they are up to date."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mibench.cli.report import print_json
from mibench.core.errors import MibenchError, UsageError
from mibench.core.files import check_name

if TYPE_CHECKING:
    from mibench.records.saebench.read import PublishedResult, Version

_RECORDS = Path("leaderboard/records")
_OUT = Path("leaderboard")
_BINARY = frozenset({"parquet"})

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
_fresh = click.option(
    "--fresh", is_flag=True, help="Make everything anew; else what is told of unchanged tables is from the cache."
)
_json = click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")


@click.group()
def leaderboard() -> None:
    """Make the leaderboard from records, check, export or serve it."""


@leaderboard.command("build")
@_records
@_out
@_published
@_version
@_fresh
@click.option("--no-site", is_flag=True, help="Write the tables only.")
@_json
def build_command(records: tuple[Path, ...], out: Path, *, no_site: bool, as_json: bool, **given: Any) -> None:
    """Write leaderboard.md, .csv and .json, curves, and the site of all RECORDS.

    RECORDS are folders that `mibench run` wrote; the default is leaderboard/records. Several are laid over each
    other: of a cell that several hold, the first with numbers counts. Rows of the second and later folders are marked
    with their folder, so that your own stand beside those of the board.
    """
    from mibench.leaderboard.build import build

    _check_names(*records, out)
    report = build(records or (_RECORDS,), out, _results(**given), kept=_kept(**given), site=not no_site)
    if as_json:
        print_json(report.as_dict())
        return
    for warning in report.warnings:
        click.echo(f"note: {warning}", err=True)
    failed = f", {report.without_numbers} without numbers" if report.without_numbers else ""
    made = out / ("leaderboard.md" if no_site else "site/index.html")
    click.echo(f"{_some(report.groups, 'table')}, {_some(report.rows, 'row')}{failed}: {made}")


@leaderboard.command("check")
@_records
@_out
@_published
@_version
@_json
def check_command(records: tuple[Path, ...], out: Path, *, as_json: bool, **given: Any) -> None:
    """Fail unless the tables are those that RECORDS give, and curves show what they give; the cache is not used."""
    from mibench.leaderboard.build import check

    _check_names(*records, out)
    differences = check(records or (_RECORDS,), out, _results(**given))
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


@leaderboard.command("export")
@_records
@click.option(
    "--format",
    "form",
    type=click.Choice(["latex", "csv", "json", "parquet", "markdown"]),
    required=True,
    help="latex: booktabs tables with intervals, the tie group of the best in bold.",
)
@click.option("--track", type=click.Choice(["circuit", "variable", "sae"]), default=None, help="Tables of this track.")
@click.option("--task", default="", help="Tables of this task.")
@click.option("--model", default="", help="Tables of this model.")
@click.option("--out", type=click.Path(path_type=Path), help="File to write; of latex, a folder gets one file a table.")
@_fresh
def export_command(
    records: tuple[Path, ...], form: str, out: Path | None, *, fresh: bool, **wanted: str | None
) -> None:
    """Print the tables of RECORDS in another format, or write them to a file."""
    from mibench.core.files import atomic_write, is_folder
    from mibench.leaderboard.build import views
    from mibench.leaderboard.exports.formats import FORMATS, Wanted
    from mibench.leaderboard.exports.latex import latex_files

    _check_names(*records, *([out] if out else []))
    if out is None and form in _BINARY and is_terminal():
        raise UsageError(f"{form} is not text.", why="A terminal cannot show it.", do="Give --out FILE.")
    chosen = Wanted(**{name: value or "" for name, value in wanted.items()})
    groups = chosen.of(views(records or (_RECORDS,), _kept(fresh=fresh)))
    if out is None:
        click.echo(FORMATS[form](groups), nl=False)
    elif is_folder(out):
        if form != "latex":
            raise UsageError(f"{out} is a folder.", why=f"{form} is one file.", do="Give --out FILE.")
        for name, content in latex_files(groups).items():
            atomic_write(out / name, content)
    else:
        atomic_write(out, FORMATS[form](groups))


@leaderboard.command("serve")
@_out
@click.option("--port", default=8000, show_default=True, help="0 takes a free one.")
def serve_command(out: Path, port: int) -> None:
    """Show the site in OUT to this machine, until Ctrl-C."""
    from mibench.leaderboard.serving import site_server

    with site_server(out / "site", port) as server:
        click.echo(f"http://127.0.0.1:{server.server_port}/ shows {out / 'site'}; Ctrl-C stops it.")
        server.serve_forever()


def _kept(*, fresh: bool, **_: Any) -> Path | None:
    from mibench.models.cache import cache_root

    return None if fresh else cache_root() / "leaderboard"


def _results(published: tuple[Path, ...], version: Version | None, **_: Any) -> list[PublishedResult]:
    from mibench.records.saebench.read import read_results
    from mibench.records.saebench.shipped import SHIPPED, shipped_results

    _check_names(*published)
    return [
        one
        for folder in published
        for one in (shipped_results() if str(folder) == SHIPPED else read_results(folder, version=version))
    ]


def is_terminal() -> bool:
    """Whether what is printed goes to a terminal."""
    return sys.stdout.isatty()


def _check_names(*paths: Path) -> None:
    for path in paths:
        check_name(path)


def _some(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


command = leaderboard
