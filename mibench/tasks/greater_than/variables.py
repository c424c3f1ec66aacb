"""Greater-than for the variable track: where is the decade of the first year?"""

from __future__ import annotations

from collections.abc import Iterator

from mibench.tasks.causal.model import CausalModel, Variable
from mibench.tasks.checker import forced
from mibench.tasks.encode import TextEncoder
from mibench.tasks.fields import Row, bad_field, field, text
from mibench.tasks.interchange import InterchangeRow
from mibench.tasks.interchange_rows import Example, Family, to_rows
from mibench.tasks.positions import Position, last, regex
from mibench.tasks.shipped import shipped_rows
from mibench.tasks.task import LeftOut
from mibench.tasks.variable_task import Parts, variable_task

SETS = ("later", "later_elsewhere", "same_decade")
_YEAR = r"the year (?P<century>\d\d)(?P<decade>\d)(?P<year>\d) to"
POSITIONS: tuple[Position, ...] = (
    regex("decade", _YEAR, "decade"),
    regex("year_end", _YEAR, "year"),
    regex("to", r"\d (?P<to>to) the year", "to"),
    last(),
)
"""Digits of the first year, the word after it, and the century of the second year."""


def later_decade() -> CausalModel:
    """Return the causal model: the answers are the digits above the decade of the first year, all of them right."""
    decades = range(10)
    return CausalModel(
        "later decade",
        (
            Variable("noun", doc="What lasted; nothing depends on it."),
            Variable("century", domain=range(100), doc="Of both years; nothing depends on it."),
            Variable("start", domain=range(100), doc="First year of the century."),
            Variable("decade", ("start",), lambda start: start // 10, decades, "Its digit of the decade."),
            Variable("raw_output", ("decade",), later, doc="Digits of later decades."),
        ),
    )


def later(decade: int) -> tuple[str, ...]:
    """Return the digits of the decades after ``decade``; the next one is the first."""
    return tuple(map(str, range(decade + 1, 10)))


def parse(row: Row, where: str) -> Family:
    """Read a row.

    Raises:
        DataError: A column is missing or holds something else.
    """
    base, *sources = (_example(row, record, where) for record in ("", *(f"{name}_counterfactual." for name in SETS)))
    return Family(base, dict(zip(SETS, sources, strict=True)))


def _example(row: Row, record: str, where: str) -> Example:
    inputs = {name: _two_digits(row, f"{record}{name}", where) for name in ("century", "start")}
    noun = text(row, f"{record}noun", where)
    return Example(text(row, f"{record}prompt", where), {"noun": noun, **inputs}, later(inputs["start"] // 10))


def _two_digits(row: Row, path: str, where: str) -> int:
    value = field(row, path)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 100:
        raise bad_field(path, where, "It is not a whole number from 0 to 99.")
    return value


@variable_task(
    name="greater-than-digit",
    version=1,
    variables=("decade",),
    citation="Hanna et al. 2023, arXiv:2305.00586 (task)",
    licence="Apache-2.0",
    notes="Generated for mibench, for tokenizers that write numbers digit by digit (SmolLM2). Every later decade is "
    "right; the decade of the first year itself is not. The sources' decades are later than the bases', since an "
    "earlier one would leave every answer of the base right.",
)
def greater_than_digit() -> Parts:
    """A second year is greater than the first: the decade of the first; generated."""
    causal = later_decade()

    def rows(split: str, encoder: TextEncoder | None) -> Iterator[InterchangeRow | LeftOut]:  # noqa: ARG001
        return to_rows(shipped_rows("greater-than-interchange", split, parse), causal)

    return Parts(causal, SETS, POSITIONS, forced(tuple), rows, group=lambda row: {"noun": str(row.base["noun"])})
