"""Logic: two truth values joined by a word, and the result joined with a third."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from mibench.tasks.causal.model import CausalModel, Variable
from mibench.tasks.encode import TextEncoder
from mibench.tasks.interchange import Setting
from mibench.tasks.known.changes import redrawn, until
from mibench.tasks.known.places import word
from mibench.tasks.known.program import BOS, Program
from mibench.tasks.pairs import Pair
from mibench.tasks.positions import last
from mibench.tasks.task import LeftOut, task
from mibench.tasks.variable_task import Parts, variable_task

FILLERS = ("so", "then", "now", "well", "thus", "here", "hence", "still")
TRUTH = ("no", "yes")
JOINS = ("and", "or", "xor")
END = "?"
_VARIABLES = ("first", "join", "second", "last_join", "third")


def _joined(one: str, join: str, other: str) -> str:
    left, right = one == "yes", other == "yes"
    result = {"and": left and right, "or": left or right, "xor": left != right}[join]
    return TRUTH[result]


def _draw(random: Random) -> Setting:
    fillers = {f"filler{number}": random.choice(FILLERS) for number in (1, 2, 3)}
    truths = {name: random.choice(TRUTH) for name in ("first", "second", "third")}
    return {**fillers, **truths, "join": random.choice(JOINS), "last_join": random.choice(JOINS)}


def _say(setting: Setting) -> str:
    names = ("filler1", "filler2", "filler3", *_VARIABLES)
    return " ".join([*(setting[name] for name in names), END])


def _inner(random: Random, base: Setting) -> Setting:
    drawn = _draw(random)
    return {**base, **{name: drawn[name] for name in ("first", "join", "second")}}


def _third(_random: Random, base: Setting) -> Setting:
    return {**base, "third": TRUTH[base["third"] == "no"]}


_CAUSAL = CausalModel(
    "siit logic",
    (
        *(Variable(f"filler{number}", domain=FILLERS) for number in (1, 2, 3)),
        *(Variable(name, domain=JOINS if "join" in name else TRUTH) for name in _VARIABLES),
        Variable("inner", ("first", "join", "second"), _joined, TRUTH, "The first two, joined."),
        Variable("answer", ("inner", "last_join", "third"), _joined, TRUTH, "That, joined with the third."),
    ),
    output="answer",
)


def _differ(base: Setting, other: Setting) -> bool:
    return bool(_CAUSAL.run(base)["answer"] != _CAUSAL.run(other)["answer"])


PROGRAM = Program(
    name="siit-logic",
    words=(BOS, *FILLERS, *TRUTH, *JOINS, END),
    causal=_CAUSAL,
    draw=_draw,
    say=_say,
    sets={
        "random": until(redrawn(_draw), _differ),
        "inner": _inner,
        "third": _third,
    },
    positions=(last(), word("second", 5), word("third", 7)),
    variables=("inner", "answer"),
    sizes={"inner": 2, "answer": 2},
)
"""In the set random the answer changes; in inner only the first two truth values and their join are drawn again."""


@task(
    name="siit-logic",
    version=1,
    track="circuit",
    citation="Geiger et al. 2021, arXiv:2106.02997 (logic as a causal model); Gupta et al. 2024, arXiv:2407.14494 "
    "(trained mechanism)",
    licence="Apache-2.0",
    counterfactual="random",
    metric="logit_diff",
    notes="Prompts of a model whose mechanism is known; not for other models. All words are redrawn.",
)
def logic_random(split: str, encoder: TextEncoder | None) -> Iterable[Pair | LeftOut]:
    """Trained logic: two truth values joined, and joined with a third; all words change."""
    return PROGRAM.pairs("random")(split, encoder)


@variable_task(
    name="siit-logic",
    version=1,
    variables=("inner", "answer"),
    citation="Geiger et al. 2021, arXiv:2106.02997 (logic as a causal model); Gupta et al. 2024, arXiv:2407.14494 "
    "(trained mechanism)",
    licence="Apache-2.0",
    notes="Prompts of a model whose mechanism is known; not for other models. In the set third an"
    " interchange on inner changes nothing.",
)
def logic_variables() -> Parts:
    """Trained logic: the first two truth values joined, and the answer."""
    return PROGRAM.parts()
