"""Addition in base 5: the second digit of a sum, with the carry of the first."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from mibench.planted.words import BASE, CARRY, CARRY_FILLERS, DIGITS, EQUALS, PLUS
from mibench.tasks.causal.model import CausalModel, Variable
from mibench.tasks.encode import TextEncoder
from mibench.tasks.interchange import Setting
from mibench.tasks.known.changes import redrawn, until
from mibench.tasks.known.places import word
from mibench.tasks.known.program import Program
from mibench.tasks.pairs import Pair
from mibench.tasks.positions import last
from mibench.tasks.task import LeftOut, task
from mibench.tasks.variable_task import Parts, variable_task

_DIGITS = ("a1", "a0", "b1", "b0")


def _draw(random: Random) -> Setting:
    fillers = {name: random.choice(CARRY_FILLERS) for name in ("filler1", "filler2")}
    return {**fillers, **{name: random.randrange(BASE) for name in _DIGITS}}


def _say(setting: Setting) -> str:
    a1, a0, b1, b0 = (str(setting[name]) for name in _DIGITS)
    return " ".join([setting["filler1"], setting["filler2"], a1, a0, PLUS, b1, b0, EQUALS])


def _carry_of(a0: int, b0: int) -> int:
    return int(a0 + b0 >= BASE)


def _digit(a1: int, b1: int, carry: int) -> str:
    return str((a1 + b1 + carry) % BASE)


def _differ(base: Setting, other: Setting) -> bool:
    return PROGRAM.answer(base) != PROGRAM.answer(other)


def _carries_differ(base: Setting, other: Setting) -> bool:
    return _carry_of(base["a0"], base["b0"]) != _carry_of(other["a0"], other["b0"])


def _ones(random: Random, base: Setting) -> Setting:
    return {**base, "a0": random.randrange(BASE), "b0": random.randrange(BASE)}


def _tens(random: Random, base: Setting) -> Setting:
    return {**base, "a1": random.choice([digit for digit in range(BASE) if digit != base["a1"]])}


PROGRAM = Program(
    name="planted-carry",
    words=CARRY,
    causal=CausalModel(
        "planted carry",
        (
            *(Variable(name, doc="Nothing depends on it.") for name in ("filler1", "filler2")),
            *(Variable(name, domain=range(BASE)) for name in _DIGITS),
            Variable("carry", ("a0", "b0"), _carry_of, (0, 1), "Whether the last digits make five or more."),
            Variable("answer", ("a1", "b1", "carry"), _digit, DIGITS, "The digit before the last of the sum."),
        ),
        output="answer",
    ),
    draw=_draw,
    say=_say,
    sets={"random": until(redrawn(_draw), _differ), "carry": until(_ones, _carries_differ), "tens": _tens},
    positions=(word("a1", 2), word("a0", 3), word("b1", 5), word("b0", 6), last()),
    variables=("carry", "answer"),
    sizes={"carry": 1, "answer": BASE},
)


@task(
    name="planted-carry",
    version=1,
    track="circuit",
    citation="Stolfo et al. 2023, arXiv:2305.15054 (task); Lindner et al. 2023, arXiv:2301.05062 (written weights)",
    licence="Apache-2.0",
    counterfactual="random",
    metric="logit_diff",
    notes="Prompts of a model whose mechanism is known; not for other models. All words are redrawn.",
)
def carry_random(split: str, encoder: TextEncoder | None) -> Iterable[Pair | LeftOut]:
    """Planted carry: the second digit of a sum in base 5; all words change."""
    return PROGRAM.pairs("random")(split, encoder)


@task(
    name="planted-carry-carry",
    version=1,
    track="circuit",
    citation="Stolfo et al. 2023, arXiv:2305.15054 (task); Lindner et al. 2023, arXiv:2301.05062 (written weights)",
    licence="Apache-2.0",
    counterfactual="carry",
    metric="logit_diff",
    notes="Prompts of a model whose mechanism is known; not for other models. Only the last digits are changed, and "
    "with them the carry.",
)
def carry_carry(split: str, encoder: TextEncoder | None) -> Iterable[Pair | LeftOut]:
    """Planted carry: the carry changes."""
    return PROGRAM.pairs("carry")(split, encoder)


@task(
    name="planted-carry-tens",
    version=1,
    track="circuit",
    citation="Stolfo et al. 2023, arXiv:2305.15054 (task); Lindner et al. 2023, arXiv:2301.05062 (written weights)",
    licence="Apache-2.0",
    counterfactual="tens",
    metric="logit_diff",
    notes="Prompts of a model whose mechanism is known; not for other models. Only the first digit is changed.",
)
def carry_tens(split: str, encoder: TextEncoder | None) -> Iterable[Pair | LeftOut]:
    """Planted carry: the first digit changes."""
    return PROGRAM.pairs("tens")(split, encoder)


@variable_task(
    name="planted-carry",
    version=1,
    variables=("carry", "answer"),
    citation="Stolfo et al. 2023, arXiv:2305.15054 (task); Lindner et al. 2023, arXiv:2301.05062 (written weights)",
    licence="Apache-2.0",
    notes="Prompts of a model whose mechanism is known; not for other models. The set carry cannot tell the variables "
    "apart, and in tens an interchange on carry changes nothing.",
)
def carry_variables() -> Parts:
    """Planted carry: the carry of the last digits, and the digit before them."""
    return PROGRAM.parts()
