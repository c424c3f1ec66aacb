"""Rows about cities: their schema (MIB's), their causal model, and where the city stands in a prompt."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mibench.tasks.causal.model import CausalModel, Variable
from mibench.tasks.encode import TextEncoder
from mibench.tasks.fields import Row, bad_field, field, text
from mibench.tasks.interchange import InterchangeRow, Setting
from mibench.tasks.positions import Position, Span, last
from mibench.tasks.ravel.words import ATTRIBUTES, SLOT, City
from mibench.tasks.select import NO_COUNTERFACTUAL
from mibench.tasks.variable_parts import LeftOutOfSet

_SLOTS = (SLOT, "%s", "{city}")


@dataclass(frozen=True)
class CityPrompt:
    """A sentence about a city.

    Attributes:
        prompt: Its text.
        template: The text with a slot for the city.
        attribute: What it asks for; ``""``: nothing.
        city: The city and its facts.
    """

    prompt: str
    template: str
    attribute: str
    city: City

    @property
    def setting(self) -> Setting:
        """Inputs of the causal model."""
        return {"entity": tuple(self.city), "template": self.template, "queried_attribute": self.attribute}


@dataclass(frozen=True)
class RavelRow:
    """What a row says.

    Attributes:
        base: The sentence.
        sources: Sentence of each counterfactual, by its name without ``_counterfactual``.
    """

    base: CityPrompt
    sources: Mapping[str, CityPrompt]


def row_parser(sets: Sequence[str]) -> Callable[[Row, str], RavelRow]:
    """Return a parser of rows of the hub's schema that reads the counterfactuals of ``sets``, where they are."""

    def parse(row: Row, where: str) -> RavelRow:
        columns = {name: f"{name}_counterfactual" for name in sets}
        present = {name: column for name, column in columns.items() if field(row, f"{column}.prompt") is not None}
        return RavelRow(_prompt(row, "", where), {name: _prompt(row, f"{c}.", where) for name, c in present.items()})

    return parse


def _prompt(row: Row, record: str, where: str) -> CityPrompt:
    attribute = field(row, f"{record}attribute")
    facts = [field(row, f"{record}{name}") for name in ATTRIBUTES]
    for name, fact in zip(ATTRIBUTES, facts, strict=True):
        if not isinstance(fact, str) or (name == attribute and not fact.strip()):
            raise bad_field(f"{record}{name}", where, "It is missing or is not text.")
    return CityPrompt(
        prompt=text(row, f"{record}prompt", where),
        template=text(row, f"{record}template", where),
        attribute=attribute if attribute in ATTRIBUTES else "",
        city=City(text(row, f"{record}entity", where), *facts),
    )


def interchanges(
    rows: Iterable[RavelRow],
    sets: Sequence[str],
    encoder: TextEncoder | None,  # noqa: ARG001
) -> Iterator[InterchangeRow | LeftOutOfSet]:
    """Yield the rows of every set, mixed; ids are the rows' positions.

    Rows whose base asks for nothing are left out: no interchange could change an answer that is not there.
    """
    for position, row in enumerate(rows):
        for name in sets:
            source = row.sources.get(name)
            if source is None:
                yield LeftOutOfSet(NO_COUNTERFACTUAL.reason, name)
            elif not row.base.attribute:
                yield LeftOutOfSet("a base prompt that asks for nothing", name)
            else:
                base, other = row.base, source
                yield InterchangeRow(str(position), name, base.setting, other.setting, base.prompt, other.prompt)


def causal_model(name: str) -> CausalModel:
    """Return the model: three facts are looked up for the city, and the one that is asked for is the answer."""
    facts = tuple(
        Variable(attribute, ("entity",), _fact(place), doc=f"{attribute} of the city, from the table")
        for place, attribute in enumerate(ATTRIBUTES, start=1)
    )
    return CausalModel(
        name,
        (
            Variable("entity", doc="the city, with its line of the table"),
            Variable("template", doc="the sentence around it"),
            Variable("queried_attribute", doc="what the sentence asks for"),
            *facts,
            Variable("answer", (*ATTRIBUTES, "queried_attribute"), _answer, doc="the fact that is asked for"),
            Variable("raw_output", ("answer",), lambda answer: answer and f" {answer}", doc="as the text goes on"),
        ),
    )


def _fact(place: int) -> Callable[[Sequence[str]], str]:
    return lambda entity: entity[place]


def _answer(country: str, continent: str, language: str, queried: str) -> str:
    return dict(zip(ATTRIBUTES, (country, continent, language), strict=True)).get(queried, "")


def entity_span(setting: Setting, prompt: str) -> Span | None:
    """Return where the city stands: in the template's slot, or the last time that the prompt names it.

    An example earlier in the prompt may name the same city, so the first place would be wrong.
    """
    name, template = setting["entity"][0], setting["template"]
    for slot in _SLOTS:
        start = template.find(slot)
        if start >= 0 and template.replace(slot, name) == prompt:
            start = template.rfind(slot) + (len(name) - len(slot)) * (template.count(slot) - 1)
            return start, start + len(name)
    found = list(re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", prompt))
    return found[-1].span() if found else None


POSITIONS = (
    Position("entity_last", entity_span, aliases=("entity_last_token",)),
    Position("entity_next", entity_span, offset=1),
    last(),
)
"""Last token of the city, the token after it, and the prompt's last token; none reads the answer."""


def group(row: InterchangeRow) -> Mapping[str, str]:
    """Return city, template and question of the base, and city of the source."""
    return {
        "entity": row.base["entity"][0],
        "template": row.base["template"],
        "queried_attribute": row.base["queried_attribute"],
        "source_entity": row.source["entity"][0],
    }
