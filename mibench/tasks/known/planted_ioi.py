"""Who receives: of two names, the one that is not said again."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from mibench.planted.words import GIFTS, IOI, IOI_END, JOINS, MOTIONS, NAMES
from mibench.tasks.causal.model import CausalModel, Variable
from mibench.tasks.encode import TextEncoder
from mibench.tasks.interchange import Setting
from mibench.tasks.known.places import word
from mibench.tasks.known.program import Program
from mibench.tasks.pairs import Pair
from mibench.tasks.positions import last
from mibench.tasks.task import LeftOut, task
from mibench.tasks.variable_task import Parts, variable_task

_NAMES = ("first", "second", "subject")


def _draw(random: Random) -> Setting:
    first, second = random.sample(NAMES, 2)
    return {"first": first, "second": second, "subject": random.choice((first, second)), **_fillers(random)}


def _fillers(random: Random) -> Setting:
    return {"join": random.choice(JOINS), "motion": random.choice(MOTIONS), "gift": random.choice(GIFTS)}


def _say(setting: Setting) -> str:
    order = ("first", "join", "second", "motion", "subject", "gift")
    return " ".join([*(setting[name] for name in order), IOI_END])


def _other(first: str, second: str, subject: str) -> str:
    """Return the name that is not the subject; nothing where both are, or none is."""
    left = {first, second} - {subject}
    return left.pop() if len(left) == 1 else ""


def _answer(setting: Setting) -> str:
    return _other(*(setting[name] for name in _NAMES))


def _random(random: Random, base: Setting) -> Setting:
    """The base's receiver is said again, beside a new name, so that every swap has an answer, and another one."""
    subject = _answer(base)
    new = random.choice([name for name in NAMES if name not in (base["first"], base["second"])])
    first, second = random.sample((subject, new), 2)
    return {"first": first, "second": second, "subject": subject, **_fillers(random)}


def _s2_io_flip(_random: Random, base: Setting) -> Setting:
    return {**base, "subject": _answer(base)}


PROGRAM = Program(
    name="planted-ioi",
    words=IOI,
    causal=CausalModel(
        "planted IOI",
        (
            *(Variable(name, domain=NAMES) for name in _NAMES),
            *(Variable(name, doc="Nothing depends on it.") for name in ("join", "motion", "gift")),
            Variable("answer", _NAMES, _other, NAMES, "The name that is not said again."),
        ),
        output="answer",
    ),
    draw=_draw,
    say=_say,
    sets={"random": _random, "s2_io_flip": _s2_io_flip},
    positions=(word("first_name", 0), word("second_name", 2), word("third_name", 4), last()),
    variables=("subject", "answer"),
    sizes={"subject": len(NAMES), "answer": len(NAMES)},
)


@task(
    name="planted-ioi",
    version=1,
    track="circuit",
    citation="Wang et al. 2023, arXiv:2211.00593 (task); Lindner et al. 2023, arXiv:2301.05062 (written weights)",
    licence="Apache-2.0",
    counterfactual="random",
    metric="logit_diff",
    notes="Prompts of a model whose mechanism is known; not for other models. Its receiver is said again beside a new "
    "name, and all other words are redrawn.",
)
def ioi_random(split: str, encoder: TextEncoder | None) -> Iterable[Pair | LeftOut]:
    """Planted IOI: which of two names receives; all words change."""
    return PROGRAM.pairs("random")(split, encoder)


@task(
    name="planted-ioi-s2-io-flip",
    version=1,
    track="circuit",
    citation="Wang et al. 2023, arXiv:2211.00593 (task); Lindner et al. 2023, arXiv:2301.05062 (written weights)",
    licence="Apache-2.0",
    counterfactual="s2_io_flip",
    metric="logit_diff",
    notes="Prompts of a model whose mechanism is known; not for other models. Only the name that is said again is "
    "changed.",
)
def ioi_s2_io_flip(split: str, encoder: TextEncoder | None) -> Iterable[Pair | LeftOut]:
    """Planted IOI: the other name is said again."""
    return PROGRAM.pairs("s2_io_flip")(split, encoder)


@variable_task(
    name="planted-ioi",
    version=1,
    variables=("subject", "answer"),
    citation="Wang et al. 2023, arXiv:2211.00593 (task); Lindner et al. 2023, arXiv:2301.05062 (written weights)",
    licence="Apache-2.0",
    notes="Prompts of a model whose mechanism is known; not for other models. The set s2_io_flip cannot tell the "
    "variables apart; random does.",
)
def ioi_variables() -> Parts:
    """Planted IOI: the name that is said again, and the one that receives."""
    return PROGRAM.parts()
