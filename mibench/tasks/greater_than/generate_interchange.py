"""Generate greater-than for the variable track.

``python -m mibench.tasks.greater_than.generate_interchange --out data/greater-than-interchange``
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mibench.tasks.generate import Draws, Recipe, main
from mibench.tasks.greater_than.generate import CENTURIES, NOUNS, TEMPLATE

FIRST, LAST = 11, 88
"""Years of the century that a row starts with; a base starts before the last of these decades."""


@dataclass(frozen=True)
class Sentence:
    """A sentence up to the century of its second year.

    Attributes:
        noun: What lasted.
        century: First two digits of both years.
        start: Last two digits of the first year.
    """

    noun: str
    century: int
    start: int

    def record(self) -> dict[str, Any]:
        """Return the prompt and what it is made of."""
        year = f"{self.century}{self.start:02d}"
        prompt = TEMPLATE.format(noun=self.noun, start=year, century=self.century)
        return {"noun": self.noun, "century": self.century, "prompt": prompt, "start": self.start}


@dataclass(frozen=True)
class YearsScene:
    """What one row is made of.

    Attributes:
        base: The base sentence.
        sources: One sentence for each counterfactual set.
    """

    base: Sentence
    sources: Mapping[str, Sentence]

    @property
    def groups(self) -> list[Any]:
        """Noun and century of every sentence."""
        return [[one.noun, one.century] for one in (self.base, *self.sources.values())]

    def row(self) -> dict[str, Any]:
        """Return the row."""
        sources = {f"{name}_counterfactual": one.record() for name, one in self.sources.items()}
        return {"template": TEMPLATE} | self.base.record() | sources


def draw(draws: Draws, _index: int) -> YearsScene:
    """Draw a base, a later decade in the same and in another sentence, and another year of the same decade."""
    noun, century = draws.one(NOUNS), draws.one(CENTURIES)
    base = Sentence(noun, century, draws.between(FIRST, LAST - LAST % 10 - 1))
    noun_there = draws.one([one for one in NOUNS if one != noun])
    century_there = draws.one([one for one in CENTURIES if one != century])
    later, there = (draws.between(base.start - base.start % 10 + 10, LAST) for _ in range(2))
    decade, year = divmod(base.start, 10)
    near = decade * 10 + draws.one([one for one in range(10) if one != year])
    sources = {
        "later": Sentence(noun, century, later),
        "later_elsewhere": Sentence(noun_there, century_there, there),
        "same_decade": Sentence(noun, century, near),
    }
    return YearsScene(base, sources)


RECIPE = Recipe("greater-than-interchange", seed=20269, sizes=(200, 100, 100), draw=draw)

if __name__ == "__main__":
    main(RECIPE)
