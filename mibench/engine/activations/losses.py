"""Cross-entropy and KL divergence of altered runs, with the vocabulary a few tokens at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mibench.engine.model import LanguageModel

MAX_LOGITS = 2**23
"""Logits of one run that exist at a time. On a CPU, half as many or twice as many take longer."""


@dataclass(frozen=True)
class TokenLosses:
    """Losses of a run at each position but the last, in nats, float64.

    Attributes:
        ce: −log p(next token), ``[batch, pos − 1]``.
        kl: KL(clean ‖ run) of the next-token distributions, ``[batch, pos − 1]``.
    """

    ce: Tensor
    kl: Tensor


def token_losses(model: LanguageModel, ids: Tensor, clean: Tensor, runs: Sequence[Tensor]) -> list[TokenLosses]:
    """Losses of runs beside the clean one, whose logits are computed once for all of them.

    Cost: 1 + runs products with the vocabulary matrix. Memory: a few times `MAX_LOGITS` numbers.

    Args:
        model: The model.
        ids: Token ids, ``[batch, pos]``.
        clean: What the clean run hands to the vocabulary matrix, ``[batch, pos, d_model]``.
        runs: The same of each altered run.

    Returns:
        Those of the clean run, whose divergence is zero, then those of each altered run.
    """
    states = [clean[:, :-1].flatten(0, 1), *(run[:, :-1].flatten(0, 1) for run in runs)]
    targets = ids[:, 1:].flatten().to(clean.device)
    pieces = [_piece(model, chunk, targets[rows]) for rows, chunk in _chunks(model, states)]
    shape = (2, len(states), len(ids), ids.shape[1] - 1)
    whole = torch.cat(pieces, dim=-1) if pieces else torch.empty(shape, dtype=torch.float64, device=clean.device)
    ce, kl = whole.view(shape)
    return [TokenLosses(one, other) for one, other in zip(ce, kl, strict=True)]


def _chunks(model: LanguageModel, states: list[Tensor]) -> list[tuple[slice, list[Tensor]]]:
    size = max(1, MAX_LOGITS // int(model.hf.get_output_embeddings().weight.shape[0]))
    rows = [slice(start, start + size) for start in range(0, len(states[0]), size)]
    return [(each, [state[each] for state in states]) for each in rows]


def _piece(model: LanguageModel, states: list[Tensor], targets: Tensor) -> Tensor:
    """Cross-entropies and divergences of some tokens, ``[2, runs, tokens]``."""
    with torch.no_grad():
        clean = _log_probabilities(model, states[0])
        probabilities = clean.exp()
        ce, kl = [_cross_entropy(clean, targets)], [clean.new_zeros(len(targets))]
        for state in states[1:]:
            run = _log_probabilities(model, state)
            ce.append(_cross_entropy(run, targets))
            kl.append((clean - run).mul_(probabilities).sum(-1))
        return torch.stack([torch.stack(ce), torch.stack(kl)]).to(torch.float64)


def _log_probabilities(model: LanguageModel, states: Tensor) -> Tensor:
    return model.anatomy.logits(states).to(states.device, model.accumulate).log_softmax(-1)


def _cross_entropy(log_probabilities: Tensor, targets: Tensor) -> Tensor:
    return -log_probabilities.gather(-1, targets[:, None])[:, 0]
