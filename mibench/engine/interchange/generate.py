"""Greedy continuation of prompts whose keys and values are known."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import DynamicCache

from mibench.engine.interchange.tape import KeysValues
from mibench.engine.model import LanguageModel


def continued(model: LanguageModel, kept: Sequence[KeysValues], first: Tensor, new_tokens: int) -> list[list[int]]:
    """Generate, taking the likeliest token each time.

    Args:
        model: The model.
        kept: Keys and values of each layer at the prompt, ``[batch, n_kv_heads, pos, head_dim]``.
        first: The first new token, ``[batch]``.
        new_tokens: How many, the first included.

    Returns:
        Ids of each row up to the model's end token, which is left out.
    """
    cache, ends = DynamicCache(), end_tokens(model)
    for layer, (key, value) in enumerate(kept):
        cache.update(key, value, layer)
    ids = [first]
    with torch.no_grad():
        for _ in range(new_tokens - 1):
            output = model.hf.base_model(input_ids=ids[-1][:, None], past_key_values=cache, use_cache=True)
            ids.append(model.anatomy.logits(output.last_hidden_state[:, -1]).argmax(-1))
    return [_until(row, ends) for row in torch.stack(ids, dim=1).tolist()]


def end_tokens(model: LanguageModel) -> frozenset[int]:
    """Ids that end a text, as the model's configurations name them."""
    found: set[int] = set()
    for config in (model.hf.config, getattr(model.hf, "generation_config", None)):
        named = getattr(config, "eos_token_id", None)
        found.update(named if isinstance(named, list | tuple) else [] if named is None else [named])
    return frozenset(found)


def _until(ids: list[int], ends: frozenset[int]) -> list[int]:
    end = next((place for place, token in enumerate(ids) if token in ends), len(ids))
    return ids[:end]
