"""Records of private rows made fit to be shown: names of rows become opaque, words that could be data go.

What stays are numbers. Those of single rows (a logit difference, a loss) let anyone with the model and a guess of a row
confirm it, whatever its name: tables are for the time when no submission is taken any more, records alone for before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from numbers import Integral
from typing import TYPE_CHECKING, Any

from mibench.core.specs import Cell
from mibench.records.blind_columns import Kind, kind_of
from mibench.records.opaque import OpaqueNames
from mibench.records.record import MetricValue, Problem, RunRecord, Volatile

if TYPE_CHECKING:
    import pandas as pd

Tables = Mapping[str, "pd.DataFrame"]

HIDDEN = "not shown: it may name private data"
PROBLEM = Problem(
    what="The cell gave no numbers.",
    why="The reason may name private data; whoever runs the shared task has it.",
    do="Ask the organisers.",
)
"""In the place of every reason for failure."""
_QUOTE = re.compile(r"[\"`“”‘]|(?<![A-Za-z])'|['’](?![A-Za-z])")


class Blinder:
    """Makes names of rows opaque, the same for every submission, so that submissions can be compared row by row.

    In tables, columns that are known to hold nothing of the data stay, names of rows become opaque and keep their
    order, and of all other columns texts and whole numbers become opaque; see `mibench.records.blind_columns`. The
    digest of the scored examples becomes its HMAC, as someone might guess them all; the cell's id follows.

    Attributes:
        salt: Of the private splits; it opens the names.
        split: Which of them, so that equal places in two splits have different names.
    """

    def __init__(self, salt: bytes, split: str = "") -> None:
        self.salt = salt
        self.split = split

    def record(self, record: RunRecord, tables: Tables) -> tuple[RunRecord, dict[str, pd.DataFrame]]:
        """Return a record and its tables as they can be shown.

        The record refers to no file: a store that they are written to adds its tables, and, where it is given, the
        artifact. Tables that are not given are left behind.

        Args:
            record: As scoring gave it.
            tables: Its tables by name.
        """
        names, cell = self._names(record), record.cell
        shown = {name: _mapped(frame, cell, name, names) for name, frame in tables.items()}
        secrets = {text for name, frame in tables.items() for text in _masked(frame, cell, name)}
        task = cell.task.model_copy(update={"digest": names.digest(cell.task.digest)})
        update: dict[str, Any] = {
            "cell": cell.model_copy(update={"task": task}),
            "metrics": {name: _told(one, secrets) for name, one in record.metrics.items()},
            "tables": {},
            "artifact": None,
            "volatile": _volatile(record.volatile),
            "problem": None if record.problem is None else PROBLEM,
        }
        return record.model_copy(update=update), shown

    def unblind(self, record: RunRecord, tables: Tables) -> dict[str, pd.DataFrame]:
        """Return the tables of a blinded record with the rows' own names, once the salt is revealed.

        What became opaque for good, such as names of cities, stays so.

        Raises:
            DataError: A name was not made with this salt.
        """
        names = self._names(record)
        ways: dict[Kind, Callable[[Any], Any]] = {"id": names.opened}
        return {name: _converted(frame, record.cell, name, ways) for name, frame in tables.items()}

    def digest(self, record: RunRecord, digest: str) -> str:
        """Return what stands in a blinded record for the digest of scored examples, so that it can be checked."""
        return self._names(record).digest(digest)

    def _names(self, record: RunRecord) -> OpaqueNames:
        return OpaqueNames(self.salt, (self.split, record.cell.task.name))


def _mapped(frame: pd.DataFrame, cell: Cell, table: str, names: OpaqueNames) -> pd.DataFrame:
    ways: dict[Kind, Callable[[Any], Any]] = {
        "id": names.named,
        "text": lambda value: names.text(str(value)),
        "number": names.number,
    }
    return _converted(frame, cell, table, ways)


def _converted(frame: pd.DataFrame, cell: Cell, table: str, ways: Mapping[Kind, Callable[[Any], Any]]) -> pd.DataFrame:
    """The table with the values of each kind of column converted; types stay, gaps too."""
    found = frame.copy()
    for name in frame.columns:
        way = ways.get(kind_of(cell.track, table, frame[name]))
        if way is not None:
            found[name] = _column(frame[name], way)
    return found


def _column(column: pd.Series[Any], way: Callable[[Any], Any]) -> pd.Series[Any]:
    """Numbers become 64 bits wide, which opaque ones need."""
    import pandas as pd

    values = _values(column)
    known = {value: way(value) for value in set(values)}
    found = pd.Series(None, column.index, object, column.name)
    found[column.notna()] = [known[value] for value in values]
    if pd.api.types.is_numeric_dtype(column.dtype):
        return found.astype("Int64" if column.hasnans else "int64")
    return found if isinstance(column.dtype, pd.CategoricalDtype) else found.astype(column.dtype)


def _values(column: pd.Series[Any]) -> list[str | int]:
    """What a column holds, gaps left out: whole numbers, and all else as text."""
    plain = (int(value) if isinstance(value, float) and value.is_integer() else value for value in column.dropna())
    return [int(value) if isinstance(value, Integral) else str(value) for value in plain]


def _masked(frame: pd.DataFrame, cell: Cell, table: str) -> set[str]:
    """The texts of a table that are not shown."""
    hidden = [name for name in frame.columns if kind_of(cell.track, table, frame[name]) == "text"]
    return {str(value) for name in hidden for value in _values(frame[name])}


def _told(value: MetricValue, secrets: set[str]) -> MetricValue:
    """The number, with the reasons that name nothing."""
    said = {name: getattr(value, name) for name in ("reason", "ci_reason")}
    return value.model_copy(update={name: HIDDEN for name, text in said.items() if text and _names_any(text, secrets)})


def _names_any(text: str, secrets: set[str]) -> bool:
    return _QUOTE.search(text) is not None or any(secret in text for secret in secrets)


def _volatile(volatile: Volatile) -> Volatile:
    """Cost and versions stay; the command and folders of the organiser's machine go."""
    made = volatile.provenance
    told = None if made is None else made.model_copy(update={"command": []})
    return volatile.model_copy(update={"provenance": told, "reused_from": None, "reused_since": None})
