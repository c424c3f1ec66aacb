"""Gates of uniform gradient sampling (Li, Janson 2024, arXiv 2409.09951).

With p = σ(θ) and w = p (1 − p), a gate is 1 with probability p − w/2, 0 with probability 1 − p − w/2, and else uniform
on [0, 1], where it moves by 1/w a unit of p. The gradient towards θ is then an
unbiased one of p · loss(1) + (1 − p) · loss(0).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mibench.graph.graph import Graph
from mibench.methods.masks.units import Units


def uniform_gates(theta: Tensor, uniform: Tensor) -> Tensor:
    """Gates ``[…, units]`` from uniform noise of that shape; the window's width is no path for gradients."""
    chance = theta.sigmoid()
    width = (chance * (1 - chance)).detach()
    return ((chance - uniform) / width.clamp_min(torch.finfo(width.dtype).tiny) + 0.5).clamp(0, 1)


def head_load(graph: Graph, chances: Tensor) -> Tensor:
    """Expected number of edges into and out of every head, ``[n_layers · n_heads]``, from ``chances`` of all edges."""
    layers, heads = graph.n_layers, graph.n_heads
    outgoing = chances.sum(1)[1:].view(layers, heads + 1)[:, :heads]
    into = chances[:, :-1].sum(0).view(layers, 3 * heads + 1)[:, : 3 * heads]
    # Not added by index: the order of that is left open on graphics cards.
    q, k, v = into.reshape(layers, 3, heads).unbind(1)
    return (outgoing + (q + k + v)).flatten()


@dataclass
class UniformGates:
    """Gates of edges that pay for what they keep.

    The penalty is ``complexity`` · expected number of edges + ``node_cost`` · Σ over heads of
    tanh(2 · expected edges at the head / number of heads).

    Attributes:
        theta: What is learnt, ``[units]``.
        units: The edges.
        graph: The graph.
        lr: Learning rate.
        complexity: Price of an edge.
        generator: Draws the noise.
    """

    theta: Tensor
    units: Units
    graph: Graph
    lr: float
    complexity: float
    generator: torch.Generator

    @property
    def node_cost(self) -> float:
        """Price of a head."""
        return min(self.complexity / 2, 2e-4)

    def groups(self) -> list[dict[str, Any]]:
        """The one learnt tensor."""
        return [{"params": [self.theta], "lr": self.lr}]

    def draw(self, examples: int) -> Tensor:
        """A mask for each example, ``[examples, units]``."""
        uniform = torch.rand(examples, len(self.theta), generator=self.generator, dtype=self.theta.dtype)
        return uniform_gates(self.theta, uniform.to(self.theta.device))

    def penalty(self, step: int) -> Tensor:  # noqa: ARG002
        """What the expected circuit costs."""
        chances = self.theta.sigmoid()
        load = head_load(self.graph, self.units.table(chances))
        return self.complexity * chances.sum() + self.node_cost * (2 * load / len(load)).tanh().sum()

    def expected(self) -> Tensor:
        """The probability p of every gate."""
        return self.theta.detach().sigmoid()
