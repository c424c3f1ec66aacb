"""The causal model of copy colours: the question tells a colour, and the answer is its label."""

from __future__ import annotations

import re

from mibench.tasks.causal.model import CausalModel, Variable
from mibench.tasks.choice_variables import PLACES, Choices, answer_variables, reader, symbols
from mibench.tasks.interchange import InterchangeRow, Setting

CHOICES = tuple(f"choice{place}" for place in PLACES)
_COLOUR = re.compile(r"\AQuestion: [^\n]*? (?:is|are) ([^.\n]+)\.")


def copy_colours() -> CausalModel:
    """Return the causal model: where the colour stands, then which label stands there."""
    return CausalModel(
        "copy colours",
        (
            Variable("colour", doc="Said in the question."),
            *(Variable(name, doc="A colour to choose.") for name in CHOICES),
            Variable("answer_pointer", ("colour", *CHOICES), _place, PLACES, "Place of that colour."),
            *answer_variables(),
        ),
    )


def inputs(choices: Choices) -> Setting | None:
    """Return the inputs of :func:`copy_colours`; None where the question tells no colour that can be chosen."""
    found = _COLOUR.match(choices.prompt)
    if found is None or choices.texts.count(found[1]) != 1:
        return None
    return {"colour": found[1], **dict(zip(CHOICES, choices.texts, strict=True)), **symbols(choices)}


def colour_of(row: InterchangeRow) -> dict[str, str]:
    """Return the row's colour, for splits by colour."""
    return {"colour": str(row.base["colour"])}


def _place(colour: str, *choices: str) -> int:
    return choices.index(colour)


parse = reader(inputs)
