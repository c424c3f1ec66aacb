"""Data sets of MIB's schema: from the hub at a pinned revision, or from a local folder of JSON lines."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

from mibench.core.errors import DataError, MibenchError
from mibench.core.files import read_text
from mibench.tasks.fields import Row
from mibench.tasks.private.overlay import forget_on_change, overlay_file

_MAX_BYTES = 512 * 1024 * 1024
_T = TypeVar("_T")


@dataclass(frozen=True)
class HubData:
    """Where the rows of a ``mib/…`` task are.

    Attributes:
        task: Name of the task; its local folder is named by an environment variable made of it.
        hub_id: Repository of the data set.
        revision: Full commit hash as third parties cite it, not verified against the hub; None: not known, the
            hub's ``main`` is taken. The digest of the pairs is part of every cell, so numbers never mix.
        config: Configuration of the data set, where it has several.
        like: Task that needs no download, named when the data cannot be had.
    """

    task: str
    hub_id: str
    revision: str | None
    like: str
    config: str | None = None

    @property
    def local_copy(self) -> str:
        """Environment variable that names a folder with train.jsonl, validation.jsonl and test.jsonl."""
        return "MIBENCH_" + re.sub(r"\W", "_", self.task).upper()

    def rows(self, split: str, parse: Callable[[Row, str], _T]) -> tuple[_T, ...]:
        """Return all rows of a split, parsed; they are read once. Private test rows go before a local copy.

        Args:
            split: Name of the split.
            parse: Turns a row, and the words for where it stands, into what the task needs.

        Raises:
            DataError: The data is not there, or is not in the hub's schema.
        """
        private = overlay_file(*self.task.split("/"), "test.jsonl") if split == "test" else None
        folder = os.environ.get(self.local_copy) if private is None else str(private.parent)
        return _rows(self, split, folder, parse)

    def read(self, split: str, folder: str | None) -> Iterator[tuple[str, Row]]:
        """Yield where each row stands, and the row; from ``folder``, or from the hub where it is None."""
        source = self.hub_id if folder is None else folder
        try:
            found = _local(Path(folder) / f"{split}.jsonl") if folder else load_hub(self, split)
            for index, row in enumerate(found):
                yield f"{source}, {split}, row {index}", row
        except Exception as error:  # the client raises whatever its layers raise
            why = f"{type(error).__name__}: {str(error)[:300]}"
            if isinstance(error, MibenchError):
                why = f"{error.what} {error.why}"
            raise DataError(f"The split '{split}' of {source} cannot be loaded.", why=why, do=self._advice()) from error

    def _advice(self) -> str:
        online = "Unset HF_HUB_OFFLINE" if os.environ.get("HF_HUB_OFFLINE") else "Connect to the internet"
        return (
            f"{online} once to fill the cache, or set {self.local_copy} to a folder with train.jsonl, validation.jsonl "
            f"and test.jsonl in the schema of {self.hub_id}. The task '{self.like}' needs no download."
        )


@cache
def _rows(data: HubData, split: str, folder: str | None, parse: Callable[[Row, str], _T]) -> tuple[_T, ...]:
    return tuple(parse(row, where) for where, row in data.read(split, folder))


forget_on_change(_rows.cache_clear)


def load_hub(data: HubData, split: str) -> Iterable[Row]:
    """Return the rows of a split from the hub, or from its cache on this machine."""
    from datasets import load_dataset

    loaded: Iterable[Row] = load_dataset(data.hub_id, name=data.config, split=split, revision=data.revision)
    return loaded


def _local(path: Path) -> Iterator[Row]:
    # Not splitlines: JSON text may hold other line separators as they are.
    for number, line in enumerate(read_text(path, max_bytes=_MAX_BYTES).split("\n"), start=1):
        if not line.strip():
            continue
        row = json.loads(line)
        if not isinstance(row, dict):
            raise TypeError(f"line {number} is not an object")
        yield row
