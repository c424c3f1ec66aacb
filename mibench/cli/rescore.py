"""``mibench rescore``: metrics of records computed again from their tables."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from mibench.cli.report import DEFAULT_RECORDS, json_option, number, plain, print_error, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mibench.cli.find import Stored
    from mibench.core.errors import MibenchError
    from mibench.records.record import MetricValue
    from mibench.runner.again.rescore import Change, Rescored

_EXAMPLE = """Example:

\b
    mibench rescore mibench-records --dry-run
    mibench rescore mibench-records
    mibench rescore 3fa94c --records runs/first
"""
_SHOWN_DIGITS = 8


@click.command(epilog=_EXAMPLE)
@click.argument("records", nargs=-1, required=True, metavar="RECORD…|FOLDER")
@click.option("--records", "folder", default=DEFAULT_RECORDS, show_default=True, help="Folder to find ids in.")
@click.option("--dry-run", is_flag=True, help="Say which records can be rescored, and stop.")
@json_option
@click.pass_context
def command(context: click.Context, /, records: tuple[str, ...], folder: str, *, dry_run: bool, as_json: bool) -> None:
    """Compute the metrics of records again from their stored tables, without a model.

    RECORD is the path of a record, or the beginning of a cell id in the folder of --records; FOLDER is all records of
    a folder. A number whose formula has a new version is replaced, and the former one is kept in volatile.former.
    What did not change keeps its bytes. Records that cannot be rescored are told first. Exit status 1: there are such
    records, or a number moved though its formula did not.
    """
    from mibench.cli.stored_records import stored_records
    from mibench.runner.again.rescore import obstacle

    found = stored_records(records, folder)
    checked = [(one, obstacle(one.record, one.store)) for one in found]
    able = [one for one, problem in checked if problem is None]
    left = [(one, problem) for one, problem in checked if problem is not None]
    if not as_json:
        _print_plan(able, left)
    done = [] if dry_run else _rescore(able)
    if as_json:
        print_json(_as_json(able, left, done, dry_run=dry_run))
    elif not dry_run:
        _print_done(done)
    if left or any(one.problem is not None for one in done):
        context.exit(1)


def _rescore(able: Sequence[Stored]) -> list[Rescored]:
    """Compute all, then write: the floors of one rest on the tables of others, never on what is being written."""
    from mibench.runner.again.rescore import rescore

    done = list(rescore([(one.record, one.store) for one in able]))
    for one, rescored in zip(able, done, strict=True):
        if rescored.written:
            one.store.write(rescored.record)
    return done


def _print_plan(able: Sequence[Stored], left: Sequence[tuple[Stored, MibenchError]]) -> None:
    tracks = Counter(one.record.cell.track.value for one in able)
    words = ", ".join(f"{count} of the {track} track" for track, count in sorted(tracks.items()))
    click.echo(f"From tables, without a model: {words or 'none'}.")
    reasons: dict[str, list[str]] = {}
    for one, problem in left:
        reasons.setdefault(problem.why, []).append(_name(one))
    for why, names in reasons.items():
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        click.echo(plain(f"Cannot be rescored: {', '.join(names[:3])}{more}. {why}"))
    if reasons:
        click.echo("Run these cells again: mibench reproduce compares, mibench run --only all replaces.")


def _name(one: Stored) -> str:
    return f"{one.record.cell.method.name} ({one.record.cell.id[:_SHOWN_DIGITS]})"


def _print_done(done: Sequence[Rescored]) -> None:
    rows = [_row(rescored, change) for rescored in done if rescored.written for change in rescored.changes]
    if rows:
        print_table(rows, "Changed")
    for rescored in done:
        if rescored.problem is not None:
            click.echo(f"\n{rescored.record.cell.method.name} ({rescored.record.cell.id[:_SHOWN_DIGITS]})", err=True)
            print_error(rescored.problem)
    written = sum(one.written for one in done)
    failed = sum(one.problem is not None for one in done)
    click.echo(f"{written} records changed, {len(done) - written - failed} stayed as they are, {failed} failed.")


def _row(rescored: Rescored, change: Change) -> dict[str, str]:
    kinds = {"version": "new version", "new": "new metric", "text": "words only"}
    cell = rescored.record.cell
    return {
        "record": cell.id[:_SHOWN_DIGITS],
        "method": cell.method.name,
        "metric": change.metric,
        "former": _shown(change.before),
        "now": _shown(change.after),
        "why": kinds[change.kind],
    }


def _shown(metric: MetricValue | None) -> str:
    return "-" if metric is None else f"{number(metric.value, digits=6)} (v{metric.version})"


def _as_json(
    able: Sequence[Stored], left: Sequence[tuple[Stored, MibenchError]], done: Sequence[Rescored], *, dry_run: bool
) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "from_tables": [one.record.cell.id for one in able],
        "cannot": [{"id": one.record.cell.id} | _problem(problem) for one, problem in left],
        "records": [
            {
                "id": one.record.cell.id,
                "changed": one.written,
                "changes": [_change(change) for change in one.changes],
                "problem": None if one.problem is None else _problem(one.problem),
            }
            for one in done
        ],
    }


def _change(change: Change) -> dict[str, Any]:
    before = None if change.before is None else change.before.model_dump(mode="json")
    return {
        "metric": change.metric,
        "kind": change.kind,
        "before": before,
        "after": change.after.model_dump(mode="json"),
    }


def _problem(error: MibenchError) -> dict[str, str]:
    return {"what": error.what, "why": error.why, "do": error.do}
