"""The base run: what every edge outside a circuit carries.

Counterfactual ablation takes the values of the run on the counterfactual prompt. Zero and mean ablation take
constants; biases of output projections and learned positions are in no node and stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mibench.core.specs import Ablation
from mibench.engine.attention import Context, Prefix
from mibench.engine.batches import PairBatch, batches
from mibench.engine.folded import inverse_norm
from mibench.engine.model import LanguageModel
from mibench.engine.run import Run, at_last, forward, prefix_of
from mibench.tasks.encode import EncodedPair

Slots = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class Base:
    """Ablated values at the positions after the shared prefix; fields as in ``Run``.

    ``slots`` holds q, k, v of each layer, ``[batch, pos, heads, head_dim]`` (k and v by key-value head), ``heads``
    the heads' outputs before the output projection, ``[batch, pos, n_heads, head_dim]``.
    """

    embedded: Tensor
    before_attn: list[Tensor]
    before_mlp: list[Tensor]
    final: Tensor
    slots: list[Slots]
    heads: list[Tensor]
    mlp: list[Tensor]
    attn: list[Tensor]
    last: Tensor
    logits: Tensor


@dataclass(frozen=True)
class Constants:
    """Constant node outputs, ``pos`` being 1 or the number of positions covered.

    Attributes:
        embedded: ``[pos, d_model]``.
        heads: Before the output projection, ``[pos, n_heads, head_dim]`` a layer.
        mlp: ``[pos, d_model]`` a layer.
    """

    embedded: Tensor
    heads: list[Tensor]
    mlp: list[Tensor]


@dataclass(frozen=True)
class Sides:
    """Both prompts of a batch, ready: the shared prefix, the clean run, and the base.

    Attributes:
        prefix: Keys and values of the shared positions, or None.
        clean: The plain run on the clean prompts.
        base: The ablated values.
        context: Mask and rotary angles of each block.
    """

    prefix: Prefix | None
    clean: Run
    base: Base
    context: list[Context]


def prepare(model: LanguageModel, batch: PairBatch, constants: Constants | None) -> Sides:
    """Run both sides of a batch.

    Args:
        model: The model.
        batch: Pairs of one length.
        constants: Constant ablation; None: the counterfactual run.

    Returns:
        The sides, at positions after the shared prefix (all positions under constant ablation).
    """
    shared = batch.shared if constants is None else 0
    with torch.no_grad():
        prefix, last = prefix_of(model, batch.clean[:, :shared]), batch.last - shared
        clean = forward(model, model.anatomy.embed(batch.clean[:, shared:]), prefix, last=last)
        if constants is None:
            other = forward(model, model.anatomy.embed(batch.counterfactual[:, shared:]), prefix, last=last)
            base = base_of_run(other)
        else:
            base = base_of_constants(model, constants, batch)
    return Sides(prefix, clean, base, clean.context)


def base_of_run(run: Run) -> Base:
    """The base that is a plain run."""
    layers = range(run.anatomy.n_layers)
    return Base(
        embedded=run.embedded,
        before_attn=run.before_attn,
        before_mlp=run.before_mlp,
        final=run.final,
        slots=[run.slots(layer) for layer in layers],
        heads=[run.heads_of(layer) for layer in layers],
        mlp=run.mlp,
        attn=run.attn,
        last=run.last,
        logits=run.logits,
    )


def base_of_constants(model: LanguageModel, constants: Constants, batch: PairBatch) -> Base:
    """The base in which every node emits a constant."""
    anatomy, n_pos, size = model.anatomy, batch.n_pos, len(batch)
    heads, mlp = (
        [_spread(part.to(place), n_pos, size) for part, place in zip(parts, model.places, strict=True)]
        for parts in (constants.heads, constants.mlp)
    )
    embedded = _spread(constants.embedded, n_pos, size)
    stream = embedded + _on(embedded, anatomy.positions(0, n_pos))
    before_attn, before_mlp, attn, slots = [], [], [], []
    for layer, block in enumerate(anatomy.blocks):
        stream = stream.to(model.places[layer])
        before_attn.append(stream)
        slots.append(project(model, layer, stream))
        out = heads[layer].flatten(2) @ model.out_weights[layer].flatten(0, 1) + anatomy.out_bias(layer)
        attn.append(out)
        middle = stream + (out if block.post_attn is None else block.post_attn(out))
        before_mlp.append(stream if anatomy.parallel else middle)
        stream = middle + mlp[layer]
    logits = anatomy.logits(anatomy.final_norm(at_last(stream, batch.last).to(model.dtype))).to(model.device)
    return Base(embedded, before_attn, before_mlp, stream, slots, heads, mlp, attn, batch.last, logits)


def project(model: LanguageModel, layer: int, stream: Tensor) -> Slots:
    """q, k, v ``[batch, pos, heads, head_dim]`` of a residual stream ``[batch, pos, d_model]`` before attention.

    They have the type of the model's weights, the stream that of its sums; they are on the layer's device.
    """
    folded, anatomy, stream = model.folded[layer], model.anatomy, stream.to(model.places[layer])
    scaled = stream * inverse_norm(stream, folded.norm)[..., None]
    flat = scaled @ folded.weight.flatten(0, 1).T
    projected = (flat.view(*flat.shape[:-1], -1, anatomy.head_dim) + folded.bias).to(model.dtype)
    heads, kv_heads = anatomy.n_heads, anatomy.n_kv_heads
    return projected[:, :, :heads], projected[:, :, heads : heads + kv_heads], projected[:, :, heads + kv_heads :]


def _on(like: Tensor, part: Tensor | float) -> Tensor | float:
    return part.to(like.device) if isinstance(part, Tensor) else part


def _spread(part: Tensor, n_pos: int, size: int) -> Tensor:
    if 1 < part.shape[0] < n_pos:
        part = torch.cat([part, part.mean(0, keepdim=True).expand(n_pos - part.shape[0], *part.shape[1:])])
    return part[None, :n_pos].expand(size, n_pos, *part.shape[1:])


def constants_for(
    model: LanguageModel,
    ablation: Ablation,
    pairs: Sequence[EncodedPair],
    batch_size: int,
    *,
    processed: bool = False,
) -> Constants | None:
    """The constants of an ablation; None for the counterfactual one.

    Args:
        model: The model.
        ablation: Which ablation.
        pairs: The mean is over the real tokens of their counterfactual prompts, every token weighing the same; the
            positional mean is over the prompts that reach a position (later positions take the mean of the means).
        batch_size: Pairs a batch.
        processed: Zero is that of TransformerLens' processed weights, where the value bias (norm folded in) is part
            of the output bias: a head's zero output is then its value bias. No other ablation depends on processing.
    """
    if ablation is Ablation.COUNTERFACTUAL:
        return None
    if ablation is Ablation.ZERO:
        zeros = _zeros(model, 1, model.accumulate)
        return _at_value_biases(model, zeros) if processed else zeros
    anatomy = model.anatomy
    longest = max(pair.length for pair in pairs)
    sums = _zeros(model, longest, torch.float64)
    counts = torch.zeros(longest, device=model.device, dtype=torch.float64)
    for batch in batches(pairs, batch_size, model.device):
        run = forward(model, anatomy.embed(batch.counterfactual), None)
        counts[: batch.n_pos] += len(batch)
        sums.embedded[: batch.n_pos] += run.embedded.sum(0, dtype=torch.float64)
        for layer in range(anatomy.n_layers):
            sums.heads[layer][: batch.n_pos] += run.heads_of(layer).sum(0, dtype=torch.float64)
            sums.mlp[layer][: batch.n_pos] += run.mlp[layer].sum(0, dtype=torch.float64)
    return _divide(sums, counts, model.accumulate, positional=ablation is Ablation.MEAN_POSITIONAL)


def _at_value_biases(model: LanguageModel, zeros: Constants) -> Constants:
    heads = [folded.bias[folded.index[2]][None] for folded in model.folded]
    return Constants(zeros.embedded, heads, zeros.mlp)


def _zeros(model: LanguageModel, n_pos: int, dtype: torch.dtype) -> Constants:
    anatomy = model.anatomy
    empty = torch.zeros(n_pos, anatomy.d_model, device=model.device, dtype=dtype)
    shape = (n_pos, anatomy.n_heads, anatomy.head_dim)
    heads = [empty.new_zeros(shape, device=place) for place in model.places]
    return Constants(empty, heads, [torch.zeros_like(empty, device=place) for place in model.places])


def _divide(sums: Constants, counts: Tensor, dtype: torch.dtype, *, positional: bool) -> Constants:
    def mean(part: Tensor) -> Tensor:
        weights = counts.to(part.device)
        if not positional:
            return (part.sum(0, keepdim=True) / weights.sum()).to(dtype)
        return (part / weights.view(-1, *[1] * (part.ndim - 1))).to(dtype)

    return Constants(mean(sums.embedded), [mean(part) for part in sums.heads], [mean(part) for part in sums.mlp])
