"""What a table gave to each output, so that an unchanged table is neither ranked nor put into words again."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mibench.core.hashing import digest
from mibench.leaderboard.shelf import read_kept, write_kept


class Memory:
    """Remembers nothing."""

    @property
    def records(self) -> Memory:
        """What the records of the table gave by themselves."""
        return self

    def recall(self, name: str, make: Callable[[], str], *given: Any) -> str:
        """Return what ``make`` gives, or gave before.

        Args:
            name: Which of the table's texts it is.
            make: Makes it, from the table and ``given`` alone.
            given: What it depends on besides the table, as for JSON.
        """
        del name, given
        return make()

    def save(self) -> None:
        """Write down what is new."""

    def recall_json(self, name: str, make: Callable[[], Any], *given: Any) -> Any:
        """Return a value that JSON can hold, likewise; mappings have texts as keys."""
        return json.loads(self.recall(name, lambda: json.dumps(make(), ensure_ascii=False), *given))


@dataclass
class _Place:
    """Digest of what a text was made from besides the table, and where it stands, or the text itself."""

    given: str
    start: int
    stop: int
    text: str | None = None


class KeptMemory(Memory):
    """Remembers the texts of one table in a file.

    Args:
        path: The file; its name is to be a digest of everything that the table depends on.
        records: Memory of what its records gave by themselves.
        only: Names that are not forgotten; None: all.
    """

    def __init__(self, path: Path, records: Memory | None = None, only: Collection[str] | None = None) -> None:
        self._path, self._records, self._only = path, records or Memory(), only
        self._changed = False

    @property
    def records(self) -> Memory:
        """What the records of the table gave by themselves."""
        return self._records

    @cached_property
    def _opened(self) -> tuple[bytes, dict[str, _Place]]:
        texts, places = _opened(read_kept(self._path))
        return texts, {name: place for name, place in places.items() if self._only is None or name in self._only}

    @property
    def _places(self) -> dict[str, _Place]:
        return self._opened[1]

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def recall(self, name: str, make: Callable[[], str], *given: Any) -> str:
        """Return what ``make`` gives, or gave before."""
        key = digest(given)
        known = self._places.get(name)
        if known is not None and known.given == key:
            return self._text(known)
        made = make()
        self._places[name] = _Place(key, 0, 0, made)
        self._changed = True
        return made

    def save(self) -> None:
        """Write down what is new, and take no more room until it is asked again."""
        if self._changed:
            self._write()
        self.__dict__.pop("_opened", None)

    def _write(self) -> None:
        texts = {name: self._bytes(place) for name, place in self._places.items()}
        places, start = {}, 0
        for name, text in texts.items():
            places[name] = [self._places[name].given, start, start + len(text)]
            start += len(text)
        write_kept(self._path, b"\n".join((json.dumps(places).encode(), b"".join(texts.values()))))
        self._changed = False

    def _text(self, place: _Place) -> str:
        return self._bytes(place).decode() if place.text is None else place.text

    def _bytes(self, place: _Place) -> bytes:
        return self._opened[0][place.start : place.stop] if place.text is None else place.text.encode()


def _opened(content: bytes | None) -> tuple[bytes, dict[str, _Place]]:
    head, _, texts = (content or b"{}\n").partition(b"\n")
    try:
        return texts, {name: _Place(*told) for name, told in json.loads(head).items()}
    except (ValueError, TypeError, AttributeError, RecursionError):
        return b"", {}
