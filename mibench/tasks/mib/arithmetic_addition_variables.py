"""Two-digit addition as MIB's variable track has it, from the hub or from a local copy."""

from __future__ import annotations

from collections.abc import Iterator

from mibench.tasks.arithmetic.addition_variables import SETS, parse, template_of, two_digit_addition
from mibench.tasks.arithmetic.additions import POSITIONS
from mibench.tasks.checker import Checker, first_number
from mibench.tasks.encode import TextEncoder
from mibench.tasks.interchange import InterchangeRow
from mibench.tasks.interchange_rows import to_rows
from mibench.tasks.mib.arithmetic_addition import DATA
from mibench.tasks.task import LeftOut
from mibench.tasks.variable_task import Parts, Training, variable_task


@variable_task(
    name="mib/arithmetic-addition",
    version=1,
    variables=("ones_carry",),
    citation="Mueller et al. 2025, MIB: A Mechanistic Interpretability Benchmark, arXiv:2504.13151",
    licence="Apache-2.0",
    notes="Revision d56d68b7 is as cited by third parties, not verified. Three tokens are generated and the first "
    "number in them is judged; labels have no leading zeros, as MIB's have ('068').",
)
def mib_arithmetic_addition() -> Parts:
    """Addition of two two-digit numbers: the carry of the ones; MIB's public splits."""
    causal = two_digit_addition()

    def rows(split: str, encoder: TextEncoder | None) -> Iterator[InterchangeRow | LeftOut]:  # noqa: ARG001
        return to_rows(DATA.rows(split, parse), causal)

    checker = Checker(3, lambda output: (output,), first_number)
    return Parts(causal, SETS, POSITIONS, checker, rows, training=Training(1, 256, 1e-2), group=template_of)
