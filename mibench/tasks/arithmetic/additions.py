"""Additions for the variable track: the schema of their rows, and where the operands stand."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from mibench.tasks.fields import Row, bad_field, field, label, text
from mibench.tasks.interchange import Setting
from mibench.tasks.interchange_rows import Example, Family
from mibench.tasks.positions import Position, last, regex
from mibench.tasks.select import NO_COUNTERFACTUAL
from mibench.tasks.task import LeftOut

_NUMBER = r"[0-9]+"
POSITIONS: tuple[Position, ...] = (
    regex("op1_last", _NUMBER, occurrence=-2),
    regex("op2_last", _NUMBER, occurrence=-1),
    last(),
)
"""The last tokens of the operands, which are the last two numbers of a prompt, and of the prompt; MIB's ids."""
Inputs = Callable[[int, int, str], Setting]
"""From the operands and the template to the inputs of a causal model."""
_DIGITS = LeftOut("another number of digits")
_ELSEWHERE = LeftOut("operands that are not the last two numbers of the prompt")


def reader(sets: Sequence[str], inputs: Inputs, *, digits: int) -> Callable[[Row, str], Family | LeftOut]:
    """Return what reads a row of MIB's schema; columns that are not used are ignored.

    Args:
        sets: Counterfactual sets.
        inputs: Makes the inputs of the causal model.
        digits: Digits of the operands, as the column ``num_digit`` says; rows with others are left out.
    """

    def parse(row: Row, where: str) -> Family | LeftOut:
        if text(row, "operator", where) != "+":
            return LeftOut("another operator")
        if label(field(row, "num_digit"), "num_digit", where) != str(digits):
            return _DIGITS
        base, *sources = (
            _example(row, record, where, inputs, digits)
            for record in ("", *(f"{name}_counterfactual." for name in sets))
        )
        return base if isinstance(base, LeftOut) else Family(base, dict(zip(sets, sources, strict=True)))

    return parse


def _example(row: Row, record: str, where: str, inputs: Inputs, digits: int) -> Example | LeftOut:
    if record and field(row, f"{record}prompt") is None:
        return NO_COUNTERFACTUAL
    prompt = text(row, f"{record}prompt", where)
    operands = [_number(row, f"{record}operand{place}", where) for place in (1, 2)]
    if [int(number) for number in re.findall(_NUMBER, prompt)[-2:]] != operands:
        return _ELSEWHERE
    if max(operands) >= 10**digits:
        return _DIGITS
    template = str(field(row, "template") or "")
    return Example(prompt, inputs(operands[0], operands[1], template), str(_number(row, f"{record}label", where)))


def _number(row: Row, path: str, where: str) -> int:
    written = label(field(row, path), path, where)
    if not re.fullmatch(r"[0-9]{1,9}", written):
        raise bad_field(path, where, "It is not a whole number below 10⁹.")
    return int(written)
