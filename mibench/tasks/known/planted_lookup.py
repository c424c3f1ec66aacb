"""A table: what belongs to an entity and a relation."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from mibench.planted.words import ENTITIES, LOOKUP, LOOKUP_FILLERS, RELATIONS, TABLE, VALUES
from mibench.tasks.causal.model import CausalModel, Variable
from mibench.tasks.encode import TextEncoder
from mibench.tasks.interchange import Setting
from mibench.tasks.known.changes import redrawn, until
from mibench.tasks.known.places import numbered, numbers, word
from mibench.tasks.known.program import Program
from mibench.tasks.pairs import Pair
from mibench.tasks.positions import last
from mibench.tasks.task import LeftOut, task
from mibench.tasks.variable_task import Parts, variable_task

_FILLERS = numbers("filler", 3)


def _draw(random: Random) -> Setting:
    fillers = numbered("filler", tuple(random.choices(LOOKUP_FILLERS, k=3)))
    return {**fillers, "entity": random.choice(ENTITIES), "relation": random.choice(RELATIONS)}


def _say(setting: Setting) -> str:
    return " ".join(setting[name] for name in (*_FILLERS, "entity", "relation"))


def _value(entity: str, relation: str) -> str:
    return VALUES[TABLE[ENTITIES.index(entity)][RELATIONS.index(relation)]]


def _differ(base: Setting, other: Setting) -> bool:
    return _value(base["entity"], base["relation"]) != _value(other["entity"], other["relation"])


def _entity(random: Random, base: Setting) -> Setting:
    return {**base, "entity": random.choice([one for one in ENTITIES if one != base["entity"]])}


def _relation(random: Random, base: Setting) -> Setting:
    return {**base, "relation": random.choice([one for one in RELATIONS if one != base["relation"]])}


PROGRAM = Program(
    name="planted-lookup",
    words=LOOKUP,
    causal=CausalModel(
        "planted lookup",
        (
            *(Variable(name, doc="Nothing depends on it.") for name in _FILLERS),
            Variable("entity", domain=ENTITIES, doc="The word before the last."),
            Variable("relation", domain=RELATIONS, doc="The last word."),
            Variable("answer", ("entity", "relation"), _value, VALUES, "What the table has for both."),
        ),
        output="answer",
    ),
    draw=_draw,
    say=_say,
    sets={"random": until(redrawn(_draw), _differ), "entity": _entity, "relation": _relation},
    positions=(word("entity", 3), last()),
    variables=("entity", "answer"),
    sizes={"entity": len(ENTITIES), "answer": len(VALUES)},
)


@task(
    name="planted-lookup",
    version=1,
    track="circuit",
    citation="Geva et al. 2021, arXiv:2012.14913 (MLPs as memories); Lindner et al. 2023, arXiv:2301.05062 (written "
    "weights)",
    licence="Apache-2.0",
    counterfactual="random",
    metric="logit_diff",
    notes="Prompts of a model whose mechanism is known; not for other models. All words are redrawn.",
)
def lookup_random(split: str, encoder: TextEncoder | None) -> Iterable[Pair | LeftOut]:
    """Planted lookup: the value of an entity and a relation; all words change."""
    return PROGRAM.pairs("random")(split, encoder)


@task(
    name="planted-lookup-entity",
    version=1,
    track="circuit",
    citation="Geva et al. 2021, arXiv:2012.14913 (MLPs as memories); Lindner et al. 2023, arXiv:2301.05062 (written "
    "weights)",
    licence="Apache-2.0",
    counterfactual="entity",
    metric="logit_diff",
    notes="Prompts of a model whose mechanism is known; not for other models. Only the entity is changed.",
)
def lookup_entity(split: str, encoder: TextEncoder | None) -> Iterable[Pair | LeftOut]:
    """Planted lookup: the entity changes."""
    return PROGRAM.pairs("entity")(split, encoder)


@task(
    name="planted-lookup-relation",
    version=1,
    track="circuit",
    citation="Geva et al. 2021, arXiv:2012.14913 (MLPs as memories); Lindner et al. 2023, arXiv:2301.05062 (written "
    "weights)",
    licence="Apache-2.0",
    counterfactual="relation",
    metric="logit_diff",
    notes="Prompts of a model whose mechanism is known; not for other models. Only the relation is changed.",
)
def lookup_relation(split: str, encoder: TextEncoder | None) -> Iterable[Pair | LeftOut]:
    """Planted lookup: the relation changes."""
    return PROGRAM.pairs("relation")(split, encoder)


@variable_task(
    name="planted-lookup",
    version=1,
    variables=("entity", "answer"),
    citation="Geva et al. 2021, arXiv:2012.14913 (MLPs as memories); Lindner et al. 2023, arXiv:2301.05062 (written "
    "weights)",
    licence="Apache-2.0",
    notes="Prompts of a model whose mechanism is known; not for other models. The set entity cannot tell the variables "
    "apart, and in relation an interchange on entity changes nothing.",
)
def lookup_variables() -> Parts:
    """Planted lookup: the entity, and its value."""
    return PROGRAM.parts()
