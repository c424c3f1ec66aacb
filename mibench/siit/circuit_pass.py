"""A pass in which only the true edges carry the prompt's values; all others carry another prompt's."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from mibench.siit.alignment import INPUT, LOGITS, Flow, place_of
from mibench.siit.network import Network, Run


def circuit_logits(
    network: Network, flows: Sequence[Flow], clean: Run, other: Run, kept: Tensor | None = None
) -> Tensor:
    """Return the logits at the last position, ``[batch, vocab]``.

    A node that no flow enters has the output of ``other``. An edge into a head is one into its q, k and v.

    Args:
        network: The network.
        flows: True edges between nodes.
        clean: The run on the prompts.
        other: The run on the prompts whose values all other edges carry, ``[batch]`` rows as in ``clean``.
        kept: Which of the flows are there in which row, bool ``[batch, flows]``; None: all.
    """
    there = [None if kept is None else kept[:, number, None, None] for number in range(len(flows))]
    changes = {INPUT: clean.embedded - other.embedded}
    for node in _ordered({destination for _, destination in flows} - {LOGITS}):
        layer, head = place_of(node)
        stream = (other.before_mlp if head is None else other.before_attn)[layer]
        for (source, destination), on in zip(flows, there, strict=True):
            if destination == node and source in changes:
                stream = stream + (changes[source] if on is None else changes[source] * on)
        if head is None:
            changes[node] = network.think(layer, stream) - other.mlp[layer]
        else:
            output = network.attend(layer, stream, head)[:, :, 0]
            changes[node] = network.written(layer, head, output - other.heads[layer][:, :, head])
    final = other.final
    for (source, destination), on in zip(flows, there, strict=True):
        if destination == LOGITS and source in changes:
            final = final + (changes[source] if on is None else changes[source] * on)
    return network.logits(final[:, -1])


def _ordered(nodes: set[str]) -> list[str]:
    def key(node: str) -> tuple[int, bool]:
        layer, head = place_of(node)
        return layer, head is None

    return sorted(nodes, key=lambda node: (*key(node), node))
