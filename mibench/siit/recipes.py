"""The models that are trained: program, shape, alignment, and how long at most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mibench.core.names import unknown
from mibench.planted.tokenizer import UNKNOWN
from mibench.siit.alignment import Alignment
from mibench.siit.examples import Reader
from mibench.siit.losses import Weights
from mibench.siit.network import Sizes
from mibench.tasks.known.program import Program
from mibench.tasks.known.programs import load_program

_N_POSITIONS = 16


@dataclass(frozen=True)
class Recipe:
    """How a model is made.

    Attributes:
        program: Name of its program, and of the model.
        shape: Layers, heads a layer, width, neurons of an MLP.
        nodes: Nodes by variable, as in :class:`Alignment`.
        at: Positions by variable, as in :class:`Reader`.
        steps: Steps at full learning rate, at most; fewer if the checks hold before.
        decay: Steps after that, in which the learning rate falls to 0.
        batch: Prompts of a step.
        lr: Learning rate.
        seed: Of the first weights and of all prompts.
        weights: Of the losses.
        dropped: True edges that are left out of a mixture, at most, as in :class:`Reader`.
    """

    program: str
    shape: tuple[int, int, int, int]
    nodes: Mapping[str, tuple[str, ...]]
    at: Mapping[str, str] = field(default_factory=dict)
    steps: int = 3000
    decay: int = 400
    batch: int = 256
    lr: float = 2e-3
    seed: int = 0
    weights: Weights = field(default_factory=Weights)
    dropped: int | None = None

    @property
    def loaded(self) -> Program:
        """Its program."""
        return load_program(self.program)

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """Words of the tokenizer: the program's, and the one that stands for all others."""
        return (*self.loaded.words, UNKNOWN)

    @property
    def sizes(self) -> Sizes:
        """The network's shape."""
        layers, heads, width, inner = self.shape
        return Sizes(layers, heads, width, inner, _N_POSITIONS, len(self.vocabulary))

    @property
    def reader(self) -> Reader:
        """The program's prompts, with the alignment."""
        program = self.loaded
        return Reader(program, Alignment(program.causal, self.sizes.graph, self.nodes), self.at, self.dropped)

    @property
    def content(self) -> dict[str, Any]:
        """Everything that decides what the training comes to, but for the program itself."""
        fields = vars(self) | {"nodes": {name: list(nodes) for name, nodes in self.nodes.items()}}
        fields |= {"at": dict(self.at)}
        return fields | {"shape": list(self.shape), "weights": vars(self.weights), "words": list(self.vocabulary)}


RECIPES: Mapping[str, Recipe] = {
    recipe.program: recipe
    for recipe in (
        Recipe(
            "siit-ioi",
            (6, 4, 64, 128),
            {"repeated": ("a1.h1",), "inhibited": ("a3.h2",), "answer": ("a5.h0",)},
            {"repeated": "subject", "inhibited": "last"},
            batch=128,
            lr=1e-3,
        ),
        Recipe(
            "siit-addition",
            (2, 4, 64, 192),
            {
                "ones1": ("a0.h0",),
                "ones2": ("a0.h1",),
                "tens1": ("a0.h2",),
                "tens2": ("a0.h3",),
                "carry": ("m0",),
                "answer": ("m1",),
            },
            {"carry": "last"},
            steps=2000,
            decay=1000,
            weights=Weights(edges=2.0),
            dropped=3,
        ),
        Recipe(
            "siit-mcqa",
            (3, 4, 48, 96),
            {"asked": ("a0.h2",), "answer_pointer": ("a1.h0",), "answer": ("a2.h3",)},
            {"answer_pointer": "last"},
            decay=1000,
            batch=192,
        ),
        Recipe(
            "siit-greater-than",
            (3, 4, 48, 96),
            {
                "decade1": ("a0.h1",),
                "decades": ("m0",),
                "year1": ("a1.h3",),
                "years": ("m1",),
                "answer": ("a2.h2",),
            },
            {"decades": "decade2", "years": "year2"},
            batch=192,
        ),
        Recipe(
            "siit-ravel",
            (2, 4, 48, 128),
            {
                "country": ("a0.h0",),
                "continent": ("a0.h2",),
                "language": ("a1.h1",),
                "queried_attribute": ("a1.h3",),
                "answer": ("m1",),
            },
            {"country": "last", "continent": "last", "language": "last"},
            batch=192,
        ),
        Recipe(
            "siit-hop",
            (3, 4, 48, 128),
            {"name1+name2": ("a0.h1",), "asked": ("a0.h2",), "city": ("a1.h0",), "answer": ("m2",)},
            {"city": "last"},
            batch=192,
        ),
        Recipe(
            "siit-logic",
            (2, 4, 32, 64),
            {
                "first": ("a0.h0",),
                "join": ("a0.h1",),
                "second": ("a0.h2",),
                "last_join": ("a0.h3",),
                "third": ("a1.h2",),
                "inner": ("m0",),
                "answer": ("m1",),
            },
        ),
    )
}
"""By name."""


def recipe_of(name: str) -> Recipe:
    """Return the recipe of that name.

    Raises:
        UsageError: There is none.
    """
    if name not in RECIPES:
        raise unknown("trained model", name, RECIPES)
    return RECIPES[name]
