"""Every number of a dictionary is to be read at its L0, which the record of another task may know."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from mibench.core.specs import Cell, Track
from mibench.leaderboard.rows import Entry
from mibench.records.record import MetricValue, RunRecord

L0 = "l0"


def with_l0(entries: Iterable[Entry]) -> list[Entry]:
    """Return entries in which each record of a dictionary has its L0, if a record of the same dictionary has one.

    It is taken from a record of the same model, dtype, place and BOS; with others, other latents are active. Of several
    it is the one of the same convention, context, text and split, in this order, then of the most tokens.
    """
    known: dict[str, list[RunRecord]] = defaultdict(list)
    found = list(entries)
    for record in (entry.record for entry in found):
        value = record.metrics.get(L0)
        if record.dictionary is not None and value is not None and value.value is not None:
            known[record.dictionary.sha256].append(record)
    return [replace(entry, record=_with_l0(entry.record, known)) for entry in found]


def _with_l0(record: RunRecord, known: Mapping[str, Sequence[RunRecord]]) -> RunRecord:
    own = record.dictionary
    if record.cell.track is not Track.SAE or own is None or L0 in record.metrics:
        return record
    usable = [other for other in known.get(own.sha256, ()) if _active(other.cell) == _active(record.cell)]
    if not usable:
        return record
    nearest = max(usable, key=lambda other: _likeness(record, other))
    return record.model_copy(update={"metrics": {L0: nearest.metrics[L0]} | record.metrics})


def _active(cell: Cell) -> tuple[str | None, ...]:
    """Return what decides which latents of a dictionary are active on a text."""
    place = (None, None) if cell.dictionary is None else (cell.dictionary.hook, cell.dictionary.output)
    return cell.model.digest, cell.model.dtype, cell.bos, *place


def _likeness(record: RunRecord, other: RunRecord) -> tuple[tuple[bool, ...], int, str]:
    alike = tuple(own == its for own, its in zip(_text(record.cell), _text(other.cell), strict=True))
    return alike, other.metrics[L0].n or 0, other.cell.id


def _text(cell: Cell) -> tuple[str | int | None, ...]:
    """Return what an L0 is measured on, what matters most first."""
    context, corpus = (None, None) if cell.dictionary is None else (cell.dictionary.context, cell.dictionary.corpus)
    return cell.convention.value, context, corpus, cell.task.split


def l0_of(record: RunRecord) -> MetricValue | None:
    """Return the L0 that a record has by now; None where it has none."""
    value = record.metrics.get(L0)
    return None if value is None or value.value is None else value
