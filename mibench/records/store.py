"""A folder of records and their tables: content-addressed, and whole at every moment.

Layout: ``<track>/<task>/<model>/<method>/<cell id>.json``, with ``<cell id>.<table>.<digest>.parquet`` and
``<cell id>.artifact.<digest>.<suffix>`` beside it. The files beside a record carry a digest of their content,
so a rewrite never touches what the old record points to, and the old record stays whole until the new one
takes its place. Folder names are for people and are never parsed.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mibench.core.errors import MibenchError, StoreError
from mibench.core.files import atomic_write, read_text
from mibench.core.specs import Cell
from mibench.records.beside import Ref, check_file, copied_artifact, encoded_table, is_record, missing_file
from mibench.records.encode import parse_record, record_bytes
from mibench.records.record import RunRecord
from mibench.records.tables import read_table

if TYPE_CHECKING:
    import pandas as pd

MAX_RECORD_BYTES = 64 * 1024 * 1024
STALE_SECONDS = 3600.0
"""A file without a record may belong to a writer at work until it is this old."""

_CELL_ID = re.compile(r"[0-9a-f]{32}")
_BESIDE = re.compile(r"\.[0-9a-f]{32}\..+\.tmp|[0-9a-f]{32}\.[A-Za-z0-9_-]+\.[0-9a-f]{12}\.[a-z0-9]+")


class Store:
    """Records of one folder.

    Attributes:
        folder: Where the records lie; made by the first write.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)

    def path(self, cell: Cell) -> Path:
        """Return where the record of ``cell`` lies, or would lie."""
        parts = (cell.track.value, cell.task.name, cell.model.name, cell.method.name)
        return self.folder.joinpath(*map(_slug, parts), f"{cell.id}.json")

    def write(
        self,
        record: RunRecord,
        tables: Mapping[str, pd.DataFrame] | None = None,
        *,
        artifact: Path | None = None,
    ) -> RunRecord:
        """Write the files of a cell, then its record, replacing an older record of the cell.

        Tables and an artifact that ``record`` already refers to are kept, and have to be there; of an artifact its
        digest is enough.

        Args:
            record: What the cell gave.
            tables: Frames to store with it, by name; they are added to those that ``record`` refers to.
            artifact: A file to copy beside it.

        Returns:
            The record as written, with its references to tables and artifact filled in.

        Raises:
            StoreError: A table cannot be stored, a file cannot be written, or a file referred to is missing.
        """
        target = self.path(record.cell)
        # Everything is encoded and checked before anything is written: bad input leaves no trace.
        encoded = [encoded_table(target, name, frame) for name, frame in (tables or {}).items()]
        refs = {name: ref for name, ref, _ in encoded}
        kept: list[Ref] = [ref for name, ref in record.tables.items() if name not in refs]
        if record.artifact is not None and artifact is None and self.holds_artifact(record):
            kept.append(record.artifact)
        for known in kept:
            check_file(target.with_name(known.file), known)
        stored = record.artifact if artifact is None else copied_artifact(artifact, target)
        for _, ref, content in encoded:
            atomic_write(target.with_name(ref.file), content)
        written = record.model_copy(update={"tables": record.tables | refs, "artifact": stored})
        atomic_write(target, record_bytes(written))
        _sweep_cell(target, written)
        return written

    def has(self, cell: Cell | str) -> bool:
        """Tell whether there is a record of ``cell``, given itself or by its id."""
        return self._find(cell) is not None

    def read(self, cell: Cell | str) -> RunRecord:
        """Return the record of ``cell``, given itself or by its id.

        Raises:
            StoreError: There is none, or it is broken.
        """
        path = self._find(cell)
        if path is None:
            cell_id = cell.id if isinstance(cell, Cell) else cell
            raise StoreError(
                f"There is no record of cell {cell_id}.",
                why=f"{self.folder} does not hold it.",
                do="Run the cell, or give the folder that holds it.",
            )
        return read_record(path)

    def table(
        self, record: RunRecord, name: str, columns: Collection[str] | None = None, categories: Collection[str] = ()
    ) -> pd.DataFrame:
        """Return a table of ``record``, after checking its digest.

        Args:
            record: The record.
            name: The table.
            columns: Those to read, as far as the table has them; None: all.
            categories: Columns of texts to give as categories, which takes less time.

        Raises:
            StoreError: The record has no such table, or the file is missing or damaged.
        """
        path = self._table_path(record, name)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise missing_file(path, error) from error
        return read_table(content, record.tables[name], columns, categories)

    def table_file(self, record: RunRecord, name: str) -> Path:
        """Return where a table of ``record`` lies, after checking its digest.

        Raises:
            StoreError: The record has no such table, or the file is missing or damaged.
        """
        path = self._table_path(record, name)
        check_file(path, record.tables[name])
        return path

    def _table_path(self, record: RunRecord, name: str) -> Path:
        if name not in record.tables:
            known = ", ".join(sorted(record.tables)) or "none"
            raise StoreError(
                f"The record of cell {record.cell.id} has no table '{name}'.",
                why=f"Its tables: {known}.",
                do="Ask for one of these, or run the cell again.",
            )
        return self.path(record.cell).with_name(record.tables[name].file)

    def artifact(self, record: RunRecord) -> Path:
        """Return where the artifact of ``record`` lies, after checking its digest.

        Raises:
            StoreError: The record has no artifact, or the file is missing or damaged.
        """
        if record.artifact is None:
            raise StoreError(
                f"The record of cell {record.cell.id} has no artifact.",
                why="Its run stored none.",
                do="Run the cell again.",
            )
        path = self.path(record.cell).with_name(record.artifact.file)
        if not self.holds_artifact(record):
            raise StoreError(
                f"{path} is not there.",
                why=f"The record keeps its sha256 only, {record.artifact.sha256}: it was left out to save space, or "
                "not fetched.",
                do="Make it again: mibench reproduce, with the record; or fetch it from where the record is from.",
            )
        check_file(path, record.artifact)
        return path

    def holds_artifact(self, record: RunRecord) -> bool:
        """Tell whether the artifact of ``record`` lies beside it; slim folders keep its digest alone."""
        return record.artifact is not None and self.path(record.cell).with_name(record.artifact.file).is_file()

    def query(self) -> list[RunRecord]:
        """Return all records, sorted by track, task, model, method and id.

        Raises:
            StoreError: A record is broken; the message names its file.
        """
        records = [read_record(path) for path in self._paths()]
        return sorted(records, key=lambda record: (*_names(record.cell), record.cell.id))

    def beside(self, cell: Cell) -> list[RunRecord]:
        """Return the records of the same task, model and method; broken ones are left out."""
        found = []
        for path in _records_in(self.path(cell).parent):
            with contextlib.suppress(StoreError):
                found.append(read_record(path))
        return sorted(found, key=lambda record: record.cell.id)

    def frame(self) -> pd.DataFrame:
        """Return one row a cell: its names, cost, and ``metrics.<name>`` with ``.ci_low``, ``.ci_high``."""
        import pandas as pd

        from mibench.records.rows import COLUMNS, row

        rows = [row(record) for record in self.query()]
        metrics = sorted({column for each in rows for column in each} - set(COLUMNS))
        return pd.DataFrame(rows, columns=[*COLUMNS, *metrics])

    def clean(self, *, older_than: float = STALE_SECONDS) -> list[Path]:
        """Remove what killed writers left and what rewrites superseded, and return it.

        Args:
            older_than: Age in seconds from which a file is taken to belong to nobody.

        Raises:
            StoreError: A record is broken, so that what it refers to is not known.
        """
        removed = []
        for folder in sorted({path.parent for path in self.folder.rglob("*") if _BESIDE.fullmatch(path.name)}):
            used = {ref.file for path in _records_in(folder) for ref in _references(read_record(path))}
            removed += _remove_stale(folder, used, cell_id="", older_than=older_than)
        return removed

    def _paths(self) -> Iterator[Path]:
        return (path for path in sorted(self.folder.rglob("*.json")) if is_record(path.name))

    def _find(self, cell: Cell | str) -> Path | None:
        if isinstance(cell, Cell):
            path = self.path(cell)
            return path if path.is_file() else None
        if not _CELL_ID.fullmatch(cell):
            return None
        return next(iter(sorted(self.folder.rglob(f"{cell}.json"))), None)


