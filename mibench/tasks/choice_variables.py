"""Multiple choice for the variable track: the rows of the hub's schema, and where the labels stand in a prompt."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mibench.tasks.causal.model import CausalModel, Variable
from mibench.tasks.fields import Row, field, item, label, text
from mibench.tasks.interchange import Setting
from mibench.tasks.interchange_rows import Example, Family
from mibench.tasks.positions import Position, Span, last
from mibench.tasks.select import NO_COUNTERFACTUAL
from mibench.tasks.task import LeftOut

SETS = ("answerPosition", "randomLetter", "answerPosition_randomLetter")
"""The right choice elsewhere; other labels; both. The labels' order in a prompt is that of the choices."""
PLACES = range(4)
SYMBOLS = tuple(f"symbol{place}" for place in PLACES)
_LINE = r"\n(?P<symbol{0}>[^\s.]+)(?P<period{0}>\.) [^\n]*"
# Read from the end of the prompt: a question may have a letter of its own, or even lines like those of choices.
_BLOCK = re.compile("(?P<question>[^\n])" + "".join(_LINE.format(place) for place in PLACES) + r"\nAnswer:\s*\Z")
_LABELS = LeftOut("labels that do not stand before their choices")
Pointer = Callable[[Setting], int]


@dataclass(frozen=True)
class Choices:
    """One prompt of a multiple-choice row.

    Attributes:
        prompt: Question, labelled choices, and ``Answer:``.
        labels: The labels, in the choices' order.
        texts: The choices.
        key: Place of the right one.
    """

    prompt: str
    labels: tuple[str, ...]
    texts: tuple[str, ...]
    key: int


def reader(inputs: Callable[[Choices], Setting | None]) -> Callable[[Row, str], Family | LeftOut]:
    """Return what reads a row of the hub's schema; columns that are not used are ignored.

    Args:
        inputs: Makes the inputs of the causal model; None where the prompt does not tell them.
    """

    def parse(row: Row, where: str) -> Family | LeftOut:
        base, *sources = (
            _example(row, record, where, inputs) for record in ("", *(f"{n}_counterfactual." for n in SETS))
        )
        return base if isinstance(base, LeftOut) else Family(base, dict(zip(SETS, sources, strict=True)))

    return parse


def answer_variables() -> tuple[Variable, ...]:
    """Return what both causal models of multiple choice share: from the pointer to the answer.

    The labels are inputs; ``answer_pointer`` is the model's own.
    """
    return (
        *(Variable(name, doc="A label.") for name in SYMBOLS),
        Variable("answer", ("answer_pointer", *SYMBOLS), _pointed, doc="The label there, after a space."),
        Variable("raw_output", ("answer",), str, doc="What is written."),
    )


def symbols(choices: Choices) -> dict[str, str]:
    """Return the labels as inputs of a causal model."""
    return dict(zip(SYMBOLS, choices.labels, strict=True))


def positions(causal: CausalModel, *, period: bool) -> tuple[Position, ...]:
    """Return where sites can be: last token, end of the question, each label by its place, and MIB's oracles.

    Args:
        causal: Says which label is right, for the oracles.
        period: Also the full stop after the right label.
    """
    fixed = (Position("question_end", _found("question")), *(Position(name, _found(name)) for name in SYMBOLS))
    names = ("symbol", "period") if period else ("symbol",)
    gold = [Position(_GOLD[name], _gold(causal, name), oracle=True) for name in names]
    return (last(), *fixed, *gold)


_GOLD: Mapping[str, str] = {"symbol": "correct_symbol", "period": "correct_symbol_period"}


def _found(name: str) -> Callable[[Setting, str], Span | None]:
    return lambda setting, prompt: _span(setting, prompt, name)


def _gold(causal: CausalModel, name: str) -> Callable[[Setting, str], Span | None]:
    return lambda setting, prompt: _span(setting, prompt, f"{name}{causal.run(setting)['answer_pointer']}")


def _span(setting: Setting, prompt: str, group: str) -> Span | None:
    found = _BLOCK.search(prompt)
    if found is None or any(found[name] != setting[name] for name in SYMBOLS):
        return None
    return found.span(group)


def _pointed(pointer: int, *labels: str) -> str:
    return f" {labels[pointer]}"


def _example(row: Row, record: str, where: str, inputs: Callable[[Choices], Setting | None]) -> Example | LeftOut:
    if record and field(row, f"{record}prompt") is None:
        return NO_COUNTERFACTUAL
    choices = _choices(row, record, where)
    if len(choices.labels) != len(PLACES) or len(choices.texts) != len(PLACES):
        return LeftOut("another number of choices")
    setting = inputs(choices)
    if setting is None:
        return LeftOut("a question that does not tell the answer")
    if _span(setting, choices.prompt, "question") is None:
        return _LABELS
    return Example(choices.prompt, setting, f" {choices.labels[choices.key]}")


def _choices(row: Row, record: str, where: str) -> Choices:
    texts, labels = (_list(row, f"{record}choices.{name}", f"{record}answerKey", where) for name in ("text", "label"))
    return Choices(text(row, f"{record}prompt", where), labels, texts, int(field(row, f"{record}answerKey")))


def _list(row: Row, path: str, index_path: str, where: str) -> tuple[str, ...]:
    item(row, path, index_path, where)
    return tuple(label(value, path, where) for value in field(row, path))
