"""Addition: the tens digit of the sum of two numbers of two digits."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from mibench.tasks.causal.model import CausalModel, Variable
from mibench.tasks.encode import TextEncoder
from mibench.tasks.interchange import Setting
from mibench.tasks.known.changes import redrawn, until
from mibench.tasks.known.places import word
from mibench.tasks.known.program import BOS, Change, Program
from mibench.tasks.pairs import Pair
from mibench.tasks.positions import last
from mibench.tasks.task import LeftOut, task
from mibench.tasks.variable_task import Parts, variable_task

DIGITS = tuple("0123456789")
PLUS, EQUALS = "+", "="
_VARIABLES = ("tens1", "ones1", "tens2", "ones2")


def _draw(random: Random) -> Setting:
    return {name: random.choice(DIGITS) for name in _VARIABLES}


def _say(setting: Setting) -> str:
    tens1, ones1, tens2, ones2 = (setting[name] for name in _VARIABLES)
    return f"{tens1} {ones1} {PLUS} {tens2} {ones2} {EQUALS}"


def _carry(ones1: str, ones2: str) -> int:
    return int(int(ones1) + int(ones2) >= len(DIGITS))


def _answer(tens1: str, tens2: str, carry: int) -> str:
    return DIGITS[(int(tens1) + int(tens2) + carry) % len(DIGITS)]


_CAUSAL = CausalModel(
    "siit addition",
    (
        *(Variable(name, domain=DIGITS) for name in _VARIABLES),
        Variable("carry", ("ones1", "ones2"), _carry, (0, 1), "Whether the ones are 10 or more together."),
        Variable("answer", ("tens1", "tens2", "carry"), _answer, DIGITS, "The tens digit of the sum."),
    ),
    output="answer",
)


def _redrawn(*names: str) -> Change:
    def change(random: Random, base: Setting) -> Setting:
        return {**base, **{name: random.choice(DIGITS) for name in names}}

    return until(change, _differ)


def _differ(base: Setting, other: Setting) -> bool:
    return bool(_CAUSAL.run(base)["answer"] != _CAUSAL.run(other)["answer"])


PROGRAM = Program(
    name="siit-addition",
    words=(BOS, *DIGITS, PLUS, EQUALS),
    causal=_CAUSAL,
    draw=_draw,
    say=_say,
    sets={
        "random": until(redrawn(_draw), _differ),
        "carry": _redrawn("ones1", "ones2"),
        "tens": _redrawn("tens1", "tens2"),
    },
    positions=(last(), word("ones2", 4), word("tens2", 3)),
    variables=("carry", "answer"),
    sizes={"carry": 2, "answer": len(DIGITS)},
)
"""In the set carry only the ones are drawn again, in tens only the tens, until the answer changes."""


@task(
    name="siit-addition",
    version=1,
    track="circuit",
    citation="Stolfo et al. 2023, arXiv:2305.15054 (task); Gupta et al. 2024, arXiv:2407.14494 (trained mechanism)",
    licence="Apache-2.0",
    counterfactual="random",
    metric="logit_diff",
    notes="Prompts of a model whose mechanism is known; not for other models. All words are redrawn.",
)
def addition_random(split: str, encoder: TextEncoder | None) -> Iterable[Pair | LeftOut]:
    """Trained addition: the tens digit of a sum; all digits change."""
    return PROGRAM.pairs("random")(split, encoder)


@variable_task(
    name="siit-addition",
    version=1,
    variables=("carry", "answer"),
    citation="Stolfo et al. 2023, arXiv:2305.15054 (task); Gupta et al. 2024, arXiv:2407.14494 (trained mechanism)",
    licence="Apache-2.0",
    notes="Prompts of a model whose mechanism is known; not for other models. The set carry cannot"
    " tell the variables apart, and in tens most interchanges on carry change nothing.",
)
def addition_variables() -> Parts:
    """Trained addition: the carry of the ones, and the tens digit of the sum."""
    return PROGRAM.parts()
