"""Every number of a dictionary is to be read at its L0, which the record of another task may know."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from mibench.core.specs import Track
from mibench.leaderboard.rows import Entry
from mibench.records.record import MetricValue, RunRecord

L0 = "l0"


def with_l0(entries: Iterable[Entry]) -> list[Entry]:
    """Return entries in which each record of a dictionary has its L0, if a record of the same dictionary has one.

    It is taken from the record most like the one that lacks it: of the same convention, text and split, in this order,
    then of the most tokens.
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
    if record.cell.track is not Track.SAE or own is None or L0 in record.metrics or own.sha256 not in known:
        return record
    nearest = max(known[own.sha256], key=lambda other: _likeness(record, other))
    return record.model_copy(update={"metrics": {L0: nearest.metrics[L0]} | record.metrics})


def _likeness(record: RunRecord, other: RunRecord) -> tuple[bool, bool, bool, int, str]:
    own, its = record.cell, other.cell
    texts = [None if cell.dictionary is None else cell.dictionary.corpus for cell in (own, its)]
    n = other.metrics[L0].n or 0
    return own.convention == its.convention, texts[0] == texts[1], own.task.split == its.task.split, n, its.id


def l0_of(record: RunRecord) -> MetricValue | None:
    """Return the L0 that a record has by now; None where it has none."""
    value = record.metrics.get(L0)
    return None if value is None or value.value is None else value
