"""Addition of two-digit numbers for the variable track: where is the carry of the ones?"""

from __future__ import annotations

from collections.abc import Iterator

from mibench.tasks.arithmetic.additions import POSITIONS, reader
from mibench.tasks.causal.model import CausalModel, Variable
from mibench.tasks.checker import forced
from mibench.tasks.encode import TextEncoder
from mibench.tasks.interchange import InterchangeRow, Setting
from mibench.tasks.interchange_rows import to_rows
from mibench.tasks.shipped import shipped_rows
from mibench.tasks.task import LeftOut
from mibench.tasks.variable_task import Parts, variable_task

SETS = ("random", "ones_carry")
_DIGIT = range(10)


def two_digit_addition() -> CausalModel:
    """Return the causal model of column addition; its output is the sum as it is written, without leading zeros."""
    digits = [Variable(name, domain=_DIGIT) for name in ("op1_tens", "op1_ones", "op2_tens", "op2_ones")]
    ones, tens = ("op1_ones", "op2_ones"), ("op1_tens", "op2_tens", "ones_carry")
    return CausalModel(
        "two-digit addition",
        (
            Variable("template", doc="The sentence; nothing depends on it."),
            *digits,
            Variable("ones_carry", ones, lambda one, other: int(one + other > 9), (0, 1), "Carry of the ones."),
            Variable("ones_out", ones, lambda one, other: (one + other) % 10, _DIGIT, "Last digit of the sum."),
            Variable("tens_out", tens, lambda *digits: sum(digits) % 10, _DIGIT, "Its digit of the tens."),
            Variable("hundreds_out", tens, lambda *digits: int(sum(digits) > 9), (0, 1), "Its digit of the hundreds."),
            Variable("raw_output", ("hundreds_out", "tens_out", "ones_out"), _written, doc="The sum as it is written."),
        ),
    )


def inputs(first: int, second: int, template: str) -> Setting:
    """Return the inputs of :func:`two_digit_addition`."""
    (op1_tens, op1_ones), (op2_tens, op2_ones) = divmod(first, 10), divmod(second, 10)
    digits = {"op1_tens": op1_tens, "op1_ones": op1_ones, "op2_tens": op2_tens, "op2_ones": op2_ones}
    return {"template": template, **digits}


def template_of(row: InterchangeRow) -> dict[str, str]:
    """Return the row's sentence, for splits by sentence."""
    return {"template": str(row.base["template"])}


def _written(hundreds: int, tens: int, ones: int) -> str:
    return str(100 * hundreds + 10 * tens + ones)


parse = reader(SETS, inputs, digits=2)


@variable_task(
    name="arithmetic-addition",
    version=1,
    variables=("ones_carry",),
    citation="Stolfo et al. 2023, arXiv:2305.15054 (task); Mueller et al. 2025, arXiv:2504.13151 (model, schema)",
    licence="Apache-2.0",
    notes="Generated for mibench. Sums are written without leading zeros and all their tokens are judged, so it works "
    "for tokenizers of single digits and of whole numbers. No small model is known to solve it.",
)
def arithmetic_addition() -> Parts:
    """Addition of two two-digit numbers: the carry of the ones; generated."""
    causal = two_digit_addition()

    def rows(split: str, encoder: TextEncoder | None) -> Iterator[InterchangeRow | LeftOut]:  # noqa: ARG001
        return to_rows(shipped_rows("arithmetic-addition-interchange", split, parse), causal)

    return Parts(causal, SETS, POSITIONS, forced(), rows, group=template_of)
