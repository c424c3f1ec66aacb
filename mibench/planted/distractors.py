"""Distractors: heads and neurons that read what the program reads, and write where it does not look."""

from __future__ import annotations

from mibench.planted.attention import N_HEADS
from mibench.planted.draws import Draws
from mibench.planted.logic import NUMBER, ONE, Channel, Form, Head, Logic, Neuron, Term

NOISE = "noise:"
"""Begins the names of features that only distractors write."""
_CHANNELS = 6
_NEURONS = 6
_WORDS = 8
_STRENGTH = 5.5
_SIZE = 0.5
"""What a distractor writes, where the program writes 1."""


def distractors(logic: Logic, draws: Draws) -> tuple[tuple[Head, ...], tuple[Neuron, ...]]:
    """Return a distractor for every head that the program leaves, and some neurons a layer.

    Of the heads, one looks some words back, the next from some words to others.
    """
    taken = {(head.layer, head.index) for head in logic.heads}
    heads, neurons = [], []
    for layer in range(logic.n_layers):
        for index in range(N_HEADS):
            if (layer, index) not in taken:
                heads.append(_head(logic, layer, index, draws))
        neurons += [_neuron(logic, layer, number, draws) for number in range(_NEURONS)]
    return tuple(heads), tuple(neurons)


def _head(logic: Logic, layer: int, index: int, draws: Draws) -> Head:
    readable = draws.some(_readable(logic, layer), _CHANNELS)
    channels = tuple(
        Channel({name: _unit(name)}, _noise(f"{layer}.{index}.{place}")) for place, name in enumerate(readable)
    )
    if index % 2:
        return Head(layer, index, offsets=(1 + draws.below(5),), reach=_STRENGTH, channels=channels)
    return Head(layer, index, terms=_links(logic, draws), channels=channels)


def _links(logic: Logic, draws: Draws) -> tuple[Term, ...]:
    words = [f"tok:{word}" for word in logic.words]
    pairs = zip(draws.some(words, _WORDS), draws.some(words, _WORDS), strict=True)
    return tuple(Term({query: 1.0}, {key: 1.0}, _STRENGTH) for query, key in pairs)


def _neuron(logic: Logic, layer: int, number: int, draws: Draws) -> Neuron:
    one, other = draws.some(_readable(logic, layer + 1), 2)
    return Neuron(layer, {one: _unit(one), other: _unit(other), ONE: -0.25}, _noise(f"{layer}.m.{number}"))


def _unit(name: str) -> float:
    """What makes a feature's largest value about 1."""
    return 0.25 if name.endswith(NUMBER) else 1.0


def _readable(logic: Logic, layer: int) -> list[str]:
    """Features of words, and those that the program has written before a layer."""
    return [f"tok:{word}" for word in logic.words[1:]] + [name for at, name in logic.written if at < layer]


def _noise(name: str) -> Form:
    return {f"{NOISE}{name}": _SIZE}
