"""Records that take less space: tables are written again, tighter, and artifacts that a run makes again go."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mibench.core.errors import StoreError
from mibench.core.files import atomic_write
from mibench.records.confirmation import FILE as CONFIRMATIONS
from mibench.records.confirmation import read_confirmations
from mibench.records.encode import record_bytes
from mibench.records.record import RunRecord, TableRef
from mibench.records.store import Store
from mibench.records.tables import read_table, table_bytes


@dataclass(frozen=True)
class Slimmed:
    """What became of a folder of records.

    Attributes:
        records: Records.
        tables: Tables that were written again.
        dropped: Artifacts that were left out: their records keep the digest, and a run of the cell makes them again.
        handed_in: Artifacts above the limit that stay, since no run makes them again.
        confirmed: Records whose tables stay as they are, since confirmations name their digests.
        bytes_before: All files of the records.
        bytes_after: The same afterwards.
    """

    records: int
    tables: int
    dropped: int
    handed_in: int
    confirmed: int
    bytes_before: int
    bytes_after: int

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class _Plan:
    """A record as it is to be: its files by name, and those of the old one that it no longer has."""

    record: RunRecord
    files: dict[str, bytes | Path]
    gone: tuple[Path, ...]
    before: int
    tables: int = 0
    dropped: bool = False
    handed_in: bool = False
    confirmed: bool = False


def slim_records(source: Store, target: Store, *, max_artifact_bytes: int) -> Slimmed:
    """Write every record of a folder to another, or to the same, so that it takes less space.

    Every number stays. Each record is whole at every moment, so a run that is killed is repeated.

    Args:
        source: The records.
        target: Where they go; the same folder: in place.
        max_artifact_bytes: Artifacts above it are left out, unless they were handed in.

    Raises:
        StoreError: A record or a table is broken, or a file cannot be written.
    """
    confirmed = {one.record for one in read_confirmations(source.folder)}
    done, after = [], 0
    for record in source.query():
        plan = _plan(record, source, max_artifact_bytes, fixed=record.cell.id in confirmed)
        after += _write(plan, target, in_place=source.folder.resolve() == target.folder.resolve())
        done.append(plan)
    if confirmed and source.folder.resolve() != target.folder.resolve():
        atomic_write(target.folder / CONFIRMATIONS, (source.folder / CONFIRMATIONS).read_bytes())
    return Slimmed(
        records=len(done),
        tables=sum(plan.tables for plan in done),
        dropped=sum(plan.dropped for plan in done),
        handed_in=sum(plan.handed_in for plan in done),
        confirmed=sum(plan.confirmed for plan in done),
        bytes_before=sum(plan.before for plan in done),
        bytes_after=after,
    )


def _plan(record: RunRecord, source: Store, limit: int, *, fixed: bool) -> _Plan:
    path = source.path(record.cell)
    before, rewritten = path.stat().st_size, 0
    files: dict[str, bytes | Path] = {}
    refs: dict[str, TableRef] = {}
    for name, ref in record.tables.items():
        file = source.table_file(record, name)
        before += file.stat().st_size
        refs[name], content = _tighter(path.stem, name, ref, file.read_bytes()) if not fixed else (ref, file)
        files[refs[name].file] = content
        rewritten += refs[name] != ref
    large = artifact_stays = False
    if record.artifact is not None and source.holds_artifact(record):
        artifact = source.artifact(record)
        before += artifact.stat().st_size
        large = artifact.stat().st_size > limit
        artifact_stays = not large or record.cell.method.artifact_digest is not None
        files |= {record.artifact.file: artifact} if artifact_stays else {}
    old = [ref.file for ref in record.tables.values()] + ([record.artifact.file] if record.artifact else [])
    gone = tuple(path.with_name(name) for name in old if name not in files)
    slim = record.model_copy(update={"tables": refs})
    return _Plan(slim, files, gone, before, rewritten, large and not artifact_stays, large and artifact_stays, fixed)


def _tighter(cell_id: str, name: str, ref: TableRef, content: bytes) -> tuple[TableRef, bytes]:
    """Return a table written again, where that is smaller and reads as the same."""
    frame = read_table(content, ref)
    again = table_bytes(frame, name=name)
    sha256 = hashlib.sha256(again).hexdigest()
    own = TableRef(file=f"{cell_id}.{name}.{sha256[:12]}.parquet", sha256=sha256, rows=ref.rows)
    if len(again) >= len(content):
        return ref, content
    if not frame.equals(read_table(again, own)):
        raise StoreError(
            f"The table {ref.file} cannot be written again.",
            why="It would not read as it does now.",
            do="Leave this record out, and report it.",
        )
    return own, again


def _write(plan: _Plan, target: Store, *, in_place: bool) -> int:
    """Write a record with its files, then remove what only the old one had; return the bytes of all of them."""
    path, size = target.path(plan.record.cell), 0
    for name, content in plan.files.items():
        data = content if isinstance(content, bytes) else content.read_bytes()
        size += len(data)
        if not (in_place and isinstance(content, Path)):
            atomic_write(path.with_name(name), data)
    told = record_bytes(plan.record)
    atomic_write(path, told)
    if in_place:
        for file in plan.gone:
            file.unlink(missing_ok=True)
    return size + len(told)
