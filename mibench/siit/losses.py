"""The losses of strict interchange-intervention training (SIIT).

Behaviour: cross-entropy of the answer. IIT: a variable's nodes are swapped from a source run, and the answer must be
the causal model's (Geiger et al. 2022, arXiv:2112.00826). Strict: nodes outside the circuit are swapped, and the
answer must stay (Gupta et al. 2024, arXiv:2407.14494). Edges, which those two do not have: all edges but the true ones
carry another prompt's values, and in half of the rows some of the true ones too; the answer must be the causal model's
for that mixture. So the edges are true, and not the nodes alone.

Targets are smoothed: all four then ask for the same finite logits, so that a circuit is as sure as the whole model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from mibench.siit.alignment import Flow
from mibench.siit.circuit_pass import circuit_logits
from mibench.siit.examples import Examples
from mibench.siit.network import Network, Swap


@dataclass(frozen=True)
class Weights:
    """What counts how much.

    Attributes:
        behaviour: The answer without a swap.
        iit: Swaps of variables.
        strict: Swaps of off-circuit nodes.
        edges: All edges but true ones ablated.
        smoothing: Share of the target that is spread over the vocabulary.
    """

    behaviour: float = 1.0
    iit: float = 1.0
    strict: float = 1.0
    edges: float = 1.0
    smoothing: float = 0.02


def losses(network: Network, examples: Examples, flows: tuple[Flow, ...], weights: Weights) -> Mapping[str, Tensor]:
    """Return the mean loss of each kind, unweighted.

    Args:
        network: The network.
        examples: A step's prompts.
        flows: True edges.
        weights: For the smoothing.
    """
    plain = network.run(examples.ids)
    rows = torch.cat([examples.partners, examples.strangers])
    where = torch.cat([examples.where, torch.ones_like(examples.where)])
    swap = Swap(plain, rows, torch.cat([examples.on, examples.off]), where)
    iit, strict = network.answer(network.run(examples.ids.repeat(2, 1), swap)).chunk(2)
    circuit = circuit_logits(network, flows, plain, plain.rows(examples.partners), examples.kept)
    found = {
        "behaviour": (network.answer(plain), examples.answers),
        "iit": (iit, examples.swapped),
        "strict": (strict, examples.answers),
        "edges": (circuit, examples.mixed),
    }
    smoothing = weights.smoothing
    return {
        name: functional.cross_entropy(logits, target, label_smoothing=smoothing)
        for name, (logits, target) in found.items()
    }


def total(found: Mapping[str, Tensor], weights: Weights) -> Tensor:
    """Return the weighted sum of losses."""
    return torch.stack([getattr(weights, name) * loss for name, loss in found.items()]).sum()
