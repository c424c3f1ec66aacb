"""One dictionary under several names: handed in twice, or handed in and made by a run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from mibench.records.record import RunRecord


def twins(records: Sequence[RunRecord]) -> dict[str, tuple[str, str]]:
    """Return, by the id of a record to leave out, the name it has and the name under which its dictionary stays.

    Of what was handed in and is one dictionary, one record stays: that of the run that made it, else one with
    numbers, else the first by name.

    Args:
        records: Records of one group.
    """
    found: dict[tuple[str, ...], list[RunRecord]] = defaultdict(list)
    for record in records:
        sha = _sha256(record)
        if sha is not None:
            found[sha, record.cell.model.dtype, record.cell.model.attention].append(record)
    return {
        record.cell.id: (record.cell.method.name, kept.cell.method.name)
        for same in found.values()
        for kept in [min(same, key=_order)]
        for record in same
        if record is not kept and record.cell.method.artifact_digest is not None
    }


def _sha256(record: RunRecord) -> str | None:
    """Digest of a record's dictionary; None where it has none."""
    if record.cell.dictionary is None:
        return None
    return record.dictionary.sha256 if record.dictionary else record.cell.method.artifact_digest


def _order(record: RunRecord) -> tuple[bool, bool, bool, str, str]:
    method = record.cell.method
    return method.artifact_digest is not None, record.status != "ok", not method.params, method.name, record.cell.id
