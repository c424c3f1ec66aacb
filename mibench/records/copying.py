"""Records from one folder to another with their files, each checked by its digest."""

from __future__ import annotations

from dataclasses import dataclass

from mibench.core.errors import StoreError
from mibench.core.files import atomic_write
from mibench.records.confirmation import append_confirmations, read_confirmations
from mibench.records.encode import record_bytes
from mibench.records.record import RunRecord
from mibench.records.store import Store


@dataclass(frozen=True)
class Copied:
    """What was copied.

    Attributes:
        new: Ids of cells that the folder did not have, or had without numbers.
        kept: Ids of cells that it had already; they are left as they are.
        without_artifact: Of the new ones, those whose artifact was not there: the record keeps its digest.
        confirmations: Confirmations that were added.
    """

    new: tuple[str, ...]
    kept: tuple[str, ...]
    without_artifact: tuple[str, ...]
    confirmations: int


def copy_record(record: RunRecord, source: Store, target: Store) -> bool:
    """Copy a record, its tables, and its artifact where that is there. The record comes last, so it is never alone.

    Args:
        record: A record of ``source``.
        source: Where it is.
        target: Where it goes; a record of the cell there is replaced.

    Returns:
        Whether its artifact came too, if it has one.

    Raises:
        StoreError: A table is missing or damaged, or the artifact is damaged, or a file cannot be written.
    """
    path, whole = target.path(record.cell), True
    files = {ref.file: source.table_file(record, name) for name, ref in record.tables.items()}
    if record.artifact is not None:
        whole = source.holds_artifact(record)
        files |= {record.artifact.file: source.artifact(record)} if whole else {}
    for name, file in files.items():
        atomic_write(path.with_name(name), file.read_bytes())
    atomic_write(path, record_bytes(record))
    return whole


def copy_records(source: Store, target: Store) -> Copied:
    """Copy all records that a folder does not have, with the confirmations of them.

    All are read before the first is written.

    Raises:
        StoreError: A record or one of its files is broken, there are none, or a file cannot be written.
    """
    records = source.query()
    if not records:
        raise StoreError(
            f"There are no records in {source.folder}.",
            why="It holds no file that is named by the id of a cell.",
            do="Give the folder that `mibench run --out` wrote, or a copy of it.",
        )
    new = [record for record in records if not _has_numbers(record, target)]
    told = {record.cell.id for record in new}
    bare = tuple(record.cell.id for record in new if not copy_record(record, source, target))
    known = {one.model_dump_json() for one in read_confirmations(target.folder)}
    added = [
        one for one in read_confirmations(source.folder) if one.record in told and one.model_dump_json() not in known
    ]
    if added:
        append_confirmations(target.folder, added)
    kept = tuple(record.cell.id for record in records if record.cell.id not in told)
    return Copied(tuple(record.cell.id for record in new), kept, bare, len(added))


def _has_numbers(record: RunRecord, target: Store) -> bool:
    if not target.has(record.cell):
        return False
    return record.status != "ok" or target.read(record.cell).status == "ok"
