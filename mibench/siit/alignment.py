"""Which nodes of a network hold which causal variable, and the edges that follow from it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from mibench.core.errors import DataError, UsageError
from mibench.graph.graph import SLOTS, Graph
from mibench.tasks.causal.model import CausalModel
from mibench.tasks.interchange import Setting

INPUT, LOGITS = "input", "logits"
_NODE = re.compile(r"a(?P<layer>\d+)\.h(?P<head>\d+)|m(?P<mlp>\d+)")
Flow = tuple[str, str]
"""An edge between nodes, without slots: ``("a0.h1", "m1")``."""
Link = tuple[str, str]
"""An edge between variables: ``("carry", "answer")``."""


@dataclass(frozen=True)
class Alignment:
    """Causal variables and the nodes that are to hold them.

    Attributes:
        causal: The causal model.
        graph: The network's graph.
        nodes: Nodes by variable, such as ``{"carry": ("m0",)}``, or by several joined by ``+`` that they hold together.

    Raises:
        UsageError: A variable or node is unknown, a node is named twice, or does not come after its parents'.
    """

    causal: CausalModel
    graph: Graph
    nodes: Mapping[str, tuple[str, ...]]

    def __post_init__(self) -> None:
        parts = [part for key in self.nodes for part in self.causal.parts(key)]
        named = [node for nodes in self.nodes.values() for node in nodes]
        for node in named:
            self.graph.source_index(node)
        if len(set(named)) < len(named) or len(set(parts)) < len(parts) or INPUT in named:
            raise _wrong("a variable or node is named twice, or is 'input'", "Give every variable nodes of its own.")
        for source, destination in self.flows:
            if destination != LOGITS and not self._reads(source, destination):
                raise _wrong(f"{destination} comes before {source}", "Put variables after those they depend on.")

    @cached_property
    def circuit(self) -> tuple[str, ...]:
        """All aligned nodes, in the graph's order."""
        named = {node for nodes in self.nodes.values() for node in nodes}
        return tuple(name for name in self.graph.source_names if name in named)

    @cached_property
    def others(self) -> tuple[str, ...]:
        """Nodes outside the circuit, in the graph's order."""
        return tuple(name for name in self.graph.source_names[1:] if name not in self.circuit)

    @cached_property
    def owners(self) -> dict[str, str]:
        """Key of :attr:`nodes` that a variable belongs to, for those that are aligned."""
        return {part: key for key in self.nodes for part in self.causal.parts(key)}

    def parents(self, variable: str) -> tuple[str, ...]:
        """Return the nearest ancestors of a variable that are aligned or inputs; an input is its own."""
        by_name = {one.name: one for one in self.causal.variables}
        if by_name[variable].mechanism is None:
            return (variable,)
        found: dict[str, None] = {}
        for parent in by_name[variable].parents:
            stop = parent in self.owners or by_name[parent].mechanism is None
            found |= dict.fromkeys((parent,) if stop else self.parents(parent))
        return tuple(found)

    @cached_property
    def links(self) -> dict[Link, tuple[str, ...]]:
        """Which variables are handed on, by (source, destination).

        The source is a key of :attr:`nodes` or ``input``, the destination a key or ``logits``.
        """
        output = self.causal.output
        found: dict[Link, tuple[str, ...]] = {}
        ends = [(part, key) for part, key in self.owners.items()]
        for part, end in ends if output in self.owners else [*ends, (output, LOGITS)]:
            for parent in self.parents(part):
                link = (INPUT if parent == part else self.owners.get(parent, INPUT), end)
                found[link] = tuple(dict.fromkeys((*found.get(link, ()), parent)))
        if output in self.owners:
            found[self.owners[output], LOGITS] = (output,)
        return found

    @cached_property
    def flows(self) -> tuple[Flow, ...]:
        """Edges between nodes that follow from the causal graph."""
        return self.flows_of(self.links)

    def flows_of(self, links: Iterable[Link]) -> tuple[Flow, ...]:
        """Edges between nodes that stand for some of :attr:`links`."""
        ends = {INPUT: (INPUT,), LOGITS: (LOGITS,), **self.nodes}
        return tuple((one, other) for source, to in links for one in ends[source] for other in ends[to])

    @cached_property
    def flow_links(self) -> tuple[Link, ...]:
        """The link that each of :attr:`flows` stands for."""
        return tuple(link for link in self.links for _ in self.flows_of([link]))

    def edges_of(self, links: Iterable[Link]) -> tuple[str, ...]:
        """The same as edges of the graph: one into each of q, k and v of a head."""
        return tuple(edge for flow in self.flows_of(links) for edge in edges_between(flow))

    def mixed(self, kept: Collection[Link], base: Setting, other: Setting) -> Any:
        """Return the answer where some links hand on what the base makes of them, and all others another's values.

        None: the causal model has no answer to that.
        """
        changed = self.causal.run(other)
        values: dict[str, Any] = {}

        def value(part: str, end: str) -> Any:
            held = {}
            for parent in self.parents(part):
                key = INPUT if parent == part else self.owners.get(parent, INPUT)
                here = base if key == INPUT else values
                held[parent] = (here if (key, end) in kept else changed)[parent]
            return held[part] if part in held else self.causal.intervene(base, held)[part]

        output = self.causal.output
        try:
            for key in self._order:
                values |= {part: value(part, key) for part in self.causal.parts(key)}
            if output not in self.owners:
                return value(output, LOGITS)
            return values[output] if (self.owners[output], LOGITS) in kept else changed[output]
        except DataError:
            return None

    def live(self, link: Link, base: Setting, other: Setting) -> bool:
        """Whether handing the counterfactual's values along this link alone changes the answer.

        Where the causal model has no answer to that, it counts as unchanged.
        """
        answer = self.mixed([one for one in self.links if one != link], base, other)
        return answer is not None and bool(answer != self.causal.run(base)[self.causal.output])

    def live_links(self, rows: Iterable[tuple[Setting, Setting]]) -> tuple[Link, ...]:
        """Return the links that matter in some of the rows."""
        found: set[Link] = set()
        for base, other in rows:
            found |= {link for link in self.links if link not in found and self.live(link, base, other)}
        return tuple(link for link in self.links if link in found)

    def places(self, nodes: Iterable[str]) -> Tensor:
        """Nodes as a mask, bool ``[n_layers, n_heads + 1]``; an MLP is the last of its layer."""
        flat = torch.zeros(self.graph.n_sources - 1, dtype=torch.bool)
        flat[[self.graph.source_index(node) - 1 for node in nodes]] = True
        return flat.view(self.graph.n_layers, self.graph.n_heads + 1)

    @cached_property
    def _order(self) -> tuple[str, ...]:
        """The keys of :attr:`nodes`, each after those it depends on."""
        ordered = (self.owners.get(one.name) for one in self.causal.order)
        last = {key: place for place, key in enumerate(ordered) if key is not None}
        return tuple(sorted(last, key=lambda key: last[key]))

    def _reads(self, source: str, destination: str) -> bool:
        row, column = self.graph.source_index(source), self.graph.destination_index(slots_of(destination)[0])
        return bool(self.graph.real_mask[row, column])


def edges_between(flow: Flow) -> tuple[str, ...]:
    """Edges of the graph that an edge between nodes stands for."""
    source, destination = flow
    return tuple(f"{source}->{slot}" for slot in slots_of(destination))


def slots_of(node: str) -> tuple[str, ...]:
    """Names of a node as a destination: q, k and v of a head, an MLP or the logits itself."""
    return tuple(f"{node}<{slot}>" for slot in SLOTS) if node.startswith("a") else (node,)


def place_of(node: str) -> tuple[int, int | None]:
    """Layer and head of a node; None for an MLP's head.

    Raises:
        UsageError: It is no head and no MLP.
    """
    found = _NODE.fullmatch(node)
    if found is None:
        raise UsageError(f"'{node}' is no head and no MLP.", why="They are written a0.h1 and m0.", do="Fix it.")
    return (int(found["mlp"]), None) if found["mlp"] else (int(found["layer"]), int(found["head"]))


def _wrong(why: str, do: str) -> UsageError:
    return UsageError("This alignment cannot be used.", why=f"{why[0].upper()}{why[1:]}.", do=do)
