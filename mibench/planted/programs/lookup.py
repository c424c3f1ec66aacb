"""Lookup: a head brings the entity to the relation, and one neuron for each pair of them writes the value."""

from __future__ import annotations

from itertools import product

from mibench.planted.logic import ONE, Head, Logic, Neuron, Place, copy, features, readout, table
from mibench.planted.words import ENTITIES, LOOKUP, RELATIONS, TABLE, VALUES


def lookup(*, steep: bool = False) -> Logic:
    """Return the program.

    Args:
        steep: Neurons are steps, with no gradient where they are wholly on or off.
    """
    entity, relation, out = ("input->a0.h0<v>", "a0.h0->m1"), ("input->m1",), ("m1->logits",)
    return Logic(
        name="planted-lookup",
        note="looks up the value of an entity and a relation",
        words=LOOKUP,
        n_layers=2,
        heads=(Head(0, 0, offsets=(1,), channels=copy("tok", "entity", ENTITIES)),),
        neurons=tuple(
            neuron
            for row, column in product(range(len(ENTITIES)), range(len(RELATIONS)))
            for neuron in _both(row, column, steep=steep)
        ),
        answers=readout("out", VALUES, 10.0),
        edges={
            "random": entity + relation + out,
            "entity": entity + out,
            "relation": relation + out,
        },
        places=(
            Place("entity", 0, "last", features("entity", ENTITIES), head=0),
            Place("answer", 1, "last", features("out", VALUES), mlp=True),
        ),
    )


def _both(row: int, column: int, *, steep: bool) -> tuple[Neuron, ...]:
    """Neurons that are on where both the entity and the relation are there."""
    reads = {f"entity:{ENTITIES[row]}": 1.0, f"tok:{RELATIONS[column]}": 1.0}
    value = f"out:{VALUES[TABLE[row][column]]}"
    if steep:
        return table(1, reads, {1.375: {}, 1.5: {value: 1.0}}, 64.0)
    return (Neuron(1, {**reads, ONE: -1.375}, {value: 1.75}),)
