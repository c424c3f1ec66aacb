"""The labelled texts that come with mibench, and the binary sets that are made of them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from mibench.core.errors import DataError
from mibench.core.names import unknown
from mibench.tasks.fields import Row, text
from mibench.tasks.probing.labelled import CrossedText, LabelledSet, LabelledText, by_hash, in_turns
from mibench.tasks.shipped import shipped_rows

FOLDER = "sae-probing"
_LICENCES = {"cities": "CC-BY-4.0"}
_LICENCE = "Apache-2.0"


@dataclass(frozen=True)
class Concept:
    """What a binary set asks.

    Attributes:
        source: File of texts.
        attribute: Column that decides.
        positive: Values of texts that have it; all others have not.
    """

    source: str
    attribute: str
    positive: tuple[str, ...]


SETS: dict[str, Concept] = {
    "bio-gender": Concept("bios", "gender", ("female",)),
    "bio-nurse": Concept("bios", "profession", ("nurse",)),
    "city-europe": Concept("cities", "continent", ("Europe",)),
    "code-javascript": Concept("code", "language", ("javascript",)),
    "code-python": Concept("code", "language", ("python",)),
    "grammar-negative": Concept("grammar", "polarity", ("negative",)),
    "grammar-past": Concept("grammar", "tense", ("past",)),
    "grammar-plural": Concept("grammar", "number", ("plural",)),
    "grammar-question": Concept("grammar", "mood", ("question",)),
    "language-romance": Concept("languages", "language", ("french", "spanish")),
    "noun-animal": Concept("nouns", "kind", ("animal",)),
    "noun-food": Concept("nouns", "kind", ("food",)),
    "person-musician": Concept("people", "field", ("musician",)),
    "person-scientist": Concept("people", "field", ("scientist",)),
    "review-restaurant": Concept("reviews", "topic", ("restaurant",)),
    "review-sentiment": Concept("reviews", "sentiment", ("positive",)),
}


def crossed_texts(source: str) -> tuple[CrossedText, ...]:
    """Return the texts of a source with all their properties; a private file has the public train texts too.

    Raises:
        DataError: The file is missing or was changed.
    """
    return shipped_rows(FOLDER, source, _parse, replaced=True)


def shipped_set(name: str) -> LabelledSet:
    """Return a binary set, in every group as many texts with as without the concept.

    Raises:
        UsageError: There is no set of that name.
        DataError: The file is missing or was changed.
    """
    if name not in SETS:
        raise unknown("labelled set", name, SETS)
    concept = SETS[name]
    groups: dict[str, list[CrossedText]] = defaultdict(list)
    for one in crossed_texts(concept.source):
        if concept.attribute not in one.values:
            raise DataError(
                f"The texts '{concept.source}' have no column {concept.attribute}.",
                why=f"The set '{name}' is made of it.",
                do="Install mibench again.",
            )
        groups[one.group].append(one)
    rows = tuple(row for group in sorted(groups) for row in _balanced(groups[group], concept))
    return LabelledSet(name, concept.source, rows, _LICENCES.get(concept.source, _LICENCE))


def _balanced(texts: list[CrossedText], concept: Concept) -> list[LabelledText]:
    by_value: dict[str, list[CrossedText]] = defaultdict(list)
    for one in by_hash(texts, lambda one: one.text):
        by_value[one.values[concept.attribute]].append(one)
    positive = in_turns([part for value, part in sorted(by_value.items()) if value in concept.positive])
    negative = in_turns([part for value, part in sorted(by_value.items()) if value not in concept.positive])
    few = min(len(positive), len(negative))
    pairs = zip(positive[:few], negative[:few], strict=True)
    return [LabelledText(one.text, one is yes, one.group) for yes, no in pairs for one in (yes, no)]


def _parse(row: Row, where: str) -> CrossedText:
    values = {name: text(row, name, where) for name in row if name not in {"text", "group"}}
    return CrossedText(text(row, "text", where), text(row, "group", where), values)
