"""The JSON beside a dictionary's weights: untrusted, so it is small, plain, and read by name and type."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mibench.artifacts.circuit import brief
from mibench.artifacts.dictionaries.checks import MAX_TEXT, refuse
from mibench.core.errors import DataError, UsageError
from mibench.core.files import MIB, read_text

MAX_DEPTH = 24
_LARGEST = 2**62


class Settings:
    """Settings by name. A name that is missing, or null, gives None; one of another type is refused.

    Where several names are asked for, the first that is there counts.

    Args:
        values: What was read.
        source: Name of the file, for messages.
    """

    def __init__(self, values: Mapping[str, Any], source: str) -> None:
        self.values = values
        self.source = source

    def __contains__(self, name: str) -> bool:
        return self.values.get(name) is not None

    def raw(self, *names: str) -> Any:
        """The value as it is."""
        return next((self.values[name] for name in names if name in self), None)

    def text(self, *names: str) -> str | None:
        """A short printable text."""
        value = self.raw(*names)
        if value is not None and not (isinstance(value, str) and len(value) <= MAX_TEXT and value.isprintable()):
            raise self._wrong(names, value, f"a text of at most {MAX_TEXT} printable characters")
        return value

    def count(self, *names: str) -> int | None:
        """A whole number, 0 or larger."""
        value = self.raw(*names)
        if value is not None and not (type(value) is int and 0 <= value <= _LARGEST):
            raise self._wrong(names, value, "a whole number")
        return value

    def number(self, *names: str) -> float | None:
        """A finite number."""
        value = self.raw(*names)
        if value is None:
            return None
        if type(value) not in (int, float) or abs(value) > _LARGEST or not math.isfinite(value):
            raise self._wrong(names, value, "a finite number")
        return float(value)

    def flag(self, *names: str) -> bool | None:
        """True or false."""
        value = self.raw(*names)
        if value is not None and type(value) is not bool:
            raise self._wrong(names, value, "true or false")
        return value

    def counts(self, *names: str) -> tuple[int, ...]:
        """A list of whole numbers; empty where it is missing."""
        value = self.raw(*names)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(type(one) is int and 0 <= one <= _LARGEST for one in value):
            raise self._wrong(names, value, "a list of whole numbers")
        return tuple(value)

    def part(self, *names: str) -> Settings:
        """The settings inside; none where they are missing."""
        value = self.raw(*names)
        if value is not None and not isinstance(value, dict):
            raise self._wrong(names, value, "an object")
        return Settings(value or {}, self.source)

    def kept(self, *names: str) -> dict[str, Any]:
        """Those of these settings that are there, to be kept in a dictionary's meta."""
        return {name: self.values[name] for name in names if name in self}

    def _wrong(self, names: tuple[str, ...], value: object, wanted: str) -> Exception:
        name = next(name for name in names if name in self)
        return refuse(f"'{name}' in {self.source} is {brief(value)}.", f"Make it {wanted}.")


def read_settings(path: Path) -> Settings:
    """Read a JSON object of at most 1 MiB.

    Raises:
        ArtifactError: It is missing, too large, too deep, or not plain JSON.
    """
    try:
        text = read_text(path, max_bytes=MIB)
    except (DataError, UsageError) as error:
        raise refuse(f"{path.name}: {error.why}", error.do) from error
    return Settings(parse_object(text, path.name), path.name)


def parse_object(text: str, source: str) -> dict[str, Any]:
    """Parse one JSON object without NaN, names that come twice, or towers of lists.

    Raises:
        ArtifactError: It is something else.
    """
    try:
        values = json.loads(text, parse_constant=_no_number, object_pairs_hook=_distinct)
    except (ValueError, RecursionError) as error:
        raise refuse(f"{source} is no plain JSON: {error!s:.120}", "Save it again as plain JSON.") from error
    if not isinstance(values, dict):
        raise refuse(f"{source} holds {brief(values)}, not an object.", "Save the settings as one object.")
    if _depth(values) > MAX_DEPTH:
        raise refuse(f"{source} nests more than {MAX_DEPTH} levels.", "Keep it flat.")
    return values


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a name comes twice")
    return values


def _depth(values: object) -> int:
    level, depth = [values], 0
    while level and depth <= MAX_DEPTH:
        depth += 1
        inner = [one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list)]
        level = [item for items in inner for item in items]
    return depth
