"""ARC easy as MIB's variable track has it, from the hub or from a local copy."""

from __future__ import annotations

from collections.abc import Iterator

from mibench.tasks.causal.model import CausalModel, Variable
from mibench.tasks.checker import Checker, contains
from mibench.tasks.choice_variables import PLACES, SETS, Choices, answer_variables, positions, reader, symbols
from mibench.tasks.encode import TextEncoder
from mibench.tasks.interchange import InterchangeRow, Setting
from mibench.tasks.interchange_rows import to_rows
from mibench.tasks.mib.arc_easy import DATA
from mibench.tasks.task import LeftOut
from mibench.tasks.variable_task import Parts, Training, variable_task


def multiple_choice() -> CausalModel:
    """Return the causal model: which choice is right is given, and the answer is its label."""
    return CausalModel(
        "multiple choice",
        (
            Variable("answerKey", domain=PLACES, doc="Place of the right choice; what makes it right is not modelled."),
            Variable("answer_pointer", ("answerKey",), int, PLACES, "Place of the right choice."),
            *answer_variables(),
        ),
    )


def inputs(choices: Choices) -> Setting:
    """Return the inputs of :func:`multiple_choice`."""
    return {"answerKey": choices.key, **symbols(choices)}


parse = reader(inputs)


@variable_task(
    name="mib/arc-easy",
    version=1,
    variables=("answer_pointer", "answer"),
    citation="Clark et al. 2018, arXiv:1803.05457 (ARC); Mueller et al. 2025, arXiv:2504.13151 (causal model)",
    licence="Apache-2.0",
    notes="Revision be6999b9 is as cited by third parties, not verified. Rows with four choices; one token is "
    "generated, and right if the label after a space is in it. MIB trains on validation too: here it is held out.",
)
def mib_arc_easy() -> Parts:
    """School science questions: where the right choice stands, and which label stands there; MIB's public splits."""
    causal = multiple_choice()

    def rows(split: str, encoder: TextEncoder | None) -> Iterator[InterchangeRow | LeftOut]:  # noqa: ARG001
        return to_rows(DATA.rows(split, parse), causal)

    return Parts(
        causal,
        SETS,
        positions(causal, period=False),
        Checker(1, lambda output: (output,), contains),
        rows,
        sizes={"answer_pointer": 16, "answer": "d/2"},
        training=Training(epochs=2, batch=48, lr=1e-2),
    )