def read_record(path: Path, content: str | None = None) -> RunRecord:
    """Return the record of a file.

    Args:
        path: The file, named by the id of its cell.
        content: Its text, where that is at hand.

    Raises:
        StoreError: It is broken.
    """
    try:
        text = read_text(path, max_bytes=MAX_RECORD_BYTES) if content is None else content
        record = parse_record(text, source=str(path))
    except StoreError:
        raise
    except MibenchError as error:
        raise StoreError(error.what, why=error.why, do=error.do) from error
    if record.cell.id != path.stem:
        raise StoreError(
            f"{path} is not the record of its cell.",
            why=f"Its content has the cell id {record.cell.id}: it was edited, or renamed.",
            do="Remove the file and run its cell again.",
        )
    return record


def _references(record: RunRecord) -> list[Ref]:
    return [*record.tables.values(), *([record.artifact] if record.artifact else [])]


def _names(cell: Cell) -> tuple[str, str, str, str]:
    return cell.track.value, cell.task.name, cell.model.name, cell.method.name


def _slug(name: str) -> str:
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")
    return slug[:80] or "_"


def _records_in(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*.json") if is_record(path.name)]


def _sweep_cell(target: Path, record: RunRecord) -> None:
    used = {ref.file for ref in _references(record)}
    _remove_stale(target.parent, used, cell_id=target.stem, older_than=STALE_SECONDS)


def _remove_stale(folder: Path, used: set[str], *, cell_id: str, older_than: float) -> list[Path]:
    """Remove temporary and unreferenced files of ``cell_id`` (of every cell if empty) that have grown old."""
    limit = time.time() - older_than
    removed = []
    # Many cells share a folder, and each write comes here: names first, and paths of few of them.
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if entry.name.lstrip(".").startswith(cell_id))
    for path in (folder / name for name in names if _BESIDE.fullmatch(name) and name not in used):
        # Another process may clean at the same time, and a file that stays does no harm.
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < limit:
                path.unlink()
                removed.append(path)
    return removed
