"""``mibench validate-metrics``: which scores rank methods as the known truth does."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mibench.cli.report import estimate, json_option, plain, print_json, print_table

if TYPE_CHECKING:
    from mibench.leaderboard.rows import Group
    from mibench.leaderboard.validity import Validity
    from mibench.plots.style import Picture, Theme

RUN_FILES = ("known_truth", "known_truth_variable")
RECORDS = "runs/known-truth"
_EXAMPLE = """Example:

\b
    mibench validate-metrics
    mibench validate-metrics --records leaderboard/known-truth --out validity
"""


@click.command(epilog=_EXAMPLE)
@click.option(
    "--records", help=f"Folder of records to read.  [default: {RECORDS}, filled by {' and '.join(RUN_FILES)}]"
)
@click.option("-o", "--out", default="validity", show_default=True, help="Folder for the table and the picture.")
@click.option("--theme", type=click.Choice(["light", "dark"]), default="light", show_default=True, help="Page.")
@json_option
def command(*, records: str | None, out: str, theme: str, as_json: bool) -> None:
    """Tell which truth-free scores rank methods as the truth does, on models whose mechanism is known.

    Without --records, all methods are run on the planted and trained models first; what has a record is kept.
    """
    from mibench.core.files import check_folder
    from mibench.leaderboard.rows import collect, make_groups
    from mibench.leaderboard.validity import validities
    from mibench.records.store import Store

    check_folder(out)
    failed = _run(silent=as_json) if records is None else False
    folder = Path(RECORDS if records is None else records)
    groups = make_groups(collect([Store(folder)]))
    rows = [_row(one) for one in validities(groups)]
    page: Theme = "dark" if theme == "dark" else "light"
    _write_difficulty(Path(out), groups, page)
    _write(Path(out), rows, page)
    if as_json:
        print_json({"out": out, "scores": rows})
    else:
        for (track, truth), part in _tables(rows).items():
            print_table([_shown(row) for row in part], f"{track} track: methods by a score and by the truth ({truth})")
        click.echo(plain(f"{out}: validity.csv, validity.json and a picture of each table, .svg and .png"))
    if failed and not as_json:
        click.echo("Some cells failed, and are in no number: see the records.", err=True)
    sys.exit(int(failed))


def _run(*, silent: bool) -> bool:
    """Run what has no record yet; whether a cell failed, which is then said."""
    from mibench.cli.progress import Show
    from mibench.runner.execute import run
    from mibench.runner.settings import read_run_file, run_settings

    failed = False
    for file in RUN_FILES:
        with Show(silent=silent) as show:
            report = run(run_settings({**read_run_file(file), "out": RECORDS}), show)
        failed = failed or report.failed
        for job, error in report.problems:
            click.echo(plain(f"{job.label}: {error.what} {error.why}"), err=True)
    return failed


def _row(one: Validity) -> dict[str, Any]:
    return {
        "track": one.track.value,
        "truth": one.truth,
        "score": one.score,
        "pairs_right": one.pairs.value,
        "pairs_low": one.pairs.low,
        "pairs_high": one.pairs.high,
        "rho": one.rho.value,
        "rho_low": one.rho.low,
        "rho_high": one.rho.high,
        "grounds_used": len(one.used),
        "models": len({ground.model for ground in one.used}),
        "programs": len({ground.program for ground in one.used}),
        "verdict": one.verdict,
        "grounds": [asdict(ground) for ground in one.grounds],
    }


def _shown(row: dict[str, Any]) -> dict[str, str]:
    return {
        "score": row["score"],
        "pairs right": estimate(row["pairs_right"], row["pairs_low"], row["pairs_high"]),
        "Spearman's ρ": estimate(row["rho"], row["rho_low"], row["rho_high"]),
        "models": str(row["models"]),
        "programs": str(row["programs"]),
        "verdict": row["verdict"],
    }


def _tables(rows: list[dict[str, Any]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    tables: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        tables.setdefault((row["track"], row["truth"]), []).append(row)
    return tables


def _write(folder: Path, rows: list[dict[str, Any]], theme: Theme) -> None:
    import json

    import pandas as pd

    from mibench.core.files import atomic_write

    flat = pd.DataFrame([{key: value for key, value in row.items() if key != "grounds"} for row in rows])
    atomic_write(folder / "validity.csv", flat.to_csv(index=False, float_format="%.6g"))
    atomic_write(folder / "validity.json", json.dumps(rows, indent=2, allow_nan=False) + "\n")
    for (track, truth), part in _tables(rows).items():
        _save(folder / f"{track}-{truth}", _picture(part, f"{track.title()} scores against the truth ({truth})", theme))


def _save(stem: Path, picture: Picture) -> None:
    from mibench.core.files import atomic_write

    atomic_write(stem.with_suffix(".svg"), picture.svg())
    atomic_write(stem.with_suffix(".png"), picture.png())


def _write_difficulty(folder: Path, groups: list[Group], theme: Theme) -> None:
    """Draw how well methods find the truth as planted models become harder, where records tell."""
    from mibench.leaderboard.difficulty import courses
    from mibench.planted.levels import LEVELS
    from mibench.plots.difficulty import Line, Panel, difficulty_picture

    panels = []
    for metric, title in (("auroc", "AUROC of edges"), ("average_precision", "Average precision of edges")):
        found = courses(groups, metric)
        if not found or len(found[0].difficulties) < 2:
            return
        lines = tuple(Line(one.method, one.values) for one in found)
        panels.append(Panel(title, "mean over planted models", lines))
    levels = [(place, LEVELS[place].note) for place in found[0].difficulties]
    _save(folder / "difficulty", difficulty_picture(panels, levels, "Finding the truth gets harder", theme=theme))


def _picture(rows: list[dict[str, Any]], title: str, theme: Theme) -> Picture:
    from mibench.plots.agreement import Agreement, agreement_picture

    drawn = [
        Agreement(row["score"], row["pairs_right"], row["pairs_low"], row["pairs_high"], _single(row))
        for row in rows
        if row["pairs_right"] is not None
    ]
    return agreement_picture(drawn, title, theme=theme)


def _single(row: dict[str, Any]) -> tuple[float, ...]:
    return tuple(ground["pairs"] for ground in row["grounds"] if ground["pairs"] is not None)
