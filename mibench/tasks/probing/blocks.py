"""How generated texts are dealt into blocks that share neither a template nor a word to be filled in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from mibench.tasks.probing.labelled import CrossedText, by_hash

BLOCKS = 10
"""Groups of each source; the splits divide them 5 to 2 to 3."""
Blocks = int | tuple[int, ...]
"""A block, from 0, or several whose templates and words are mixed."""


@dataclass(frozen=True)
class Deal:
    """The share of one block, or of several together, in lists of templates and words.

    Attributes:
        source: Name of the source.
        block: Number of the block, or several.
    """

    source: str
    block: Blocks

    def share(self, items: Sequence[str]) -> list[str]:
        """Return, of each block, every tenth item in the order of hashes; other blocks get the others."""
        mine = (self.block,) if isinstance(self.block, int) else self.block
        return [item for place, item in enumerate(by_hash(items, str)) if place % BLOCKS in mine]

    def lines(self, listing: str) -> list[str]:
        """Return this block's share of a listing with one item a line."""
        return self.share(listed(listing))

    def words(self, listing: str) -> list[str]:
        """Return this block's share of a listing with commas."""
        return self.share([item.strip() for item in listing.replace("\n", " ").split(",") if item.strip()])

    def text(self, text: str, **values: str) -> CrossedText:
        """Return a text of this block."""
        return CrossedText(text, f"{self.source}-{self.block}", values)


def listed(listing: str) -> list[str]:
    """Return the lines of a listing."""
    return [line.strip() for line in listing.strip().splitlines()]


def first_of_each(candidates: Iterable[CrossedText], count: int) -> Iterator[CrossedText]:
    """Yield the first ``count`` different texts, by hash, of each combination of values."""
    cells: dict[tuple[str, ...], dict[str, CrossedText]] = defaultdict(dict)
    for one in candidates:
        cells[tuple(one.values.values())].setdefault(one.text, one)
    for cell in sorted(cells):
        yield from by_hash(cells[cell].values(), lambda one: one.text)[:count]


def capital(text: str) -> str:
    """Return ``text`` with a capital first letter."""
    return text[:1].upper() + text[1:]
