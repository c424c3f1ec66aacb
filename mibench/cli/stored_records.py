"""Records that a user names, with the store that their tables lie in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mibench.cli.find import LEVELS_BELOW_ROOT, Stored, all_records, find_record
from mibench.core.errors import UsageError
from mibench.core.files import is_file, is_folder
from mibench.records.store import Store


def stored_record(ref: str, folder: str) -> Stored:
    """Return the record at the path ``ref``, or the one of ``folder`` whose cell id begins so, with its store.

    Raises:
        UsageError: There is none, there are several, or the file lies in no folder of records.
        StoreError: The record is broken.
    """
    record = find_record(ref, folder)
    path = Path(ref) if is_file(ref) else next(iter(sorted(Path(folder).rglob(f"{record.cell.id}.json"))))
    above = path.resolve().parents
    store = Store(above[LEVELS_BELOW_ROOT]) if len(above) > LEVELS_BELOW_ROOT else None
    if store is None or store.path(record.cell).resolve() != path.resolve():
        raise UsageError(
            f"{ref} lies in no folder of records.",
            why="Tables and artifacts are looked for in the folder of records that it is a part of.",
            do="Give the file where `mibench run` put it.",
        )
    return Stored(record, store)


def stored_records(refs: Sequence[str], folder: str) -> list[Stored]:
    """Return the records that are named, each once; of a folder, all that it holds.

    Raises:
        UsageError: As :func:`stored_record`, or a folder holds none.
        StoreError: A record is broken.
    """
    found: dict[tuple[str, str], Stored] = {}
    for ref in refs:
        many = all_records([ref]) if is_folder(ref) else [stored_record(ref, folder)]
        if not many:
            do = "Give the folder that `mibench run --out DIR` wrote."
            raise UsageError(f"There are no records in {ref}.", why="It holds no file of a record.", do=do)
        for one in many:
            found.setdefault((str(one.store.folder.resolve()), one.record.cell.id), one)
    return list(found.values())
