"""The metric of circuits: everything outside carries ablated values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mibench.core.hashing import array_digest
from mibench.engine.base import Constants, Sides, prepare
from mibench.engine.batches import PairBatch, batches, n_batches
from mibench.engine.circuit_pass import circuit_logits
from mibench.engine.meter import NoCounter, PassCounter, Progress, no_progress
from mibench.engine.model import LanguageModel
from mibench.graph.circuit import Circuit
from mibench.tasks.encode import EncodedPair


@dataclass(frozen=True)
class Outcome:
    """Metrics of every example.

    Attributes:
        clean: The whole model, ``[examples]`` float64.
        empty: Everything ablated, ``[examples]`` float64.
        circuits: ``[circuits, examples]`` float64.
    """

    clean: NDArray[np.float64]
    empty: NDArray[np.float64]
    circuits: NDArray[np.float64]


@dataclass(frozen=True)
class Evaluation:
    """How to evaluate.

    Attributes:
        constants: Constant ablation; None: the counterfactual run.
        batch_size: Pairs a batch.
        shortcuts: Take empty and full circuits from the plain runs; off, they are recomputed (for self-checks).
    """

    constants: Constants | None = None
    batch_size: int = 20
    shortcuts: bool = True


def evaluate(
    model: LanguageModel,
    pairs: Sequence[EncodedPair],
    circuits: Sequence[Circuit],
    options: Evaluation,
    counter: PassCounter | None = None,
    progress: Progress = no_progress,
) -> Outcome:
    """Evaluate circuits on pairs.

    Args:
        model: The model.
        pairs: Encoded pairs.
        circuits: Pruned circuits; equal ones are run once. None is changed.
        options: How to evaluate.
        counter: Told of every pass; a circuit counts as a forward pass.
        progress: Told of every batch.

    Returns:
        Metrics of every example; the order of pairs and the batch size change only rounding.
    """
    counter = counter or NoCounter()
    distinct, where = _distinct(circuits)
    plans = [None if options.shortcuts and (c.is_empty or c.is_full) else c for c in distinct]
    values = np.zeros((2 + len(distinct), len(pairs)))
    total = n_batches(pairs, options.batch_size)
    for done, batch in enumerate(batches(pairs, options.batch_size, model.device)):
        sides = prepare(model, batch, options.constants)
        ends = [batch.metric(sides.clean.logits), batch.metric(sides.base.logits)]
        counter.forward(2 * len(batch))
        for circuit, plan in zip(distinct, plans, strict=True):
            ends.append(ends[circuit.is_empty] if plan is None else _run(model, sides, plan, batch, counter))
        values[:, list(batch.rows)] = torch.stack(ends).double().cpu().numpy()
        progress(done + 1, total)
    return Outcome(values[0], values[1], values[2:][where])


def _distinct(circuits: Sequence[Circuit]) -> tuple[list[Circuit], list[int]]:
    places: dict[tuple[str, str | None], int] = {}
    found: list[Circuit] = []
    where = []
    for circuit in circuits:
        neurons = None if circuit.neurons is None else array_digest(circuit.neurons)
        key = (array_digest(circuit.real_edges), neurons)
        if key not in places:
            places[key] = len(found)
            found.append(circuit)
        where.append(places[key])
    return found, where


def _run(model: LanguageModel, sides: Sides, circuit: Circuit, batch: PairBatch, counter: PassCounter) -> Tensor:
    counter.forward(len(batch))
    with torch.no_grad():
        return batch.metric(circuit_logits(model, sides, circuit))
