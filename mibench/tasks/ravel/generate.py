"""Generate the set of cities: ``python -m mibench.tasks.ravel.generate --out data/ravel``."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from typing import Any

from mibench.tasks.generate import Draws, Recipe, Scene, main
from mibench.tasks.ravel.words import ATTRIBUTES, CITIES, SLOT, TEMPLATES, City

_DEALT = ("train", "train", "validation", "test")


@dataclass(frozen=True)
class Sentence:
    """A city in a template.

    Attributes:
        template: Sentence with a slot for the city.
        attribute: What it asks for; ``""``: nothing.
        city: The city.
    """

    template: str
    attribute: str
    city: City

    def record(self) -> dict[str, Any]:
        """Return it in the schema of mib-bench/ravel."""
        facts = dict(zip(ATTRIBUTES, self.city[1:], strict=True))
        prompt = self.template.replace(SLOT, self.city.name)
        return {
            "template": self.template,
            "prompt": prompt,
            "entity": self.city.name,
            "attribute": self.attribute,
            **facts,
        }


@dataclass(frozen=True)
class RavelScene:
    """What one row is made of.

    Attributes:
        base: A question about a city.
        attribute: A question about another city that has another country, continent and language.
        neutral: A sentence about a third one, as different from the first, that asks for nothing.
    """

    base: Sentence
    attribute: Sentence
    neutral: Sentence

    @property
    def groups(self) -> list[Any]:
        """Its cities and its templates."""
        return [part for one in (self.base, self.attribute, self.neutral) for part in (one.city.name, one.template)]

    def row(self) -> dict[str, Any]:
        """Return the row in the schema of mib-bench/ravel."""
        return {
            **self.base.record(),
            "attribute_counterfactual": self.attribute.record(),
            "neutral_counterfactual": self.neutral.record(),
        }


@cache
def cities(split: str) -> dict[str, tuple[City, ...]]:
    """Return the cities of a split by country; those of each country are dealt out in the order of their hashes."""
    by_country: dict[str, list[City]] = defaultdict(list)
    for city in sorted(CITIES, key=lambda city: _number(city.name)):
        by_country[city.country].append(city)
    dealt: dict[str, tuple[City, ...]] = {}
    for country, found in by_country.items():
        start = _number(country)
        mine = tuple(city for turn, city in enumerate(found, start) if _DEALT[turn % len(_DEALT)] == split)
        dealt |= {country: mine} if mine else {}
    return dealt


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


def draw(draws: Draws, index: int, split: str) -> RavelScene:
    """Draw a scene of a split; what is asked goes round, so each attribute is asked in a third of the rows."""
    base = _city(draws, split)
    return RavelScene(
        base=_sentence(draws, split, ATTRIBUTES[index % len(ATTRIBUTES)], base),
        attribute=_sentence(draws, split, draws.one(ATTRIBUTES), _other(draws, split, base)),
        neutral=_sentence(draws, split, "", _other(draws, split, base)),
    )


def _sentence(draws: Draws, split: str, attribute: str, city: City) -> Sentence:
    return Sentence(draws.one(TEMPLATES[split][attribute]), attribute, city)


def _city(draws: Draws, split: str) -> City:
    """Draw a country, then one of its cities: no country is in many rows because it has many cities."""
    return draws.one(draws.one(list(cities(split).values())))


def _other(draws: Draws, split: str, city: City) -> City:
    """Draw a city that shares no fact with ``city``: a swap of any attribute changes its value."""
    while True:
        other = _city(draws, split)
        if not set(other) & set(city):
            return other


@dataclass(frozen=True)
class SplitRecipe(Recipe):
    """A recipe whose splits have words of their own, so that a scene needs no sorting into one."""

    def rows(self, split: str, n: int | None = None) -> list[dict[str, Any]]:
        """Return the first ``n`` rows of a split (None: all that are shipped); no base prompt comes twice."""
        wanted = self.rows_of[split] if n is None else n
        draws = Draws(f"mibench-{self.name}/{self.seed}/{split}")
        found: dict[str, dict[str, Any]] = {}
        while len(found) < wanted:
            row = draw(draws, len(found), split).row()
            found.setdefault(row["prompt"], row)
        return list(found.values())


def draw_train(draws: Draws, index: int) -> Scene:
    """Draw a scene of the train split."""
    return draw(draws, index, "train")


RECIPE = SplitRecipe("ravel", seed=20266, sizes=(198, 99, 99), draw=draw_train)

if __name__ == "__main__":
    main(RECIPE)
