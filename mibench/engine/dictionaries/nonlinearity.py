"""The nonlinearities of dictionaries, on tensors; latents here are in the dictionary's own units."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from mibench.artifacts.dictionaries.dictionary import Rule


def activate(rule: Rule, tensors: Mapping[str, Tensor], projected: Tensor) -> Tensor:
    """Latents ``[..., d_sae]`` of ``projected = (x − b_dec·pre_bias) @ w_enc``."""
    if rule.activation == "gated":
        magnitude = (tensors["r_mag"].exp() * projected + tensors["b_mag"]).relu()
        return torch.where(projected + tensors["b_gate"] > 0, magnitude, 0.0)
    before = projected + tensors["b_enc"]
    if rule.activation == "linear":
        return before
    if rule.activation == "jumprelu":
        return torch.where(before > tensors["threshold"], before.relu(), 0.0)
    return before.relu() if rule.k is None else largest(before.relu(), rule.k)


def largest(active: Tensor, k: int) -> Tensor:
    """Set all but the ``k`` largest of each token ``[..., d_sae]`` to 0; of equal ones the first stay, on any device.

    Args:
        active: Numbers of at least 0.
        k: At most ``d_sae``.
    """
    # One more than is kept shows, without a look at all latents, whether the last has an equal that is left out.
    top = active.topk(min(k + 1, active.shape[-1]), dim=-1)
    kept = torch.zeros_like(active).scatter(-1, top.indices[..., :k], top.values[..., :k])
    if top.values.shape[-1] == k:
        return kept
    bound = top.values[..., k - 1 : k]
    tied = ((top.values[..., k:] == bound) & (bound > 0))[..., 0]
    if tied.any():
        kept[tied] = _first_of_equal(active[tied], bound[tied], k)
    return kept


def _first_of_equal(active: Tensor, bound: Tensor, k: int) -> Tensor:
    above, equal = active > bound, active == bound
    room = k - above.sum(-1, keepdim=True)
    return torch.where(above | (equal & (equal.cumsum(-1) <= room)), active, 0.0)
