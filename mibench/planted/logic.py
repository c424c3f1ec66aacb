"""What a planted program says: which features are read, matched, copied and added, and what is known of it.

A feature is a named direction of the residual stream. ``tok:WORD`` is written by a word's embedding, ``one`` is the
same everywhere; all others are written by heads and neurons. A form is a weighted sum of features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

Form = Mapping[str, float]
"""Weights by feature: what a dot product reads, or what is written."""
ONE = "one"
"""The feature that every word has: a constant, so that biases can be read from it."""

NUMBER = ":number"
"""Ends the name of a feature whose size, up to 4, says a number; others are there (1) or not (0)."""


@dataclass(frozen=True)
class Term:
    """A part of a head's attention score: ``strength`` × the query's form × the key's form."""

    query: Form
    key: Form
    strength: float


@dataclass(frozen=True)
class Channel:
    """What a head moves: the value of ``reads`` where it looks is written as ``writes``."""

    reads: Form
    writes: Form


@dataclass(frozen=True)
class Head:
    """An attention head.

    Attributes:
        layer: Its layer.
        index: Its number there.
        terms: Content that it looks for.
        offsets: How many words back it looks; none: anywhere.
        reach: Score of a word at one of the offsets, above all others.
        channels: What it moves.
    """

    layer: int
    index: int
    terms: tuple[Term, ...] = ()
    offsets: tuple[int, ...] = ()
    reach: float = 5.5
    channels: tuple[Channel, ...] = ()

    @property
    def name(self) -> str:
        """Its name in the graph."""
        return f"a{self.layer}.h{self.index}"


@dataclass(frozen=True)
class Neuron:
    """An MLP neuron: max(0, ``reads``) × ``writes``, with a corner that is as sharp as ``sharpness``."""

    layer: int
    reads: Form
    writes: Form
    sharpness: float = 16.0


@dataclass(frozen=True)
class Place:
    """Where a variable of the causal model lives: differences between ``features`` at a position after a layer.

    Attributes:
        variable: Its name.
        layer: The layer after which it is in the residual stream.
        position: Name of the task's position selector.
        features: One a value; a single one where the value is its size.
        head: A head of that layer that writes it, if one does.
        mlp: The MLP of that layer writes it.
    """

    variable: str
    layer: int
    position: str
    features: tuple[str, ...]
    head: int | None = None
    mlp: bool = False


@dataclass(frozen=True)
class Logic:
    """A planted program.

    Attributes:
        name: Name of the program and of its task.
        note: What it does, in a few words.
        words: Its vocabulary, ``<s>`` first.
        n_layers: Layers of its network.
        heads: Heads that carry it.
        neurons: Neurons that carry it.
        answers: What the unembedding of a word reads.
        edges: True edges, by counterfactual set; those of the first are all edges of the program.
        places: Where variables live.
    """

    name: str
    note: str
    words: tuple[str, ...]
    n_layers: int
    heads: tuple[Head, ...]
    answers: Mapping[str, Form]
    edges: Mapping[str, tuple[str, ...]]
    places: tuple[Place, ...]
    neurons: tuple[Neuron, ...] = field(default=())

    @property
    def written(self) -> tuple[tuple[int, str], ...]:
        """Features that heads and neurons write, each with the layer that writes it."""
        found: dict[str, int] = {}
        for head in self.heads:
            for channel in head.channels:
                found |= dict.fromkeys(channel.writes, head.layer)
        for neuron in self.neurons:
            found |= dict.fromkeys(neuron.writes, neuron.layer)
        return tuple((layer, name) for name, layer in found.items())


def features(space: str, labels: Sequence[str]) -> tuple[str, ...]:
    """Return the features of a space: one a label."""
    return tuple(f"{space}:{label}" for label in labels)


def match(query: str, key: str, labels: Sequence[str], strength: float) -> tuple[Term, ...]:
    """Return the terms that look for the label of space ``query`` in space ``key``."""
    return tuple(Term({f"{query}:{label}": 1.0}, {f"{key}:{label}": 1.0}, strength) for label in labels)


def prefer(names: Sequence[str], strength: float) -> Term:
    """Return the term that looks for any of some features, whatever the query."""
    return Term({ONE: 1.0}, dict.fromkeys(names, 1.0), strength)


def copy(source: str, target: str, labels: Sequence[str], weight: float = 1.0) -> tuple[Channel, ...]:
    """Return the channels that move the labels of one space to another."""
    return tuple(Channel({f"{source}:{label}": 1.0}, {f"{target}:{label}": weight}) for label in labels)


def readout(space: str, labels: Sequence[str], logits: float) -> dict[str, Form]:
    """Return the answers that read one feature each: so many nats for a feature of size 1."""
    return {label: {f"{space}:{label}": logits} for label in labels}


def table(layer: int, reads: Form, knots: Mapping[float, Form], sharpness: float) -> tuple[Neuron, ...]:
    """Return neurons that write a piecewise linear function of ``reads``, constant outside its knots.

    Args:
        layer: Their layer.
        reads: The number that it is a function of.
        knots: What is written at some values of it.
        sharpness: Of every corner.
    """
    places = sorted(knots)
    names = sorted({name for form in knots.values() for name in form})
    heights = np.array([[knots[place].get(name, 0.0) for name in names] for place in places])
    slopes = np.diff(heights, axis=0) / np.diff(places)[:, None]
    bends = np.diff(np.pad(slopes, ((1, 1), (0, 0))), axis=0)
    forms = [{name: float(bend) for name, bend in zip(names, row, strict=True) if bend} for row in bends]
    corners = [
        Neuron(layer, {**reads, ONE: -place}, form, sharpness) for place, form in zip(places, forms, strict=True)
    ]
    level = Neuron(layer, {ONE: 1.0}, knots[places[0]], sharpness)
    return tuple(neuron for neuron in (level, *corners) if neuron.writes)
