"""Read YAML of unknown origin: plain values, written once, of limited size and depth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from mibench.core.errors import DataError
from mibench.core.yaml_text import load_yaml

MAX_EVENTS = 30_000
MAX_DEPTH = 12
MAX_KEYS = 300
MAX_SCALAR = 4000
_DO = "Write plain values as the template of mibench submit init has them."
_PLAIN_TAGS = (None, "!")


def load_strict(text: str, what: str) -> Any:
    """Return the value that ``text`` holds.

    Tags, anchors, merge keys, keys that stand twice and more than one document are refused, before anything is built.

    Args:
        text: The YAML.
        what: Its name in errors.

    Raises:
        DataError: It is not YAML, or asks for more than plain values.
    """
    try:
        _check(text)
        return load_yaml(text)
    except _RefusedError as refused:
        raise DataError(f"{what} cannot be used.", why=str(refused), do=_DO) from refused
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as error:
        why = f"It is not YAML that can be read: {' '.join(str(error).split()):.300}"
        raise DataError(f"{what} cannot be used.", why=why, do=_DO) from error


class _RefusedError(Exception):
    """Says what is not allowed, and in which line."""


def _check(text: str) -> None:
    """Look at the events one by one: nothing is built, so nothing can grow."""
    state = _State()
    events: Iterator[Any] = yaml.parse(text, Loader=yaml.SafeLoader)
    for number, event in enumerate(events):
        line = event.start_mark.line + 1
        if number >= MAX_EVENTS:
            raise _RefusedError(f"It has more than {MAX_EVENTS} values and keys.")
        if isinstance(event, yaml.DocumentStartEvent):
            state.next_document(line)
        elif isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _RefusedError(f"Line {line} has an anchor or alias (& or *).")
        elif getattr(event, "tag", None) not in _PLAIN_TAGS:
            raise _RefusedError(f"Line {line} has the tag {str(event.tag)[:80]}.")
        else:
            state.take(event, line)


class _State:
    """Where in the document the events are: open collections, and the keys of the mappings among them."""

    def __init__(self) -> None:
        self._open: list[_Level] = []
        self._documents = 0

    def next_document(self, line: int) -> None:
        """Count a document."""
        self._documents += 1
        if self._documents > 1:
            raise _RefusedError(f"A second document begins in line {line}.")

    def take(self, event: Any, line: int) -> None:
        """Follow one event."""
        if isinstance(event, yaml.CollectionEndEvent):
            self._open.pop()
        elif isinstance(event, yaml.ScalarEvent):
            self._scalar(event.value, line)
        elif isinstance(event, yaml.CollectionStartEvent):
            if self._open and self._open[-1].takes_key():
                raise _RefusedError(f"Line {line} has a key that is no text.")
            if len(self._open) >= MAX_DEPTH:
                raise _RefusedError(f"Line {line} is more than {MAX_DEPTH} levels deep.")
            self._open.append(_Level(is_mapping=isinstance(event, yaml.MappingStartEvent)))

    def _scalar(self, value: str, line: int) -> None:
        if len(value) > MAX_SCALAR:
            raise _RefusedError(f"Line {line} has a value of {len(value)} characters; the limit is {MAX_SCALAR}.")
        if self._open and self._open[-1].takes_key():
            self._open[-1].key(value, line)


class _Level:
    """One open collection."""

    def __init__(self, *, is_mapping: bool) -> None:
        self._keys: set[str] | None = set() if is_mapping else None
        self._at_key = False

    def takes_key(self) -> bool:
        """Whether what comes next is a key; asked once for each node."""
        if self._keys is None:
            return False
        self._at_key = not self._at_key
        return self._at_key

    def key(self, value: str, line: int) -> None:
        """Take a key."""
        if self._keys is None:
            return
        if value in self._keys:
            raise _RefusedError(f"The key '{value[:80]}' stands twice, again in line {line}.")
        if value == "<<":
            raise _RefusedError(f"Line {line} merges another mapping (<<).")
        if len(self._keys) >= MAX_KEYS:
            raise _RefusedError(f"A mapping has more than {MAX_KEYS} keys, in line {line}.")
        self._keys.add(value)
