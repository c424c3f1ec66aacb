"""Generate the additions of the variable track: ``python -m mibench.tasks.arithmetic.generate_interchange``.

With ``--set NAME --out data/NAME``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mibench.tasks.arithmetic.generate import ADDITION, Operands
from mibench.tasks.generate import Draws, Recipe, main

_TWO_DIGITS = (10, 99)
_DIGITS = [(one, other) for one in range(1, 9) for other in range(1, 9) if one + other < 10]


@dataclass(frozen=True)
class Addition:
    """What one row is made of.

    Attributes:
        template: Sentence with slots; it ends with a space, so that the number itself is next.
        operands: The two numbers.
        others: Two numbers for each counterfactual set.
        groups: What the prompts are about; see :class:`mibench.tasks.generate.Scene`.
    """

    template: str
    operands: Operands
    others: Mapping[str, Operands]
    groups: Sequence[Any]

    def record(self, operands: Operands) -> dict[str, Any]:
        """Return prompt, label and the operands."""
        first, second = operands
        prompt = self.template.format(operand1=first, operand2=second)
        return {"prompt": prompt, "label": first + second, "operand1": first, "operand2": second}

    def row(self) -> dict[str, Any]:
        """Return the row in the schema of MIB's arithmetic sets."""
        head = {"template": self.template, "operator": "+", "num_digit": len(str(self.operands[0]))}
        sources = {f"{name}_counterfactual": self.record(other) for name, other in self.others.items()}
        return head | self.record(self.operands) | sources


def draw_two_digits(draws: Draws, _index: int) -> Addition:
    """Draw two numbers of two digits, two others, and two with the same tens and the other carry of the ones."""
    operands, other = _pair(draws), _pair(draws)
    while sum(other) == sum(operands):
        other = _pair(draws)
    others = {"random": other, "ones_carry": _other_carry(draws, operands)}
    groups = [sorted(operands), *map(sorted, others.values())]
    return Addition(draws.one(ADDITION), operands, others, groups)


def _pair(draws: Draws) -> Operands:
    return draws.between(*_TWO_DIGITS), draws.between(*_TWO_DIGITS)


def _other_carry(draws: Draws, operands: Operands) -> Operands:
    """Keep the tens; the ones have the other carry and another last digit of the sum: only the carry is right."""
    tens, ones = [number - number % 10 for number in operands], sum(number % 10 for number in operands)
    while True:
        found = draws.below(10), draws.below(10)
        if (sum(found) > 9) != (ones > 9) and sum(found) % 10 != ones % 10:
            return tens[0] + found[0], tens[1] + found[1]


def draw_digit(draws: Draws, _index: int) -> Addition:
    """Draw a sum of digits, three other ones, and two worked examples.

    ``random`` tells all variables apart: base, source and the two mixed sums differ. No result of any interchange is
    above nine or is an example's, so copying an example is never right.
    """
    while True:
        base = draws.one(_DIGITS)
        candidates = {name: [one for one in _DIGITS if fits(base, one)] for name, fits in _DIGIT_SETS.items()}
        if not all(candidates.values()):
            continue
        others = {name: draws.one(found) for name, found in candidates.items()}
        taken = {total for other in others.values() for total in _totals(base, other)}
        free = [one for one in _DIGITS if sum(one) not in taken]
        if len({sum(one) for one in free}) > 1:
            break
    first = draws.one(free)
    second = draws.one([one for one in free if sum(one) != sum(first)])
    shown = "".join(f"{one} + {other} = {one + other}\n" for one, other in (first, second))
    return Addition(shown + ADDITION[0], base, others, groups=[[list(first), list(second)]])


def _totals(base: Operands, source: Operands) -> tuple[int, int, int, int]:
    """Return what the model may have to say: no interchange, on the first, on the second operand, on the sum."""
    return sum(base), source[0] + base[1], base[0] + source[1], sum(source)


_DIGIT_SETS: Mapping[str, Callable[[Operands, Operands], bool]] = {
    "random": lambda base, one: max(_totals(base, one)) < 10 and len(set(_totals(base, one))) == 4,
    "same_sum": lambda base, one: max(_totals(base, one)) < 10 and sum(one) == sum(base) and one != base,
    "operand1": lambda base, one: one[1] == base[1] and one != base,
}

RECIPES = (
    Recipe("arithmetic-addition-interchange", seed=20266, sizes=(200, 100, 100), draw=draw_two_digits),
    Recipe("arithmetic-digit-interchange", seed=20267, sizes=(200, 100, 100), draw=draw_digit),
)

if __name__ == "__main__":
    main(*RECIPES)
