"""The metric of circuits: everything outside carries ablated values.

A circuit is run as differences from the base run. A node outside the circuit is never computed, a slot without
edges takes its base value, and positions that both prompts share are not computed at all.
"""

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
from mibench.engine.folded import inverse_norm
from mibench.engine.meter import NoCounter, PassCounter, Progress, no_progress
from mibench.engine.model import LanguageModel
from mibench.engine.schedule import LayerSchedule, schedule
from mibench.engine.streams import LinearStreams, open_streams
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


def circuit_logits(model: LanguageModel, sides: Sides, circuit: Circuit) -> Tensor:
    """Logits at the last position, ``[batch, vocab]``, of a pruned circuit."""
    plan = schedule(circuit)
    streams = open_streams(model, sides.base, plan)
    keep = _neuron_mask(model, circuit, plan.live)
    if len(plan.live) and plan.live[0] == 0:
        streams.push(1)[0] = _kept((sides.clean.embedded - sides.base.embedded).flatten(0, 1), keep, 0)
    for layer, part in enumerate(plan.layers):
        if model.anatomy.parallel:
            mlp = _mlp(model, sides, streams, layer, part)
            _heads(model, sides, streams, layer, part, keep)
        else:
            _heads(model, sides, streams, layer, part, keep)
            mlp = _mlp(model, sides, streams, layer, part)
        if mlp is not None:
            row = streams.written
            streams.push(1)[0] = _kept(mlp, keep, row)
    final = sides.base.final[:, -1] + streams.read_logits()
    return model.anatomy.logits(model.anatomy.final_norm(final))


def _neuron_mask(model: LanguageModel, circuit: Circuit, live: NDArray[np.int64]) -> Tensor | None:
    if circuit.neurons is None:
        return None
    return torch.from_numpy(circuit.neurons[live]).to(device=model.device, dtype=model.dtype)


def _kept(difference: Tensor, keep: Tensor | None, row: int) -> Tensor:
    return difference if keep is None else difference * keep[row]


def _heads(
    model: LanguageModel,
    sides: Sides,
    streams: LinearStreams,
    layer: int,
    part: LayerSchedule,
    keep: Tensor | None,
) -> None:
    """Compute the live heads of a layer and push their differences."""
    if not len(part.heads):
        return
    heads = torch.from_numpy(part.heads).to(model.device)
    qkv = _slots(model, sides, streams, layer, part)
    prefix = None if sides.prefix is None else (sides.prefix.keys[layer], sides.prefix.values[layer])
    outputs = model.cores[layer](qkv, heads, sides.context[layer], prefix)
    change = (outputs - sides.base.heads[layer][:, :, heads]).flatten(0, 1).transpose(0, 1)
    row = streams.written
    room = streams.push(len(heads))
    torch.bmm(change, model.out_weights[layer][heads], out=room)
    if keep is not None:
        room *= keep[row : row + len(heads), None, :]


def _slots(
    model: LanguageModel, sides: Sides, streams: LinearStreams, layer: int, part: LayerSchedule
) -> tuple[Tensor, Tensor, Tensor]:
    """q, k and v of the live heads, ``[batch, pos, heads, head_dim]`` each."""
    folded, base = model.folded[layer], sides.base
    heads = torch.from_numpy(part.heads).to(model.device)
    kv_heads = heads // model.anatomy.kv_group
    flat = torch.stack(
        [
            slot.flatten(0, 1)[:, chosen].transpose(0, 1)
            for slot, chosen in zip(base.slots[layer], (heads, kv_heads, kv_heads), strict=True)
        ]
    )
    rows = torch.from_numpy(part.row_of_slot).to(model.device)
    live = rows >= 0
    if len(part.masks):
        stream = streams.read_heads(layer) + base.before_attn[layer].flatten(0, 1)
        r = inverse_norm(stream, folded.norm)
        index, weights = rows[live], folded.index[:, heads][live]
        chosen = stream if _in_order(index, len(stream)) else stream[index]
        projected = torch.bmm(chosen, folded.weight[weights].transpose(1, 2))
        flat[live] = projected * r[index][..., None] + folded.bias[weights][:, None]
    size, n_pos = base.embedded.shape[:2]
    q, k, v = (slot.view(len(heads), size, n_pos, -1).permute(1, 2, 0, 3) for slot in flat)
    return q, k, v


def _in_order(index: Tensor, rows: int) -> bool:
    return len(index) == rows and bool((index == torch.arange(rows, device=index.device)).all())


def _mlp(model: LanguageModel, sides: Sides, streams: LinearStreams, layer: int, part: LayerSchedule) -> Tensor | None:
    """Difference of the layer's MLP from its base, ``[tokens, d_model]``; None if it is not in the circuit."""
    if part.mlp is None:
        return None
    block, base = model.anatomy.blocks[layer], sides.base
    stream = streams.read_mlp(layer, part.mlp) + base.before_mlp[layer].flatten(0, 1)
    output: Tensor = block.mlp(block.norm2(stream[None]))[0]
    if block.mlp_end is not block.mlp:
        output = block.mlp_end(output)
    return output - base.mlp[layer].flatten(0, 1)
