"""Two hops: where a person is, and what is so there."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from mibench.tasks.causal.model import CausalModel, Variable
from mibench.tasks.encode import TextEncoder
from mibench.tasks.interchange import Setting
from mibench.tasks.known.changes import redrawn, until
from mibench.tasks.known.cities import ATTRIBUTES, CITIES, FACTS, NAMES, fact
from mibench.tasks.known.places import numbered, word
from mibench.tasks.known.program import BOS, Program
from mibench.tasks.pairs import Pair
from mibench.tasks.positions import last
from mibench.tasks.task import LeftOut, task
from mibench.tasks.variable_task import Parts, variable_task

_FIXED = ("in", "and", "now")
_PEOPLE = ("name1", "city1", "name2", "city2", "asked")


def _draw(random: Random) -> Setting:
    names, cities = random.sample(NAMES, 2), random.sample(list(CITIES), 2)
    return {
        **numbered("name", tuple(names)),
        **numbered("city", tuple(cities)),
        "asked": random.choice(names),
        "attribute": random.choice(ATTRIBUTES),
    }


def _say(setting: Setting) -> str:
    return "{name1} in {city1} and {name2} in {city2} now {asked} {attribute}".format(**setting)


def _city(name1: str, city1: str, name2: str, city2: str, asked: str) -> str:
    """Return the city of the person asked about; nothing for a stranger."""
    return {name1: city1, name2: city2}.get(asked, "")


def _differ(base: Setting, other: Setting) -> bool:
    return PROGRAM.answer(base) != PROGRAM.answer(other)


def _asked(_random: Random, base: Setting) -> Setting:
    return {**base, "asked": base["name2"] if base["asked"] == base["name1"] else base["name1"]}


def _cities(random: Random, base: Setting) -> Setting:
    city1, city2 = random.sample(list(CITIES), 2)
    return {**base, "city1": city1, "city2": city2}


def _attribute(random: Random, base: Setting) -> Setting:
    return {**base, "attribute": random.choice([one for one in ATTRIBUTES if one != base["attribute"]])}


PROGRAM = Program(
    name="siit-hop",
    words=(BOS, *NAMES, *_FIXED, *ATTRIBUTES, *CITIES, *FACTS),
    causal=CausalModel(
        "trained two hops",
        (
            *(Variable(name, domain=NAMES) for name in ("name1", "name2")),
            *(Variable(name, domain=tuple(CITIES)) for name in ("city1", "city2")),
            Variable("asked", domain=NAMES, doc="The person asked about."),
            Variable("attribute", domain=ATTRIBUTES, doc="What is asked for."),
            Variable("city", _PEOPLE, _city, tuple(CITIES), "Where that person is."),
            Variable("answer", ("city", "attribute"), fact, FACTS, "The fact about that city."),
        ),
        output="answer",
    ),
    draw=_draw,
    say=_say,
    sets={
        "random": until(redrawn(_draw), _differ),
        "asked": _asked,
        "cities": until(_cities, _differ),
        "attribute": _attribute,
    },
    positions=(word("first_city", 2), word("second_city", 6), word("asked", 8), last()),
    variables=("city", "answer"),
    sizes={"city": len(CITIES), "answer": "d/2"},
)


@task(
    name="siit-hop",
    version=1,
    track="circuit",
    citation="Huang et al. 2024, arXiv:2402.17700 (attributes); Wang et al. 2024, arXiv:2405.15071 (two hops); Gupta "
    "et al. 2024, arXiv:2407.14494 (trained mechanism)",
    licence="Apache-2.0",
    counterfactual="random",
    metric="logit_diff",
    notes="Prompts of a model whose mechanism is known; not for other models. All words are redrawn.",
)
def hop_random(split: str, encoder: TextEncoder | None) -> Iterable[Pair | LeftOut]:
    """Trained two hops: a fact about the city where a person is; all words change."""
    return PROGRAM.pairs("random")(split, encoder)


@variable_task(
    name="siit-hop",
    version=1,
    variables=("city", "answer"),
    citation="Huang et al. 2024, arXiv:2402.17700 (attributes); Wang et al. 2024, arXiv:2405.15071 (two hops); Gupta "
    "et al. 2024, arXiv:2407.14494 (trained mechanism)",
    licence="Apache-2.0",
    notes="Prompts of a model whose mechanism is known; not for other models. The sets asked and cities cannot tell "
    "the variables apart; random does.",
)
def hop_variables() -> Parts:
    """Trained two hops: the city where a person is, and the fact about it."""
    return PROGRAM.parts()
