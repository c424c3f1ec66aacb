"""Induction: what followed the last word when it was said before."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from mibench.planted.words import INDUCTION, INDUCTION_LENGTH, LETTERS
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

_LETTERS = numbers("letter", INDUCTION_LENGTH)


def _draw(random: Random) -> Setting:
    letters = random.sample(LETTERS, INDUCTION_LENGTH)
    return {**numbered("letter", tuple(letters)), "query": random.choice(letters[:-1])}


def _said(setting: Setting) -> list[str]:
    return [setting[name] for name in _LETTERS]


def _say(setting: Setting) -> str:
    return " ".join([*_said(setting), setting["query"]])


def _after(*letters: str) -> str:
    """Return the letter after the query's first place; nothing where it has none."""
    *said, query = letters
    return said[said.index(query) + 1] if query in said[:-1] else ""


def _place(setting: Setting) -> int:
    return _said(setting).index(setting["query"])


def _answer(setting: Setting) -> str:
    return _after(*_said(setting), setting["query"])


def _query(random: Random, base: Setting) -> Setting:
    others = [letter for letter in _said(base)[:-1] if letter != base["query"]]
    return {**base, "query": random.choice(others)}


def _successor(random: Random, base: Setting) -> Setting:
    unused = [letter for letter in LETTERS if letter not in _said(base)]
    return {**base, _LETTERS[_place(base) + 1]: random.choice(unused)}


def _asks_what_the_base_has(base: Setting, other: Setting) -> bool:
    known = other["query"] != base["query"] and other["query"] in _said(base)[:-1]
    return known and _answer(base) != _answer(other)


PROGRAM = Program(
    name="planted-induction",
    words=INDUCTION,
    causal=CausalModel(
        "planted induction",
        (
            *(Variable(name, domain=LETTERS) for name in _LETTERS),
            Variable("query", domain=LETTERS, doc="The last word."),
            Variable("answer", (*_LETTERS, "query"), _after, LETTERS, "What followed it before."),
        ),
        output="answer",
    ),
    draw=_draw,
    say=_say,
    sets={
        "random": until(redrawn(_draw), _asks_what_the_base_has),
        "query": _query,
        "successor": _successor,
    },
    positions=(
        last(),
        word("match", _place, oracle=True),
        word("after_match", lambda setting: _place(setting) + 1, oracle=True),
    ),
    variables=("query", "answer"),
    sizes={"query": len(LETTERS), "answer": len(LETTERS)},
)
"""In the set random, the counterfactual asks for a letter that the base has too, so that a swap has an answer."""


@task(
    name="planted-induction",
    version=1,
    track="circuit",
    citation="Olsson et al. 2022, arXiv:2209.11895 (mechanism); "
    "Lindner et al. 2023, arXiv:2301.05062 (written weights)",
    licence="Apache-2.0",
    counterfactual="random",
    metric="logit_diff",
    notes="Prompts of a model whose mechanism is known; not for other models. All letters are redrawn.",
)
def induction_random(split: str, encoder: TextEncoder | None) -> Iterable[Pair | LeftOut]:
    """Planted induction: which letter followed the last one before; all letters change."""
    return PROGRAM.pairs("random")(split, encoder)


@task(
    name="planted-induction-query",
    version=1,
    track="circuit",
    citation="Olsson et al. 2022, arXiv:2209.11895 (mechanism); "
    "Lindner et al. 2023, arXiv:2301.05062 (written weights)",
    licence="Apache-2.0",
    counterfactual="query",
    metric="logit_diff",
    notes="Prompts of a model whose mechanism is known; not for other models. Only the last letter is changed.",
)
def induction_query(split: str, encoder: TextEncoder | None) -> Iterable[Pair | LeftOut]:
    """Planted induction: the last letter changes."""
    return PROGRAM.pairs("query")(split, encoder)


@task(
    name="planted-induction-successor",
    version=1,
    track="circuit",
    citation="Olsson et al. 2022, arXiv:2209.11895 (mechanism); "
    "Lindner et al. 2023, arXiv:2301.05062 (written weights)",
    licence="Apache-2.0",
    counterfactual="successor",
    metric="logit_diff",
    notes="Prompts of a model whose mechanism is known; not for other models. Only the letter that answers is changed.",
)
def induction_successor(split: str, encoder: TextEncoder | None) -> Iterable[Pair | LeftOut]:
    """Planted induction: the letter that answers changes."""
    return PROGRAM.pairs("successor")(split, encoder)


@variable_task(
    name="planted-induction",
    version=1,
    variables=("query", "answer"),
    citation="Olsson et al. 2022, arXiv:2209.11895 (mechanism); "
    "Lindner et al. 2023, arXiv:2301.05062 (written weights)",
    licence="Apache-2.0",
    notes="Prompts of a model whose mechanism is known; not for other models. Sets query and successor cannot tell the "
    "variables apart; random does.",
)
def induction_variables() -> Parts:
    """Planted induction: the last letter, and what followed it before."""
    return PROGRAM.parts()
