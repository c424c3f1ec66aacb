"""Lines as CSV, and CSV whose columns are put into another order."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any


def sheet_text(lines: Sequence[Mapping[str, Any]]) -> str:
    """Return lines as CSV: a column for every name, in the order in which they appear; what is missing is empty."""
    columns = dict.fromkeys(name for line in lines for name in line)
    return csv_text([list(columns), *(list(map(line.get, columns)) for line in lines)])


def csv_text(rows: Iterable[Sequence[Any]]) -> str:
    """Return rows as CSV."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()


def columns_of(sheet: str) -> list[str]:
    """Return the first row."""
    return next(_rows(sheet))


def placed(sheet: str, columns: Sequence[str]) -> str:
    """Return all rows but the first, with these columns; those that the sheet does not have are empty."""
    head, *rows = _rows(sheet)
    # What a row does not have stands behind its end.
    places = {name: place for place, name in enumerate(head)}
    order = [places.get(name, len(head)) for name in columns]
    wide = ([*row, ""] for row in rows)
    return csv_text([row[place] for place in order] for row in wide)


def _rows(sheet: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(sheet, newline=""))
