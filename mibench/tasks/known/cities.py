"""Cities of the trained programs, with three facts about each."""

from __future__ import annotations

ATTRIBUTES = ("country", "continent", "language")
CITIES = {
    "paris": ("france", "europe", "french"),
    "lyon": ("france", "europe", "french"),
    "berlin": ("germany", "europe", "german"),
    "vienna": ("austria", "europe", "german"),
    "madrid": ("spain", "europe", "spanish"),
    "lima": ("peru", "america", "spanish"),
    "bogota": ("colombia", "america", "spanish"),
    "cairo": ("egypt", "africa", "arabic"),
    "dakar": ("senegal", "africa", "french"),
    "amman": ("jordan", "asia", "arabic"),
    "tokyo": ("japan", "asia", "japanese"),
    "osaka": ("japan", "asia", "japanese"),
}
"""Values of :data:`ATTRIBUTES`, in their order. Continents have several languages, and languages several continents."""
NAMES = ("ann", "ben", "cleo", "dan", "eve", "finn", "gus", "hope")


def fact(city: str, attribute: str) -> str:
    """Return one fact about a city."""
    return CITIES[city][ATTRIBUTES.index(attribute)]


def facts_of(attribute: str) -> tuple[str, ...]:
    """Return the values of one attribute, each once, in the table's order."""
    return tuple(dict.fromkeys(fact(city, attribute) for city in CITIES))


FACTS = tuple(value for attribute in ATTRIBUTES for value in facts_of(attribute))
"""All values, each once."""
