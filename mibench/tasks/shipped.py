"""Data that comes with mibench, checked against its digests before use."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from mibench.core.errors import DataError
from mibench.core.files import read_text
from mibench.core.shipped import DIGESTS_FILE, REPAIR, checked_file, shipped_places
from mibench.tasks.fields import Row
from mibench.tasks.private.overlay import forget_on_change, overlay_file

_MAX_BYTES = 64 * 1024 * 1024
_T = TypeVar("_T")


def data_folder(name: str) -> Path:
    """Return the folder of shipped data called ``name``.

    An installed wheel has it inside the package (``mibench/data``), a checkout beside it (``data``).

    Raises:
        DataError: Neither is there.
    """
    places = shipped_places("data", name)
    for folder in places:
        if (folder / DIGESTS_FILE).is_file():
            return folder
    why = " and ".join(str(place) for place in places) + " have no digests.json."
    raise DataError(f"The data of '{name}' is not installed.", why=why, do=REPAIR)


def read_rows(folder: Path, file: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield where each row of a shipped file stands, and the row.

    Raises:
        DataError: The file is not the one that its digest names, or a line of it is no row.
    """
    path = checked_file(folder, file)
    # Not splitlines: JSON text may hold other line separators as they are.
    lines = read_text(path, max_bytes=_MAX_BYTES).removesuffix("\n").split("\n")
    for number, line in enumerate(lines, start=1):
        where = f"{path}, line {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where} cannot be read.", why=f"It is no JSON: {error!s:.200}", do=REPAIR) from error
        if not isinstance(row, dict):
            raise DataError(f"{where} cannot be read.", why="It is no object.", do=REPAIR)
        yield where, row


@cache
def shipped_rows(
    name: str, split: str, parse: Callable[[Row, str], _T], *, replaced: bool | None = None
) -> tuple[_T, ...]:
    """Return all rows of a shipped split, parsed; they are read once.

    Args:
        name: Name of the data.
        split: Name of the split; of labelled texts, of their source.
        parse: Turns a row, and the words for where it stands, into what the task needs.
        replaced: Whether private rows take its place where they are in use; None: if it is the test split.

    Raises:
        DataError: The file is missing or was changed.
    """
    file = f"{split}.jsonl"
    private = overlay_file(name, file) if replaced or (replaced is None and split == "test") else None
    folder = data_folder(name) if private is None else private.parent
    return tuple(parse(row, where) for where, row in read_rows(folder, file))


forget_on_change(shipped_rows.cache_clear)
