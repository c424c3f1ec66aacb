"""Multiple choice in a small vocabulary: the symbol that stands before the colour of an object."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from mibench.tasks.causal.model import CausalModel, Variable
from mibench.tasks.encode import TextEncoder
from mibench.tasks.interchange import Setting
from mibench.tasks.known.changes import redrawn, until
from mibench.tasks.known.places import numbered, numbers, word
from mibench.tasks.known.program import BOS, Program
from mibench.tasks.pairs import Pair
from mibench.tasks.positions import last
from mibench.tasks.task import LeftOut, task
from mibench.tasks.variable_task import Parts, variable_task

OBJECTS = ("box", "cup", "hat", "car", "door", "ball")
COLOURS = ("red", "blue", "green", "white", "black", "pink")
SYMBOLS = ("A", "B", "C", "D", "E", "F")
_N = 3
_START = 5
"""Words before the first choice."""
_SYMBOLS, _COLOURS = numbers("symbol", _N), numbers("colour", _N)


def _draw(random: Random) -> Setting:
    colours = tuple(random.sample(COLOURS, _N))
    return {
        "object": random.choice(OBJECTS),
        "asked": random.choice(colours),
        **numbered("symbol", tuple(random.sample(SYMBOLS, _N))),
        **numbered("colour", colours),
    }


def _say(setting: Setting) -> str:
    choices = [setting[name] for choice in zip(_SYMBOLS, _COLOURS, strict=True) for name in choice]
    return " ".join(["the", setting["object"], "is", setting["asked"], "?", *choices, ":"])


def _pointer(*colours: str) -> int:
    """Return the place of the last one among those before it; -1 where it is none of them."""
    *choices, asked = colours
    return choices.index(asked) if asked in choices else -1


def _place(setting: Setting) -> int:
    return _pointer(*(setting[name] for name in (*_COLOURS, "asked")))


def _symbol(pointer: int, *symbols: str) -> str:
    return symbols[pointer]


def _differ(base: Setting, other: Setting) -> bool:
    return PROGRAM.answer(base) != PROGRAM.answer(other)


def _moved(random: Random, base: Setting) -> Setting:
    return {**base, **numbered("colour", tuple(random.sample([base[name] for name in _COLOURS], _N)))}


def _other_symbols(random: Random, base: Setting) -> Setting:
    return {**base, **numbered("symbol", tuple(random.sample(SYMBOLS, _N)))}


PROGRAM = Program(
    name="siit-mcqa",
    words=(BOS, "the", "is", "?", ":", *OBJECTS, *COLOURS, *SYMBOLS),
    causal=CausalModel(
        "trained choice",
        (
            Variable("object", domain=OBJECTS, doc="Nothing depends on it."),
            Variable("asked", domain=COLOURS, doc="Its colour."),
            *(Variable(name, domain=SYMBOLS) for name in _SYMBOLS),
            *(Variable(name, domain=COLOURS) for name in _COLOURS),
            Variable("answer_pointer", (*_COLOURS, "asked"), _pointer, range(_N), "Place of the colour, from 0."),
            Variable("answer", ("answer_pointer", *_SYMBOLS), _symbol, SYMBOLS, "The symbol there."),
        ),
        output="answer",
    ),
    draw=_draw,
    say=_say,
    sets={
        "random": until(redrawn(_draw), _differ),
        "answer_position": until(_moved, _differ),
        "random_letter": until(_other_symbols, _differ),
    },
    positions=(
        word("asked", 3),
        last(),
        word("answer_symbol", lambda setting: _START + 2 * _place(setting), oracle=True),
        word("answer_colour", lambda setting: _START + 2 * _place(setting) + 1, oracle=True),
    ),
    variables=("answer_pointer", "answer"),
    sizes={"answer_pointer": _N, "answer": len(SYMBOLS)},
)


@task(
    name="siit-mcqa",
    version=1,
    track="circuit",
    citation="Wiegreffe et al. 2025, arXiv:2407.15018 (task); Gupta et al. 2024, arXiv:2407.14494 (trained mechanism)",
    licence="Apache-2.0",
    counterfactual="random",
    metric="logit_diff",
    notes="Prompts of a model whose mechanism is known; not for other models. All words are redrawn.",
)
def mcqa_random(split: str, encoder: TextEncoder | None) -> Iterable[Pair | LeftOut]:
    """Trained choice: the symbol before the colour of an object; all words change."""
    return PROGRAM.pairs("random")(split, encoder)


@variable_task(
    name="siit-mcqa",
    version=1,
    variables=("answer_pointer", "answer"),
    citation="Wiegreffe et al. 2025, arXiv:2407.15018 (task); Gupta et al. 2024, arXiv:2407.14494 (trained mechanism)",
    licence="Apache-2.0",
    notes="Prompts of a model whose mechanism is known; not for other models. The set answer_position cannot tell the "
    "variables apart, and in random_letter an interchange on answer_pointer changes nothing.",
)
def mcqa_variables() -> Parts:
    """Trained choice: place and symbol of the right colour."""
    return PROGRAM.parts()
