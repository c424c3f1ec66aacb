"""What a scorer left, read as if a stranger had written it: every record is checked before it is anybody's."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mibench.core.errors import MibenchError, RoundError
from mibench.core.hashing import digest
from mibench.core.specs import Cell, Track
from mibench.intake.round import Round, read_round
from mibench.records.encode import parse_record
from mibench.records.record import RunRecord, TableRef
from mibench.records.store import MAX_RECORD_BYTES
from mibench.records.tables import read_table
from mibench.shared_task.jobs import Job
from mibench.shared_task.pieces import Piece, method_name, pieces_of, read_piece, read_submission

if TYPE_CHECKING:
    import pandas as pd

NO_MODEL = "none"
"""What records name in place of a model where data are generated."""
CONTROLS = ("random", "known-truth")
"""Methods that a scorer runs besides, to measure floor and ceiling."""
_MAX_FILES = 100_000
_MAX_DEPTH = 8
_MAX_TABLE_BYTES = 2 * 1024**3


class NotOfThisSubmissionError(RoundError):
    """A scorer left something that it never would; the text is for the organisers alone."""

    def __init__(self, why: str) -> None:
        what = "The scorer handed back a record that is not of this submission."
        super().__init__(what, why=why, do="Look into the log.")


@dataclass(frozen=True)
class Expected:
    """What the records of a submission can be.

    Attributes:
        method: Their method's name.
        rules: The round.
        folders: Models that are folders.
        pieces: What is scored, by the digest that records give it.
        n_cells: Cells that the submission has in the round.
    """

    method: str
    rules: Round
    folders: Mapping[str, Path]
    pieces: Mapping[str, list[Piece]]
    n_cells: int

    def fault(self, cell: Cell) -> str | None:
        """Why a cell is none of this submission in this round; None: it is."""
        if cell.method.name != self.method or cell.method.code_digest is not None:
            return "It is of another method."
        if cell.method.artifact_digest not in self.pieces:
            return "It is of an artifact that was not handed in."
        if not self.n_fitting(cell):
            return "It is of another cell than its artifact."
        if cell.task.split != "test" or cell.task.version != self.rules.tasks.get(cell.task.name):
            return "It is of another split, or of another version of the task."
        return None

    def n_fitting(self, cell: Cell) -> int:
        """Artifacts that a cell can be of: more than one where the same circuit was handed in for several sizes."""
        return sum(self._fits(cell, piece) for piece in self.pieces.get(cell.method.artifact_digest or "", []))

    def _fits(self, cell: Cell, piece: Piece) -> bool:
        entry = piece.first
        own = {
            Track.CIRCUIT: cell.level is piece.level,
            Track.VARIABLE: cell.variable is not None and cell.variable.name == entry.variable,
            Track.SAE: cell.dictionary is not None and _place(cell) == (entry.hook or "generated"),
        }
        same = cell.track is entry.track and entry.seed in (None, cell.method.seed)
        return same and own[entry.track] and any(self._at(cell, task, model) for task, model in piece.places)

    def _at(self, cell: Cell, task: str, model: str) -> bool:
        names = {model or NO_MODEL, *([f"local:{self.folders[model].name}"] if model in self.folders else [])}
        known = self.rules.models.get(model)
        return cell.task.name == task and cell.model.name in names and known in (None, cell.model.digest)


def expected_of(job: Job) -> Expected:
    """Return what a job's records can be; its artifacts are read again, without a model.

    Raises:
        MibenchError: The round's rules or the manifest are not there any more.
    """
    rules, submission = read_round(job.round), read_submission(job.submission)
    pieces = pieces_of(submission, rules)
    by_digest: dict[str, list[Piece]] = {}
    for piece in pieces:
        # What cannot be read here was not scored either.
        with suppress(MibenchError):
            by_digest.setdefault(read_piece(piece, job.submission).digest, []).append(piece)
    n_cells = sum(len(piece.places) for piece in pieces)
    return Expected(method_name(submission), rules, job.folders, by_digest, n_cells)


@dataclass
class Collected:
    """Records that were found good.

    Attributes:
        found: Each with its tables.
        n_cells: Cells that the submission has in the round.
    """

    found: list[tuple[RunRecord, dict[str, pd.DataFrame]]] = field(default_factory=list)
    n_cells: int = 0
    _left: int = _MAX_TABLE_BYTES

    @property
    def n_good(self) -> int:
        """Cells that have numbers."""
        return sum(record.status == "ok" for record, _ in self.found)

    def add(self, record: RunRecord, folder: Path, files: Mapping[Path, int]) -> None:
        """Read the tables of a record beside it, and add both.

        Raises:
            NotOfThisSubmissionError: One is not there, broken, or too large once it is unpacked.
        """
        tables = {}
        for name, ref in record.tables.items():
            path = folder / ref.file
            if path not in files:
                raise NotOfThisSubmissionError(f"{ref.file} is not there.")
            content = _bytes(path, files[path])
            self._left -= _unpacked_size(content, ref)
            if self._left < 0:
                raise NotOfThisSubmissionError(f"{ref.file} is too large once it is unpacked.")
            tables[name] = _table(content, ref)
        self.found.append((record, tables))


def collect(folder: Path, job: Job) -> Collected:
    """Read the records that a scorer left in a folder.

    Args:
        folder: Where they are.
        job: What was asked for.

    Raises:
        NotOfThisSubmissionError: Something there is none of them, or is broken, or is larger than it may be.
        MibenchError: The round's rules or the manifest are not there any more.
    """
    expected = expected_of(job)
    files = dict(_files(folder, job.file_bytes))
    collected, seen = Collected(n_cells=expected.n_cells), Counter[str]()
    for path in sorted(path for path in files if path.suffix == ".json"):
        record = _record(path)
        if _is_control(record.cell):
            continue
        fault, key = expected.fault(record.cell), _key(record.cell)
        seen[key] += 1
        if fault is None and seen[key] > expected.n_fitting(record.cell):
            fault = "It is there twice."
        if fault is not None:
            raise NotOfThisSubmissionError(f"{path.name}: {fault}")
        collected.add(record, path.parent, files)
    return collected


def _key(cell: Cell) -> str:
    """What there is one record of: the artifact, the task and the model."""
    return digest([cell.method.artifact_digest, cell.method.seed, cell.task.name, cell.model.name])


def _is_control(cell: Cell) -> bool:
    method = cell.method
    return method.name in CONTROLS and method.artifact_digest is None and method.code_digest is None


def _place(cell: Cell) -> str:
    """Where a dictionary works, as manifests write it."""
    where = cell.dictionary
    if where is None:
        return ""
    return where.hook if where.output is None else f"{where.hook}->{where.output}"


def _record(path: Path) -> RunRecord:
    try:
        record = parse_record(_bytes(path, MAX_RECORD_BYTES), source=path.name)
    except MibenchError as error:
        raise NotOfThisSubmissionError(f"{error.what} {error.why}") from error
    if path.stem != record.cell.id:
        raise NotOfThisSubmissionError(f"{path.name} has the name of another cell.")
    return record


def _unpacked_size(content: bytes, ref: TableRef) -> int:
    """Bytes that a table takes, as it says itself, before anything of it is unpacked."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        about = pq.read_metadata(pa.BufferReader(content))
        sizes = (about.row_group(group).total_byte_size for group in range(about.num_row_groups))
        return max(8 * int(about.num_rows * about.num_columns), sum(map(int, sizes)))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise NotOfThisSubmissionError(f"{ref.file} is no table.") from error


