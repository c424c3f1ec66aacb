"""Addition of two digits for the variable track: where are the operands, and where is their sum?"""

from __future__ import annotations

from collections.abc import Iterator
from operator import add

from mibench.tasks.arithmetic.additions import POSITIONS, reader
from mibench.tasks.causal.model import CausalModel, Variable
from mibench.tasks.checker import forced
from mibench.tasks.encode import TextEncoder
from mibench.tasks.interchange import InterchangeRow, Setting
from mibench.tasks.interchange_rows import to_rows
from mibench.tasks.shipped import shipped_rows
from mibench.tasks.task import LeftOut
from mibench.tasks.variable_task import Parts, variable_task

SETS = ("random", "same_sum", "operand1")


def digit_addition() -> CausalModel:
    """Return the causal model of a sum of two digits; the worked examples before it have no effect."""
    operands = ("operand1", "operand2")
    return CausalModel(
        "addition of digits",
        (
            Variable("template", doc="The worked examples and the sentence; nothing depends on them."),
            *(Variable(name, domain=range(10)) for name in operands),
            Variable("sum", operands, add, range(19), "The sum."),
            Variable("raw_output", ("sum",), str, doc="The sum as it is written."),
        ),
    )


def one_digit(output: str) -> tuple[str, ...]:
    """Return the answer; none for a sum of two digits, which the worked examples do not show how to write."""
    return (output,) if len(output) == 1 else ()


def inputs(first: int, second: int, template: str) -> Setting:
    """Return the inputs of :func:`digit_addition`."""
    return {"template": template, "operand1": first, "operand2": second}


parse = reader(SETS, inputs, digits=1)


@variable_task(
    name="arithmetic-digit",
    version=1,
    variables=("operand1", "operand2", "sum"),
    citation="Stolfo et al. 2023, arXiv:2305.15054 (task); Mueller et al. 2025, arXiv:2504.13151 (schema)",
    licence="Apache-2.0",
    notes="Generated for mibench; SmolLM2-135M solves it. In same_sum an interchange on the sum changes nothing, in "
    "operand1 one on operand2: these rows are controls.",
)
def arithmetic_digit() -> Parts:
    """Addition of two digits after two worked examples: the operands and the sum; generated."""
    causal = digit_addition()

    def rows(split: str, encoder: TextEncoder | None) -> Iterator[InterchangeRow | LeftOut]:  # noqa: ARG001
        return to_rows(shipped_rows("arithmetic-digit-interchange", split, parse), causal)

    return Parts(causal, SETS, POSITIONS, forced(one_digit), rows, group=lambda row: {"sum": str(_sum(row))})


def _sum(row: InterchangeRow) -> int:
    return int(row.base["operand1"]) + int(row.base["operand2"])
