"""Attributes of cities: three facts are looked up, and one of them is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random

from mibench.tasks.causal.model import CausalModel, Variable
from mibench.tasks.encode import TextEncoder
from mibench.tasks.interchange import Setting
from mibench.tasks.known.changes import redrawn, until
from mibench.tasks.known.cities import ATTRIBUTES, CITIES, FACTS, NAMES, fact, facts_of
from mibench.tasks.known.places import word
from mibench.tasks.known.program import BOS, Program
from mibench.tasks.pairs import Pair
from mibench.tasks.positions import last
from mibench.tasks.task import LeftOut, task
from mibench.tasks.variable_task import Parts, variable_task

VERBS = ("left", "leaves", "skipped", "skips")
_FIXED = ("for", "its", "is")


def _draw(random: Random) -> Setting:
    other, entity = random.sample(list(CITIES), 2)
    return {
        "name": random.choice(NAMES),
        "verb": random.choice(VERBS),
        "other": other,
        "entity": entity,
        "queried_attribute": random.choice(ATTRIBUTES),
    }


def _say(setting: Setting) -> str:
    return "{name} {verb} {other} for {entity} its {queried_attribute} is".format(**setting)


def _fact(attribute: str) -> Callable[[str], str]:
    return lambda city: fact(city, attribute)


def _answer(country: str, continent: str, language: str, queried: str) -> str:
    return (country, continent, language)[ATTRIBUTES.index(queried)]


def _differ(base: Setting, other: Setting) -> bool:
    return PROGRAM.answer(base) != PROGRAM.answer(other)


def _city(random: Random, base: Setting) -> Setting:
    return {**base, "entity": random.choice([city for city in CITIES if city not in (base["entity"], base["other"])])}


def _attribute(random: Random, base: Setting) -> Setting:
    others = [attribute for attribute in ATTRIBUTES if attribute != base["queried_attribute"]]
    return {**base, "queried_attribute": random.choice(others)}


PROGRAM = Program(
    name="siit-ravel",
    words=(BOS, *NAMES, *VERBS, *_FIXED, *ATTRIBUTES, *CITIES, *FACTS),
    causal=CausalModel(
        "trained attributes",
        (
            *(Variable(name, doc="Nothing depends on it.") for name in ("name", "verb", "other")),
            Variable("entity", domain=tuple(CITIES), doc="The city that is meant."),
            Variable("queried_attribute", domain=ATTRIBUTES, doc="What is asked for."),
            *(
                Variable(one, ("entity",), _fact(one), facts_of(one), f"{one.title()} of the city.")
                for one in ATTRIBUTES
            ),
            Variable("answer", (*ATTRIBUTES, "queried_attribute"), _answer, FACTS, "The fact that is asked for."),
        ),
        output="answer",
    ),
    draw=_draw,
    say=_say,
    sets={"random": until(redrawn(_draw), _differ), "city": _city, "attribute": _attribute},
    positions=(word("entity", 4), word("attribute", 6), last()),
    variables=ATTRIBUTES,
    sizes={one: len(facts_of(one)) for one in ATTRIBUTES},
)


@task(
    name="siit-ravel",
    version=1,
    track="circuit",
    citation="Huang et al. 2024, arXiv:2402.17700 (task); Gupta et al. 2024, arXiv:2407.14494 (trained mechanism)",
    licence="Apache-2.0",
    counterfactual="random",
    metric="logit_diff",
    notes="Prompts of a model whose mechanism is known; not for other models. All words are redrawn.",
)
def ravel_random(split: str, encoder: TextEncoder | None) -> Iterable[Pair | LeftOut]:
    """Trained attributes: country, continent or language of a city; all words change."""
    return PROGRAM.pairs("random")(split, encoder)


@variable_task(
    name="siit-ravel",
    version=1,
    variables=("country", "continent", "language"),
    citation="Huang et al. 2024, arXiv:2402.17700 (task); Gupta et al. 2024, arXiv:2407.14494 (trained mechanism)",
    licence="Apache-2.0",
    notes="Prompts of a model whose mechanism is known; not for other models. In a third of the rows the base asks for "
    "the variable (cause), in two thirds for another attribute (isolate); in the set attribute an interchange changes "
    "nothing.",
)
def ravel_variables() -> Parts:
    """Trained attributes: country, continent and language of a city."""
    return PROGRAM.parts()
