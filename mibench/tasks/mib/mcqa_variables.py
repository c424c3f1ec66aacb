"""Copy colours as MIB's variable track has it, from the hub or from a local copy."""

from __future__ import annotations

from collections.abc import Iterator

from mibench.tasks.checker import Checker, contains
from mibench.tasks.choice_variables import SETS, positions
from mibench.tasks.encode import TextEncoder
from mibench.tasks.interchange import InterchangeRow
from mibench.tasks.interchange_rows import to_rows
from mibench.tasks.mcqa.copy_colours import colour_of, copy_colours, parse
from mibench.tasks.mib.mcqa import DATA
from mibench.tasks.task import LeftOut
from mibench.tasks.variable_task import Parts, variable_task


@variable_task(
    name="mib/mcqa",
    version=1,
    variables=("answer_pointer", "answer"),
    citation="Mueller et al. 2025, MIB: A Mechanistic Interpretability Benchmark, arXiv:2504.13151",
    licence="Apache-2.0",
    notes="Revision 682676b0 is as cited by third parties, not verified. One token is generated, and right if the "
    "label after a space is in it. Only answerPosition_randomLetter tells the variables apart in every row.",
)
def mib_mcqa() -> Parts:
    """Copy colours: where the right colour stands, and which label stands there; MIB's public splits."""
    causal = copy_colours()

    def rows(split: str, encoder: TextEncoder | None) -> Iterator[InterchangeRow | LeftOut]:  # noqa: ARG001
        return to_rows(DATA.rows(split, parse), causal)

    return Parts(
        causal,
        SETS,
        positions(causal, period=True),
        Checker(1, lambda output: (output,), contains),
        rows,
        sizes={"answer_pointer": 16, "answer": "d/2"},
        group=colour_of,
    )
