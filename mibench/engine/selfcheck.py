"""Does the engine compute what the plain model computes? Run once on every model that is loaded.

A wrong adapter, or a change in transformers, would give plausible wrong numbers; here it gives an error. On a pair
of random prompts, without the shortcuts of ``evaluate``: the full circuit must give the plain logits of the clean
prompt, also with zeros for ablated values, the empty circuit those of the counterfactual one, half a circuit the
same with and without a shared prefix, and a head by itself what it gives among the others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from mibench.core.errors import ModelError
from mibench.core.specs import Ablation
from mibench.engine.base import Sides, base_of_constants, constants_for, prepare
from mibench.engine.batches import PairBatch, batches
from mibench.engine.circuits.circuit_pass import circuit_logits
from mibench.engine.folded import centre, inverse_norm
from mibench.engine.model import LanguageModel
from mibench.engine.run import Run
from mibench.graph.circuit import Circuit, prune
from mibench.models.placement import present
from mibench.tasks.encode import EncodedPair

TOLERANCES = {
    torch.float64: (1e-10, 1e-10 / 32),
    torch.float32: (2e-4, 2e-4 / 32),
    torch.float16: (0.0, 0.02),
    torch.bfloat16: (0.0, 0.1),
}
"""Largest difference: the larger of a number and a share of the largest logit (or head output).

Half precision gets wide limits, since streams are rebuilt from rounded differences."""

NORM_TOLERANCE = 1e-4
"""Largest difference of a norm's output, which transformers computes in float32, per unit of the largest output."""

_LENGTH = 10


@dataclass(frozen=True)
class _Claim:
    """Two sets of logits or head outputs that must agree, and what is wrong if they do not."""

    what: str
    found: Tensor
    expected: Tensor


def self_check(model: LanguageModel, seed: int = 0) -> None:
    """Check the engine on a model.

    Args:
        model: The model.
        seed: For the prompts and for the half circuit.

    Raises:
        ModelError: The engine and the plain model disagree.
    """
    try:
        _check_norms(model, seed)
        with torch.no_grad():
            for claim in _claims(model, seed):
                _compare(model, claim)
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, AttributeError, ValueError, TypeError, LookupError) as error:
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise _refusal(model, f"It fails on a random prompt: {reason}.") from error


def _claims(model: LanguageModel, seed: int) -> list[_Claim]:
    graph, batch = model.graph, _batch(model, seed)
    full, empty = Circuit(graph, graph.real_mask), Circuit(graph, np.zeros(graph.shape, dtype=np.bool_))
    chosen = np.asarray(np.random.default_rng(seed).random(graph.shape) < 0.5)
    half = prune(graph, chosen & graph.real_mask)
    sides, whole = prepare(model, batch, None), prepare(model, replace(batch, shared=0), None)
    zero = constants_for(model, Ablation.ZERO, batch.pairs, 1)
    bare = whole if zero is None else replace(whole, base=base_of_constants(model, zero, batch))
    # One at a time: in batches BLAS rounds otherwise, up to the tolerance.
    plain = [model.hf(input_ids=ids, use_cache=False).logits[0, -1] for ids in (batch.clean, batch.counterfactual)]

    def logits(on: Sides, circuit: Circuit) -> Tensor:
        return circuit_logits(model, on, circuit)[0]

    return [
        _Claim("the full circuit is not the model", logits(sides, full), plain[0]),
        _Claim("the empty circuit is not the counterfactual run", logits(sides, empty), plain[1]),
        _Claim("a shared prefix changes a circuit", logits(sides, half), logits(whole, half)),
        _Claim("the full circuit under zero ablation is not the model", logits(bare, full), plain[0]),
        _Claim("a head by itself does not do what it does in the model", *_some_heads(model, whole.clean)),
    ]


def _some_heads(model: LanguageModel, run: Run) -> tuple[Tensor, Tensor]:
    """Outputs of every other head: attending without the rest, and as they were in ``run``."""
    found, expected = [], []
    for layer, core in enumerate(model.cores):
        heads = torch.arange(0, model.anatomy.n_heads, 2, device=model.places[layer])
        shared = heads // model.anatomy.kv_group
        q, k, v = run.slots(layer)
        slots = (q[:, :, heads], k[:, :, shared], v[:, :, shared])
        found.append(core(slots, heads, run.context[layer], None).to(model.device))
        expected.append(run.heads_of(layer)[:, :, heads].to(model.device))
    return torch.stack(found), torch.stack(expected)


def _batch(model: LanguageModel, seed: int) -> PairBatch:
    """One pair of random prompts that differ from the middle on."""
    vocabulary = int(model.hf.config.vocab_size)
    length = min(_LENGTH, int(getattr(model.hf.config, "max_position_embeddings", _LENGTH)))
    rng = np.random.default_rng(seed)
    clean = rng.integers(0, vocabulary, length)
    other = clean.copy()
    other[length // 2 :] += rng.integers(1, vocabulary, length - length // 2)
    prompts = (tuple(clean.tolist()), tuple((other % vocabulary).tolist()))
    return next(batches([EncodedPair("self-check", *prompts, (0,), (1,))], 1, model.device))


def _compare(model: LanguageModel, claim: _Claim) -> None:
    expected = claim.expected.double()
    error = float((claim.found.to(expected) - expected).abs().max())
    floor, share = TOLERANCES.get(model.dtype, TOLERANCES[torch.bfloat16])
    allowed = max(floor, share * float(expected.abs().max()))
    if not error <= allowed:
        raise _refusal(model, f"On a random prompt {claim.what}: numbers differ by {error:.1e}, not by {allowed:.1e}.")


def _check_norms(model: LanguageModel, seed: int) -> None:
    """Compare norms as transformers computes them, which float64 models no longer do, with their numbers as read."""
    if model.dtype not in (torch.float32, torch.float64):
        return
    generator = torch.Generator().manual_seed(seed)
    stream = torch.randn(2, model.anatomy.d_model, generator=generator).to(model.device, model.dtype)
    for block in model.anatomy.blocks:
        for module in (block.norm1, block.post_attn):
            if module is not None:
                _check_norm(model, module, stream)


def _check_norm(model: LanguageModel, module: nn.Module, stream: Tensor) -> None:
    norm = model.anatomy.norm(module)
    stream = stream.to(norm.scale.device)
    found = centre(stream, norm) * inverse_norm(stream, norm)[..., None] * norm.scale
    with present(module):
        expected = type(module).forward(module, stream)
    error = float((found + (0 if norm.shift is None else norm.shift) - expected).abs().max())
    if not error <= NORM_TOLERANCE * max(1.0, float(expected.abs().max())):
        raise _refusal(model, f"Its {type(module).__name__} is not what the family file says (off by {error:.1e}).")


def _refusal(model: LanguageModel, why: str) -> ModelError:
    return ModelError(
        f"mibench does not reproduce this {type(model.hf).__name__}.",
        why=why,
        do="Use the transformers version of constraints.txt; for a new architecture, correct its family file.",
    )
