"""Where a row's numbers come from: run here, handed in, run again by others, of data that are not public."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mibench.leaderboard.rows import Row
from mibench.records.confirmation import Confirmation
from mibench.records.record import RunRecord

PUBLIC_SPLITS = frozenset({"train", "validation", "test"})
CONFIRMED = frozenset({"match", "drift"})
"""Verdicts by which a record is reproduced."""

Confirmations = Mapping[str, Sequence[Confirmation]]
"""Repeats of records, by the id of the cell."""


@dataclass(frozen=True)
class Mark:
    """A word beside a row, and what it means."""

    word: str
    meaning: str


RUN_HERE = Mark("run here", "mibench ran the method and scored what it made.")
SUBMITTED = Mark("submitted", "The artifact was handed in; mibench scored it, and did not make it.")
PRIVATE = Mark("private split", "Scored on data that are not public: no example is shown.")


def marks(row: Row, confirmations: Confirmations) -> tuple[Mark, ...]:
    """Return what a row's numbers come from."""
    handed_in = any(record.cell.method.artifact_digest for record in row.records)
    found = [SUBMITTED if handed_in else RUN_HERE]
    times = min(len(confirmed(record, confirmations)) for record in row.records)
    if times:
        found.append(Mark(f"reproduced {times}×", "Run again from the record alone, with equal numbers."))
    return (*found, *([PRIVATE] if any(map(is_private, row.records)) else []))


def confirmed(record: RunRecord, confirmations: Confirmations) -> list[Confirmation]:
    """Return the repeats that confirm a record as it is now."""
    return [one for one in about(record, confirmations) if one.verdict in CONFIRMED]


def about(record: RunRecord, confirmations: Confirmations) -> list[Confirmation]:
    """Return the repeats of a record whose tables are still those that were compared."""
    tables = {name: ref.sha256 for name, ref in record.tables.items()}
    return [one for one in confirmations.get(record.cell.id, ()) if one.tables == tables]


def is_private(record: RunRecord) -> bool:
    """Tell whether a record is of a private split: by the name of the split, or since it was made fit to be shown.

    A record that was blinded says where it was made, and not by which command; see `mibench.records.blind`.
    """
    made = record.volatile.provenance
    return record.cell.task.split not in PUBLIC_SPLITS or (made is not None and not made.command)
