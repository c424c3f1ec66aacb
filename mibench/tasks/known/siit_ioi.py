"""Indirect objects: of two names, the one that is not said again."""

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

NAMES = ("ann", "ben", "cleo", "dan", "eve", "finn", "gus", "hope", "ivy", "jack", "kim", "leo")
MOTIONS = ("went", "came", "ran", "sat", "met", "sang", "ate", "left")
GIFTS = ("gave", "spoke", "wrote", "waved", "sent", "read", "sold", "nodded")
AND, END = "and", "to"
_WORDS = ("name1", "name2", "motion", "subject", "gift")


def _draw(random: Random) -> Setting:
    name1, name2 = random.sample(NAMES, 2)
    subject = random.choice((name1, name2))
    words = (name1, name2, random.choice(MOTIONS), subject, random.choice(GIFTS))
    return dict(zip(_WORDS, words, strict=True))


def _say(setting: Setting) -> str:
    name1, name2, motion, subject, gift = (setting[name] for name in _WORDS)
    return f"{name1} {AND} {name2} {motion} {subject} {gift} {END}"


def _repeated(name1: str, name2: str, subject: str) -> int:  # noqa: ARG001
    return 1 if subject == name1 else 2


def _same(repeated: int) -> int:
    return repeated


def _answer(name1: str, name2: str, inhibited: int) -> str:
    return name2 if inhibited == 1 else name1


_CAUSAL = CausalModel(
    "siit ioi",
    (
        *(Variable(name, domain=NAMES) for name in ("name1", "name2", "subject")),
        Variable("motion", domain=MOTIONS),
        Variable("gift", domain=GIFTS),
        Variable("repeated", ("name1", "name2", "subject"), _repeated, (1, 2), "Which name is said again."),
        Variable("inhibited", ("repeated",), _same, (1, 2), "Which name is not to be said."),
        Variable("answer", ("name1", "name2", "inhibited"), _answer, NAMES, "The other one."),
    ),
    output="answer",
)


def _differ(base: Setting, other: Setting) -> bool:
    return bool(_CAUSAL.run(base)["answer"] != _CAUSAL.run(other)["answer"])


def _flipped(_random: Random, base: Setting) -> Setting:
    return {**base, "subject": base["name2"] if base["subject"] == base["name1"] else base["name1"]}


def _renamed(random: Random, base: Setting) -> Setting:
    name1, name2 = random.sample([name for name in NAMES if name not in (base["name1"], base["name2"])], 2)
    return {**base, "name1": name1, "name2": name2, "subject": name1 if base["subject"] == base["name1"] else name2}


PROGRAM = Program(
    name="siit-ioi",
    words=(BOS, *NAMES, *MOTIONS, *GIFTS, AND, END),
    causal=_CAUSAL,
    draw=_draw,
    say=_say,
    sets={
        "random": until(redrawn(_draw), _differ),
        "s2_io_flip": _flipped,
        "names": _renamed,
    },
    positions=(last(), word("subject", 4)),
    variables=("inhibited", "answer"),
    sizes={"inhibited": 2, "answer": len(NAMES)},
)
"""In s2_io_flip the other name is said again; in names both names are others, and the same one is said again."""


@task(
    name="siit-ioi",
    version=1,
    track="circuit",
    citation="Wang et al. 2023, arXiv:2211.00593 (task); Gupta et al. 2024, arXiv:2407.14494 (trained mechanism)",
    licence="Apache-2.0",
    counterfactual="random",
    metric="logit_diff",
    notes="Prompts of a model whose mechanism is known; not for other models. All words are redrawn.",
)
def ioi_random(split: str, encoder: TextEncoder | None) -> Iterable[Pair | LeftOut]:
    """Trained IOI: which of two names is not said again; all words change."""
    return PROGRAM.pairs("random")(split, encoder)


@variable_task(
    name="siit-ioi",
    version=1,
    variables=("inhibited", "answer"),
    citation="Wang et al. 2023, arXiv:2211.00593 (task); Gupta et al. 2024, arXiv:2407.14494 (trained mechanism)",
    licence="Apache-2.0",
    notes="Prompts of a model whose mechanism is known; not for other models. The set s2_io_flip"
    " cannot tell the variables apart; random does.",
)
def ioi_variables() -> Parts:
    """Trained IOI: which name is said again, which is not to be said, and the other one."""
    return PROGRAM.parts()
