"""Addition: four heads bring digits as numbers, one MLP finds the carry, the next turns a sum into a digit."""

from __future__ import annotations

from mibench.planted.logic import Channel, Form, Head, Logic, Neuron, Place, features, readout, table
from mibench.planted.words import BASE, CARRY, DIGITS

_OFFSETS = {"a1": 5, "a0": 4, "b1": 2, "b0": 1}
"""How many words before the last one the digits stand, in the order of the heads."""
_LARGEST = 2 * BASE - 1


def carry(*, steep: bool = False) -> Logic:
    """Return the program.

    Args:
        steep: MLPs are staircases, with no gradient where a number is near a whole one.
    """
    into = {name: (f"input->a0.h{head}<v>",) for head, name in enumerate(_OFFSETS)}
    ones = (*into["a0"], *into["b0"], "a0.h1->m0", "a0.h3->m0", "m0->m1")
    out = ("m1->logits",)
    return Logic(
        name="planted-carry",
        note="adds two numbers in base five and says the digit before the last",
        words=CARRY,
        n_layers=2,
        heads=tuple(_bring(head, name, offset) for head, (name, offset) in enumerate(_OFFSETS.items())),
        neurons=(*_carries(steep=steep), *_digits(steep=steep)),
        answers=readout("out", DIGITS, 8.0),
        edges={
            "random": (*ones, *into["a1"], *into["b1"], "a0.h0->m1", "a0.h2->m1", *out),
            "carry": ones + out,
            "tens": (*into["a1"], "a0.h0->m1", *out),
        },
        places=(
            Place("carry", 0, "last", ("carry:yes",), mlp=True),
            Place("answer", 1, "last", features("out", DIGITS), mlp=True),
        ),
    )


def _bring(index: int, name: str, offset: int) -> Head:
    reads = {f"tok:{digit}": float(value) for value, digit in enumerate(DIGITS)}
    return Head(0, index, offsets=(offset,), reach=6.5, channels=(Channel(reads, {f"{name}:number": 1.0}),))


def _carries(*, steep: bool) -> tuple[Neuron, ...]:
    half = 0.125 if steep else 0.25
    middle = BASE - 0.5
    knots: dict[float, Form] = {middle - half: {}, middle + half: {"carry:yes": 1.0}}
    return table(0, {"a0:number": 1.0, "b0:number": 1.0}, knots, 64.0 if steep else 16.0)


def _digits(*, steep: bool) -> tuple[Neuron, ...]:
    reads = {"a1:number": 1.0, "b1:number": 1.0, "carry:yes": 1.0}
    steps = [step / 2 for step in range(-1, 2 * _LARGEST + 2)]
    knots = {step: _nearness(step) for step in steps}
    if steep:
        flat = [(value, side) for value in range(_LARGEST + 1) for side in (-0.375, 0.375)]
        knots = {value + side: _nearness(value) for value, side in flat}
    return table(1, reads, knots, 64.0 if steep else 16.0)


def _nearness(total: float) -> Form:
    """How near each digit is to a sum, around the circle of digits: 2 for its own, falling evenly."""
    apart = [abs((total - digit + BASE / 2) % BASE - BASE / 2) for digit in range(BASE)]
    return {f"out:{DIGITS[digit]}": 2.0 - 0.75 * apart[digit] for digit in range(BASE)}
