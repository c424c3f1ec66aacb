"""What a labelled set is: short texts, one label each, in groups that no split divides."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

from mibench.core.errors import DataError
from mibench.core.hashing import digest

_T = TypeVar("_T")


@dataclass(frozen=True)
class LabelledText:
    """A text and whether the concept applies to it.

    Attributes:
        text: The text.
        label: Whether it has what the set is about.
        group: Source document, entity or template: rows of one group are in one split.
    """

    text: str
    label: bool
    group: str


@dataclass(frozen=True)
class LabelledSet:
    """Texts with a binary label.

    Attributes:
        name: Name of the set.
        source: Family of data that it comes from; sets of one family are not independent.
        rows: The texts, each once.
        licence: Of the texts.
    """

    name: str
    source: str
    rows: tuple[LabelledText, ...]
    licence: str

    def __post_init__(self) -> None:
        texts = Counter(row.text for row in self.rows)
        twice = next((text for text, times in texts.items() if times > 1), None)
        if twice is not None:
            raise _unusable(self.name, f"It has a text twice: {twice[:60]!r}.")
        if any(not row.text.strip() for row in self.rows):
            raise _unusable(self.name, "It has an empty text.")
        if len({row.label for row in self.rows}) < 2:
            raise _unusable(self.name, "Its rows do not have both labels.")

    @cached_property
    def digest(self) -> str:
        """sha256 of name, source and rows."""
        return digest([self.name, self.source, [[row.text, row.label, row.group] for row in self.rows]])

    def first(self, n: int) -> LabelledSet:
        """Return at most ``n`` rows, as many of one label as of the other, spread evenly over the groups.

        The order is that of hashes, so that fewer are a part of more. At least one row of each label is kept.
        """
        parts = [spread([row for row in self.rows if row.label is label]) for label in (True, False)]
        each = min(max(1, n // 2), *(len(part) for part in parts))
        kept = {row for part in parts for row in part[:each]}
        return replace(self, rows=tuple(row for row in self.rows if row in kept))


@dataclass(frozen=True)
class CrossedText:
    """A text with several properties.

    Attributes:
        text: The text.
        group: Rows of one group are in one split.
        values: Properties by name, such as ``{"topic": "book", "sentiment": "positive"}``.
    """

    text: str
    group: str
    values: Mapping[str, str]


def spread(rows: Sequence[LabelledText]) -> list[LabelledText]:
    """Order rows by hash such that groups take turns."""
    by_group: dict[str, list[LabelledText]] = defaultdict(list)
    for row in by_hash(rows, lambda row: row.text):
        by_group[row.group].append(row)
    return in_turns(list(by_group.values()))


def in_turns(parts: Sequence[Sequence[_T]]) -> list[_T]:
    """Take one item of each list in turn until all are used."""
    longest = max((len(part) for part in parts), default=0)
    return [part[index] for index in range(longest) for part in parts if index < len(part)]


def by_hash(items: Iterable[_T], text: Callable[[_T], str]) -> list[_T]:
    """Order items by the sha256 of their text."""
    return sorted(items, key=lambda item: digest(text(item)))


def _unusable(name: str, why: str) -> DataError:
    return DataError(f"The labelled set '{name[:100]}' cannot be used.", why=why, do="Use another set.")
