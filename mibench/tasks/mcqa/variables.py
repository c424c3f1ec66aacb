"""Copy colours for the variable track, our own set: the place of the answer, and its label."""

from __future__ import annotations

from collections.abc import Iterator

from mibench.tasks.checker import forced
from mibench.tasks.choice_variables import SETS, positions
from mibench.tasks.encode import TextEncoder
from mibench.tasks.interchange import InterchangeRow
from mibench.tasks.interchange_rows import to_rows
from mibench.tasks.mcqa.copy_colours import colour_of, copy_colours, parse
from mibench.tasks.shipped import shipped_rows
from mibench.tasks.task import LeftOut
from mibench.tasks.variable_task import Parts, variable_task


@variable_task(
    name="mcqa",
    version=1,
    variables=("answer_pointer", "answer"),
    citation="Wiegreffe et al. 2025, arXiv:2407.15018 (task); Mueller et al. 2025, arXiv:2504.13151 (causal model)",
    licence="Apache-2.0",
    notes="Generated for mibench. answerPosition cannot tell the variables apart, and in randomLetter an interchange "
    "on answer_pointer changes nothing. SmolLM2-135M does not solve it.",
)
def mcqa() -> Parts:
    """Copy colours: where the right colour stands, and which label stands there; generated."""
    causal = copy_colours()

    def rows(split: str, encoder: TextEncoder | None) -> Iterator[InterchangeRow | LeftOut]:  # noqa: ARG001
        return to_rows(shipped_rows("mcqa-interchange", split, parse), causal)

    return Parts(
        causal,
        SETS,
        positions(causal, period=True),
        forced(),
        rows,
        sizes={"answer_pointer": 16, "answer": "d/2"},
        group=colour_of,
    )
