"""Ranks of groups that were made before, so that one new record does not resample all the others.

They are kept in a folder that is safe to delete, one file a group, named by a digest of everything that ranks depend
on: the code that makes them, the libraries that it calls, the numbers of every row, and the bytes of every table as
they are on the disk now. A file that is not what was written is not used.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from mibench.core.errors import StoreError
from mibench.core.files import atomic_write
from mibench.core.hashing import canonical_json, digest
from mibench.core.version import code_digest
from mibench.leaderboard.columns import Column
from mibench.leaderboard.memory import KeptMemory, Memory
from mibench.leaderboard.ranking import Rank, Ranker
from mibench.leaderboard.rows import Entry, Row, group_key
from mibench.metrics.replicates import Replicates

_CODE = ("metrics", "leaderboard/ranking.py", "leaderboard/contest.py", "leaderboard/columns.py", "records/tables.py")
_LIBRARIES = ("numpy", "scipy", "pandas", "pyarrow")


@dataclass(frozen=True)
class Ranking:
    """How rows of a group rank.

    Attributes:
        ranks: By metric, then by the id of the row.
        resolutions: By metric, the smallest difference that tells two rows apart.
        warnings: What kept rows from being compared on the same examples.
    """

    ranks: Mapping[str, Mapping[str, Rank]]
    resolutions: Mapping[str, float]
    warnings: tuple[str, ...]


def ranking_of(rows: Sequence[Row], columns: Sequence[Column], folder: Path | None = None) -> Ranking:
    """Rank the rows of a group by each of the columns.

    Args:
        rows: The rows.
        columns: Those that rank.
        folder: Where earlier ranks are kept; None: they are made anew.
    """
    if folder is None or not columns:
        return _made(rows, columns, Ranker(column.metric for column in columns))
    tables = {entry.record.cell.id: _tables(entry) for row in rows for entry in row.entries}
    path = folder / f"{_key(rows, columns, tables)}.json"
    known = _read(path)
    if known is None:
        names = [digest([_code(), group_key(rows[0].records[0].cell)]), *sorted(tables)]
        memory = KeptMemory(folder / f"replicates-{names[0]}.kept", only=names[1:])
        known = _made(rows, columns, _KeptRanker((column.metric for column in columns), memory, tables))
        memory.save()
        # What cannot be kept is only made again.
        with contextlib.suppress(StoreError):
            atomic_write(path, _dump(known))
    return known


class _KeptRanker(Ranker):
    """Takes replicates of records whose tables are what they were from a memory."""

    def __init__(self, metrics: Iterable[str], memory: Memory, tables: Mapping[str, Any]) -> None:
        super().__init__(metrics)
        self._memory, self._tables = memory, tables

    def _read(self, entry: Entry, names: frozenset[str]) -> dict[str, Replicates | str]:
        name = entry.record.cell.id
        found: dict[str, Replicates | str] = {}

        def make() -> str:
            found.update(super(_KeptRanker, self)._read(entry, names))
            known = {metric: _told(one) for metric, one in found.items() if isinstance(one, Replicates)}
            # Why there are none is said anew each time, with a warning.
            return json.dumps(known) if len(known) == len(found) else ""

        told = self._memory.recall(name, make, sorted(names), self._tables[name])
        if found or not told:
            return found or super()._read(entry, names)
        return {metric: _replicates(one) for metric, one in json.loads(told).items()}


def _told(one: Replicates) -> list[Any]:
    return [one.value, one.n, one.draws, b64encode(one.replicates.astype("<f8").tobytes()).decode()]


def _replicates(told: list[Any]) -> Replicates:
    value, n, draws, coded = told
    return Replicates(value, np.frombuffer(b64decode(coded), dtype="<f8").astype(np.float64), n, draws)


def _made(rows: Sequence[Row], columns: Sequence[Column], ranker: Ranker) -> Ranking:
    ranks = {column.metric: ranker.rank(rows, column) for column in columns}
    return Ranking(ranks, ranker.resolutions, tuple(ranker.warnings))


def _key(rows: Sequence[Row], columns: Sequence[Column], tables: Mapping[str, Any]) -> str:
    return digest(
        {
            "code": _code(),
            "columns": [[column.metric, column.title, column.higher_is_better] for column in columns],
            "rows": [_row(row, columns, tables) for row in rows],
        }
    )


@cache
def _code() -> str:
    libraries = {name: version(name) for name in _LIBRARIES}
    return digest([code_digest(*_CODE), libraries, platform.python_version(), platform.machine()])


def _row(row: Row, columns: Sequence[Column], tables: Mapping[str, Any]) -> list[Any]:
    numbers = [row.metrics.get(column.metric) for column in columns]
    told = [None if one is None else [one.value, one.ci_low, one.ci_high, one.reason, one.version] for one in numbers]
    return [
        row.id,
        row.label,
        row.status,
        row.reason,
        row.board,
        told,
        [tables[record.cell.id] for record in row.records],
    ]


def _tables(entry: Entry) -> list[Any]:
    """What decides what is read from the tables of a record: what it says of them, and what they are."""
    record = entry.record
    folder = entry.store.path(record.cell).parent
    tables = {name: [ref.sha256, ref.rows, _bytes(folder / ref.file)] for name, ref in record.tables.items()}
    return [record.cell.id, record.cell.method.seed, record.cell.track.value, tables]


def _bytes(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        # What is said of it names its place.
        return f"{path}: {error.strerror}"


def _dump(made: Ranking) -> bytes:
    ranks = {metric: {row: asdict(rank) for row, rank in by_row.items()} for metric, by_row in made.ranks.items()}
    told = {"ranks": ranks, "resolutions": dict(made.resolutions), "warnings": list(made.warnings)}
    return canonical_json({"ranking": told, "sha256": digest(told)})


def _read(path: Path) -> Ranking | None:
    """Return what is kept; None where there is nothing, or not what was written."""
    try:
        kept = json.loads(path.read_bytes())
        told = kept["ranking"]
        if digest(told) != kept["sha256"]:
            return None
        ranks = {metric: {row: Rank(**rank) for row, rank in rows.items()} for metric, rows in told["ranks"].items()}
        return Ranking(ranks, told["resolutions"], tuple(told["warnings"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
