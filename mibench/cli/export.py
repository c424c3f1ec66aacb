"""``mibench export``: records as result files of other benchmarks."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mibench.cli.report import DEFAULT_RECORDS, json_option, plain, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mibench.records.record import RunRecord
    from mibench.records.saebench.write import ResultFile

_DOUBLED = "the record of the same dictionary under the convention saebench is taken"

_AGAIN = "another record is of the same dictionary on the same data"

_EXAMPLE = """Example:

\b
    mibench export runs/first --format saebench --out eval_results
    mibench export runs/first --format saebench --out eval_results --release my-saes --overwrite
"""


@click.command(epilog=_EXAMPLE)
@click.argument("folders", nargs=-1, metavar="[RECORDS…]")
@click.option("--format", "form", type=click.Choice(["saebench"]), default="saebench", show_default=True)
@click.option("-o", "--out", required=True, help="Folder to write to.")
@click.option("--release", default="mibench", show_default=True, help="What the dictionaries are filed under.")
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
@json_option
def command(folders: tuple[str, ...], form: str, out: str, **options: Any) -> None:
    """Write records of dictionaries as SAEBench's result files, one an evaluation and dictionary.

    RECORDS are folders that a run wrote; the default is mibench-records. A number is there where ours has SAEBench's
    definition, else it is null; all of ours are under eval_result_unstructured. Records made with --convention saebench
    have most.
    """
    from mibench.cli.find import all_records

    records = [stored.record for stored in all_records(folders or (DEFAULT_RECORDS,))]
    files, left_out = _files(records, options["release"])
    _write(files, Path(out), overwrite=options["overwrite"])
    written = [str(Path(out) / one.path) for one in files]
    if options["as_json"]:
        reasons = [{"reason": reason, "records": count} for reason, count in sorted(left_out.items())]
        print_json({"format": form, "files": written, "left_out": reasons})
        return
    for reason, count in sorted(left_out.items()):
        click.echo(f"left out {count} of {len(records)} records: {plain(reason)}", err=True)
    for one in files:
        click.echo(f"{Path(out) / one.path}: {_filled(one)}")


def _files(records: Sequence[RunRecord], release: str) -> tuple[list[ResultFile], Counter[str]]:
    """The files of all records that are results of SAEBench's, and why the others are not."""
    from mibench.core.errors import UsageError
    from mibench.records.saebench.write import not_exported, result_file, seeds_of

    left_out = Counter(reason for record in records if (reason := not_exported(record)) is not None)
    usable = [record for record in records if not_exported(record) is None]
    doubled = _less_theirs(usable)
    usable = [record for record in usable if record.cell.id not in doubled]
    same = _handed_in_again(usable)
    left_out.update({reason: len(ids) for reason, ids in ((_DOUBLED, doubled), (_AGAIN, same)) if ids})
    usable = [record for record in usable if record.cell.id not in same]
    if not usable:
        why = "; ".join(f"{count}: {reason}" for reason, count in sorted(left_out.items())) or "There are no records"
        do = "Run a task such as sae-core first, with --convention saebench for SAEBench's definitions."
        raise UsageError("There is nothing to export.", why=f"{why}.", do=do)
    files = [result_file(one, release=release, n_seeds=seeds_of(one, usable)) for one in usable]
    twice = [path for path, count in Counter(one.path for one in files).items() if count > 1]
    if twice:
        raise UsageError(
            f"{len(twice)} files would be written twice.",
            why=f"Several records are {twice[0]}: {_told_apart(usable, [one.path for one in files], twice[0])}.",
            do="Export one folder of records at a time.",
        )
    return files, left_out


def _less_theirs(records: Sequence[RunRecord]) -> set[str]:
    """Ids of cells of dictionaries that were also scored by SAEBench's definitions, on the same task and split."""
    from mibench.core.specs import Convention

    theirs = {_scored(record) for record in records if record.cell.convention is Convention.SAEBENCH}
    others = [record for record in records if record.cell.convention is not Convention.SAEBENCH]
    return {record.cell.id for record in others if _scored(record) in theirs}


def _handed_in_again(records: Sequence[RunRecord]) -> set[str]:
    """Ids of cells of files whose dictionary has another record, of the run that made it or under another name."""
    from mibench.core.hashing import digest
    from mibench.leaderboard.rows import group_key
    from mibench.leaderboard.twins import twins

    groups: dict[str, list[RunRecord]] = {}
    for record in records:
        groups.setdefault(digest(group_key(record.cell)), []).append(record)
    return {name for group in groups.values() for name in twins(group)}


def _told_apart(records: Sequence[RunRecord], paths: Sequence[str], path: str) -> str:
    """What records that go by one path are, the first three."""
    same = [record.cell for record, own in zip(records, paths, strict=True) if own == path]
    words = [f"{cell.id[:8]} of {cell.method.name}, {cell.task.split}, limit {cell.task.limit}" for cell in same[:3]]
    return "; ".join(words)


def _scored(record: RunRecord) -> tuple[str | None, ...]:
    sha256 = record.dictionary.sha256 if record.dictionary is not None else None
    return sha256, record.cell.task.name, record.cell.task.split


def _write(files: Sequence[ResultFile], out: Path, *, overwrite: bool) -> None:
    from mibench.core.errors import UsageError
    from mibench.core.files import atomic_write, check_name, exists

    for one in files:
        check_name(out / one.path)
    there = [one for one in files if exists(out / one.path)]
    if there and not overwrite:
        raise UsageError(
            f"{out / there[0].path} is there already.",
            why=f"{len(there)} of {len(files)} files are.",
            do="Give --overwrite, or another --out.",
        )
    texts = [(out / one.path, one.text()) for one in files]
    for path, text in texts:
        atomic_write(path, text)


def _filled(one: ResultFile) -> str:
    values = [value for category in one.content["eval_result_metrics"].values() for value in category.values()]
    return f"{sum(value is not None for value in values)} of {len(values)} metrics"
