"""Two years, each as decade and year: whether the second one is later."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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

NOUNS = ("war", "trip", "reign", "trial", "drought", "truce", "course", "strike")
ANSWERS = ("no", "yes")
_DIGITS = ("decade1", "year1", "decade2", "year2")
_RANGE = range(10)


def _draw(random: Random) -> Setting:
    """Half of the settings have one decade twice: their years decide."""
    one, two = random.choice(_RANGE), random.choice(_RANGE)
    if random.random() < 0.5:
        two = one
    digits = {"decade1": one, "year1": random.choice(_RANGE), "decade2": two, "year2": random.choice(_RANGE)}
    return {"noun": random.choice(NOUNS), **digits}


def _say(setting: Setting) -> str:
    decade, year, other_decade, other_year = (setting[name] for name in _DIGITS)
    return f"the {setting['noun']} lasted from {decade} {year} to {other_decade} {other_year} ?"


def _order(one: int, two: int) -> str:
    return "earlier" if two < one else "later" if two > one else "same"


def _later(one: int, two: int) -> int:
    return int(two > one)


def _answer(decades: str, years: int) -> str:
    return ANSWERS[years if decades == "same" else decades == "later"]


def _changes(variable: str) -> Callable[[Setting, Setting], bool]:
    return lambda base, other: bool(PROGRAM.causal.run(base)[variable] != PROGRAM.causal.run(other)[variable])


def _decade(random: Random, base: Setting) -> Setting:
    """The second decade is redrawn, as often to the first one as to any other."""
    return {**base, "decade2": base["decade1"] if random.random() < 0.5 else random.choice(_RANGE)}


def _years(random: Random, base: Setting) -> Setting:
    return {**base, "year1": random.choice(_RANGE), "year2": random.choice(_RANGE)}


PROGRAM = Program(
    name="siit-greater-than",
    words=(BOS, "the", "lasted", "from", "to", "?", *NOUNS, *map(str, _RANGE), *ANSWERS),
    causal=CausalModel(
        "trained greater-than",
        (
            Variable("noun", domain=NOUNS, doc="Nothing depends on it."),
            *(Variable(name, domain=_RANGE) for name in _DIGITS),
            Variable("decades", ("decade1", "decade2"), _order, ("earlier", "same", "later"), "Of the second decade."),
            Variable("years", ("year1", "year2"), _later, (0, 1), "Whether the second year's digit is greater."),
            Variable("answer", ("decades", "years"), _answer, ANSWERS, "Whether the second year is later."),
        ),
        output="answer",
    ),
    draw=_draw,
    say=_say,
    sets={
        "random": until(redrawn(_draw), _changes("answer")),
        "decades": until(_decade, _changes("decades")),
        "years": until(_years, _changes("years")),
    },
    positions=(*(word(name, at) for name, at in zip(_DIGITS, (4, 5, 7, 8), strict=True)), last()),
    variables=("decades", "years", "answer"),
    sizes={"decades": 3, "years": 2, "answer": 2},
)


@task(
    name="siit-greater-than",
    version=1,
    track="circuit",
    citation="Hanna et al. 2023, arXiv:2305.00586 (task); Gupta et al. 2024, arXiv:2407.14494 (trained mechanism)",
    licence="Apache-2.0",
    counterfactual="random",
    metric="logit_diff",
    notes="Prompts of a model whose mechanism is known; not for other models. All words are redrawn.",
)
def greater_than_random(split: str, encoder: TextEncoder | None) -> Iterable[Pair | LeftOut]:
    """Trained greater-than: whether the second year is later; all words change."""
    return PROGRAM.pairs("random")(split, encoder)


@variable_task(
    name="siit-greater-than",
    version=1,
    variables=("decades", "years", "answer"),
    citation="Hanna et al. 2023, arXiv:2305.00586 (task); Gupta et al. 2024, arXiv:2407.14494 (trained mechanism)",
    licence="Apache-2.0",
    notes="Prompts of a model whose mechanism is known; not for other models. In half of the prompts both years are of "
    "one decade. In the set decades an interchange on years changes nothing, in years one on decades.",
)
def greater_than_variables() -> Parts:
    """Trained greater-than: order of the decades, order of the years' digits, and the answer."""
    return PROGRAM.parts()
