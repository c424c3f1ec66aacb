"""Multiple choice: the symbol of the option that has the colour asked for."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from mibench.planted.words import CHOICE, COLOURS, QUESTION, SLOTS, SYMBOLS
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

_N = len(SLOTS)
_SLOTS, _SYMBOLS, _COLOURS = (numbers(name, _N) for name in ("slot", "symbol", "colour"))


def _draw(random: Random) -> Setting:
    colours = tuple(random.sample(COLOURS, _N))
    return {
        **numbered("slot", tuple(random.sample(SLOTS, _N))),
        **numbered("symbol", tuple(random.sample(SYMBOLS, _N))),
        **numbered("colour", colours),
        "asked": random.choice(colours),
    }


def _say(setting: Setting) -> str:
    options = [setting[name] for option in zip(_SLOTS, _SYMBOLS, _COLOURS, strict=True) for name in option]
    return " ".join([*options, setting["asked"], QUESTION])


def _beside(*words: str) -> str:
    """Return, of as many words as others and a wanted one after them, that beside the wanted; nothing without it."""
    *both, wanted = words
    others, found = both[: len(both) // 2], both[len(both) // 2 :]
    return others[found.index(wanted)] if wanted in found else ""


def _option(setting: Setting) -> int:
    return _values(setting, _COLOURS).index(setting["asked"])


def _values(setting: Setting, names: tuple[str, ...]) -> list[str]:
    return [setting[name] for name in names]


def _asks_what_the_base_has(base: Setting, other: Setting) -> bool:
    return other["asked"] in _values(base, _COLOURS) and _differ(base, other)


def _differ(base: Setting, other: Setting) -> bool:
    return PROGRAM.answer(base) != PROGRAM.answer(other)


def _asked(random: Random, base: Setting) -> Setting:
    others = [colour for colour in _values(base, _COLOURS) if colour != base["asked"]]
    return {**base, "asked": random.choice(others)}


def _symbols(random: Random, base: Setting) -> Setting:
    return {**base, **numbered("symbol", tuple(random.sample(SYMBOLS, _N)))}


PROGRAM = Program(
    name="planted-choice",
    words=CHOICE,
    causal=CausalModel(
        "planted choice",
        (
            *(Variable(name, domain=SLOTS) for name in _SLOTS),
            *(Variable(name, domain=SYMBOLS) for name in _SYMBOLS),
            *(Variable(name, domain=COLOURS) for name in _COLOURS),
            Variable("asked", domain=COLOURS, doc="The colour asked for."),
            Variable("pointer", (*_SLOTS, *_COLOURS, "asked"), _beside, SLOTS, "Slot word of that colour's option."),
            Variable("answer", (*_SYMBOLS, *_SLOTS, "pointer"), _beside, SYMBOLS, "Symbol of the slot."),
        ),
        output="answer",
    ),
    draw=_draw,
    say=_say,
    sets={
        "random": until(redrawn(_draw), _asks_what_the_base_has),
        "asked": _asked,
        "symbols": until(_symbols, _differ),
    },
    positions=(
        word("asked", 3 * _N),
        last(),
        word("option_slot", lambda setting: 3 * _option(setting), oracle=True),
        word("option_symbol", lambda setting: 3 * _option(setting) + 1, oracle=True),
        word("option_colour", lambda setting: 3 * _option(setting) + 2, oracle=True),
    ),
    variables=("asked", "pointer", "answer"),
    sizes={"asked": len(COLOURS), "pointer": len(SLOTS), "answer": len(SYMBOLS)},
)
"""In the set random, the counterfactual asks for a colour that the base has too, so that a swap has an answer."""


@task(
    name="planted-choice",
    version=1,
    track="circuit",
    citation="Wiegreffe et al. 2025, arXiv:2407.15018 (task); Lindner et al. 2023, arXiv:2301.05062 (written weights)",
    licence="Apache-2.0",
    counterfactual="random",
    metric="logit_diff",
    notes="Prompts of a model whose mechanism is known; not for other models. All words are redrawn.",
)
def choice_random(split: str, encoder: TextEncoder | None) -> Iterable[Pair | LeftOut]:
    """Planted choice: the symbol of the option with a colour; all words change."""
    return PROGRAM.pairs("random")(split, encoder)


@task(
    name="planted-choice-asked",
    version=1,
    track="circuit",
    citation="Wiegreffe et al. 2025, arXiv:2407.15018 (task); Lindner et al. 2023, arXiv:2301.05062 (written weights)",
    licence="Apache-2.0",
    counterfactual="asked",
    metric="logit_diff",
    notes="Prompts of a model whose mechanism is known; not for other models. Only the colour asked for is changed.",
)
def choice_asked(split: str, encoder: TextEncoder | None) -> Iterable[Pair | LeftOut]:
    """Planted choice: the colour asked for changes."""
    return PROGRAM.pairs("asked")(split, encoder)


@task(
    name="planted-choice-symbols",
    version=1,
    track="circuit",
    citation="Wiegreffe et al. 2025, arXiv:2407.15018 (task); Lindner et al. 2023, arXiv:2301.05062 (written weights)",
    licence="Apache-2.0",
    counterfactual="symbols",
    metric="logit_diff",
    notes="Prompts of a model whose mechanism is known; not for other models. Only the symbols are changed.",
)
def choice_symbols(split: str, encoder: TextEncoder | None) -> Iterable[Pair | LeftOut]:
    """Planted choice: the symbols change."""
    return PROGRAM.pairs("symbols")(split, encoder)


@variable_task(
    name="planted-choice",
    version=1,
    variables=("asked", "pointer", "answer"),
    citation="Wiegreffe et al. 2025, arXiv:2407.15018 (task); Lindner et al. 2023, arXiv:2301.05062 (written weights)",
    licence="Apache-2.0",
    notes="Prompts of a model whose mechanism is known; not for other models. Only the set random tells all variables "
    "apart; in symbols an interchange on asked or pointer changes nothing.",
)
def choice_variables() -> Parts:
    """Planted choice: the colour asked for, its option's slot word, and its symbol."""
    return PROGRAM.parts()
