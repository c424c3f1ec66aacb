"""Find records that a user names by a folder, a file or the beginning of a cell id."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mibench.core.errors import UsageError
from mibench.core.files import is_file, is_folder, read_text
from mibench.records.encode import parse_record
from mibench.records.record import RunRecord
from mibench.records.store import MAX_RECORD_BYTES, Store

_CELL_ID = re.compile(r"[0-9a-f]{32}")
_PREFIX = re.compile(r"[0-9a-f]{4,32}")
LEVELS_BELOW_ROOT = 4
"""Folders between a folder of records and the file of a record."""


@dataclass(frozen=True)
class Stored:
    """A record and the store that its tables lie in."""

    record: RunRecord
    store: Store


def open_store(folder: str) -> Store:
    """Return the store at ``folder``.

    Raises:
        UsageError: There is no such folder.
    """
    if not is_folder(folder):
        raise UsageError(
            f"There is no folder {folder}.",
            why="Records are read from a folder that a run or a submission wrote.",
            do="Give the folder that `mibench run --out DIR` wrote.",
        )
    return Store(folder)


def all_records(folders: Sequence[str]) -> list[Stored]:
    """Return the records of several folders; of a cell that two folders hold, the first one's."""
    found: dict[str, Stored] = {}
    for folder in folders:
        store = open_store(folder)
        for record in store.query():
            found.setdefault(record.cell.id, Stored(record, _home(store, record)))
    return list(found.values())


def _home(store: Store, record: RunRecord) -> Store:
    """Return the store whose root the record lies under; the user may have named one above or below it."""
    if is_file(store.path(record.cell)):
        return store
    for path in store.folder.resolve().rglob(f"{record.cell.id}.json"):
        return Store(path.parents[LEVELS_BELOW_ROOT])
    return store


def find_record(ref: str, folder: str) -> RunRecord:
    """Return the record at the path ``ref``, or the one of ``folder`` whose cell id begins with ``ref``.

    Raises:
        UsageError: There is none, or there are several.
        StoreError: The record is broken.
    """
    path = Path(ref)
    if is_file(path):
        return parse_record(read_text(path, max_bytes=MAX_RECORD_BYTES), source=str(path))
    if is_folder(path):
        raise UsageError(
            f"{ref} is a folder.", why="One record is one file.", do=f"mibench list records --records {ref}"
        )
    if not _PREFIX.fullmatch(ref):
        raise UsageError(
            f"There is no record '{ref}'.",
            why="It is no file, and a cell id is 4 to 32 hex digits.",
            do=f"mibench list records --records {folder}",
        )
    return _by_prefix(ref, open_store(folder))


def _by_prefix(prefix: str, store: Store) -> RunRecord:
    ids = sorted(set(_ids(prefix, store.folder)))
    if len(ids) == 1:
        return store.read(ids[0])
    why = f"{len(ids)} cells begin so: {', '.join(ids[:5])}." if ids else "No cell id there begins so."
    do = "Give more digits." if ids else f"mibench list records --records {store.folder}"
    raise UsageError(f"There is no one record '{prefix}' in {store.folder}.", why=why, do=do)


def _ids(prefix: str, folder: Path) -> Iterator[str]:
    return (path.stem for path in folder.rglob(f"{prefix}*.json") if _CELL_ID.fullmatch(path.stem))