def _table(content: bytes, ref: TableRef) -> pd.DataFrame:
    try:
        return read_table(content, ref)
    except MibenchError as error:
        raise NotOfThisSubmissionError(f"{error.what} {error.why}") from error


def _files(folder: Path, max_bytes: int) -> Iterator[tuple[Path, int]]:
    """Every file below a folder with its size; links and devices are refused.

    Raises:
        NotOfThisSubmissionError: There is one, or there is too much.
    """
    total = count = 0
    for path, about in _entries(folder, _MAX_DEPTH):
        total, count = total + about.st_size, count + 1
        if total > max_bytes or count > _MAX_FILES:
            raise NotOfThisSubmissionError(f"There are more than {max_bytes} bytes or {_MAX_FILES} files.")
        yield path, about.st_size


def _entries(folder: Path, depth: int) -> Iterator[tuple[Path, os.stat_result]]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    for entry in entries:
        about = entry.stat(follow_symlinks=False)
        if stat.S_ISDIR(about.st_mode) and depth:
            yield from _entries(Path(entry.path), depth - 1)
        elif stat.S_ISREG(about.st_mode):
            yield Path(entry.path), about
        else:
            raise NotOfThisSubmissionError("There is a link, a device or too deep a folder among the records.")


def _bytes(path: Path, max_bytes: int) -> bytes:
    """Read a file, following no link."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise NotOfThisSubmissionError(f"{path.name} cannot be read.") from error
    with os.fdopen(handle, "rb") as stream:
        content = stream.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise NotOfThisSubmissionError(f"{path.name} has more than {max_bytes} bytes.")
    return content
