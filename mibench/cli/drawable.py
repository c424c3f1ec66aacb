"""What ``mibench plot`` draws: curves of records, the scores of a record or a file, and maps of sites."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mibench.artifacts.circuit import CircuitScores
from mibench.artifacts.files import load_scores
from mibench.cli.find import find_record
from mibench.core.errors import UsageError
from mibench.core.files import is_file
from mibench.metrics.variable.tables import VariableTables
from mibench.records.record import CurvePoint, RunRecord
from mibench.records.store import Store

_RECORD = re.compile(r"[0-9a-f]{32}\.json")
_SHOWN_DIGITS = 6
_LEVELS_BELOW_ROOT = 4


@dataclass(frozen=True)
class Drawable:
    """Scores, and what to write above them."""

    scores: CircuitScores
    title: str


def drawable(source: str, folder: str) -> Drawable:
    """Return the scores of an artifact file, or of the artifact of a record.

    Args:
        source: An artifact file, a record's file, or the beginning of a cell id.
        folder: Where ids are looked for.

    Raises:
        UsageError: There is no such file or record.
        ArtifactError: The scores cannot be used.
        StoreError: The record or its artifact is broken or missing.
    """
    path = Path(source)
    if is_file(path) and not _RECORD.fullmatch(path.name):
        scores = load_scores(path)
        return Drawable(scores, " · ".join(filter(None, (scores.method, path.name))))
    record = find_record(source, folder)
    if record.artifact is None:
        raise UsageError("There is nothing to draw.", why=f"The record {source} has no artifact.", do="Run it again.")
    return Drawable(load_scores(store_of(record, source, folder).artifact(record)), _title(record))


def store_of(record: RunRecord, source: str, folder: str) -> Store:
    """Return the store that the record ``source`` lies in.

    Raises:
        UsageError: The record's file lies in no store.
    """
    path = Path(source)
    home = path if is_file(path) else next(Path(folder).rglob(f"{record.cell.id}.json"))
    above = home.resolve().parents
    if len(above) <= _LEVELS_BELOW_ROOT:
        why = "Tables and artifacts are looked for in the folder of records that it is a part of."
        raise UsageError(
            f"{source} lies in no folder of records.", why=why, do="Give the file where `mibench run` put it."
        )
    return Store(above[_LEVELS_BELOW_ROOT])


def site_tables(source: str, folder: str) -> tuple[RunRecord, VariableTables]:
    """Return a record of the variable track and its tables.

    Args:
        source: A record's file, or the beginning of a cell id.
        folder: Where ids are looked for.

    Raises:
        UsageError: There is no such record.
        DataError: It is of another track, or has no numbers.
        StoreError: A table is missing or damaged.
    """
    record = find_record(source, folder)
    return record, VariableTables.stored(record, store_of(record, source, folder))


def site_title(records: Sequence[RunRecord]) -> str:
    """Return the methods, joined by a minus, and what the records share: variable, task and model."""
    grounds = list(dict.fromkeys(_ground(record) for record in records))
    names = " − ".join(_label(record, mixed=False) for record in records)
    return f"{names} · {' / '.join(grounds)}"


def named_curves(records: Sequence[RunRecord], name: str) -> dict[str, list[CurvePoint]]:
    """Return a curve of each record under a name that no other has.

    Raises:
        UsageError: A record has no such curve.
    """
    for record in records:
        if not any(point.value is not None for point in record.curves.get(name, ())):
            known = ", ".join(record.curves) or "none"
            why = f"{_label(record, mixed=True)} was measured without it, or it is undefined there."
            raise UsageError(f"There is no curve '{name}' to draw.", why=why, do=f"Its curves: {known}.")
    mixed = len({_ground(record) for record in records}) > 1
    labels = [_label(record, mixed=mixed) for record in records]
    often = Counter(labels)
    named = [
        label if often[label] == 1 else f"{record.cell.id[:_SHOWN_DIGITS]} {label}"
        for label, record in zip(labels, records, strict=True)
    ]
    return {label: record.curves[name] for label, record in zip(named, records, strict=True)}


def curve_title(records: Sequence[RunRecord]) -> str:
    """Return task, model and split, as far as the records share them."""
    grounds = {_ground(record) for record in records}
    splits = {record.cell.task.split for record in records}
    first = next(iter(grounds)) if len(grounds) == 1 else f"{len(grounds)} tasks and models"
    return " · ".join([first, *(splits if len(splits) == 1 else ())])


def _title(record: RunRecord) -> str:
    return f"{_label(record, mixed=False)} · {_ground(record)}"


def _ground(record: RunRecord) -> str:
    cell = record.cell
    return " · ".join([cell.task.name, *([cell.variable.name] if cell.variable else []), cell.model.name])


def _label(record: RunRecord, *, mixed: bool) -> str:
    method = record.cell.method
    seed = "" if method.seed is None else f" seed {method.seed}"
    return f"{method.name}{seed}" + (f" · {_ground(record)}" if mixed else "")
