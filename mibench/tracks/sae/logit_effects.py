"""Which tokens' logits a latent raises and lowers by what it writes to the residual stream, and tokens as text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from mibench.artifacts.dictionaries.latent_cards import Effect
from mibench.core.hook_points import HookKind
from mibench.engine.dictionaries.coder import Coder
from mibench.engine.model import LanguageModel
from mibench.models.placement import present

Decode = Callable[[Sequence[int]], str]
"""From ids to text, special tokens and spaces as they are."""

_STREAM = frozenset(
    {HookKind.RESIDUAL_PRE, HookKind.RESIDUAL_MID, HookKind.RESIDUAL_POST, HookKind.ATTN_OUT, HookKind.MLP_OUT}
)
"""What is written there is a part of the residual stream."""
_UNREADABLE = "\N{REPLACEMENT CHARACTER}"


def logit_effects(
    coder: Coder, model: LanguageModel, latents: Sequence[int], decode: Decode, n: int
) -> dict[int, tuple[tuple[Effect, ...], tuple[Effect, ...]]]:
    """Return the ``n`` tokens that each latent raises and lowers most; empty where it does not write to the stream.

    ``W_U · (s ⊙ d)``, d the unit decoder row (less its mean under LayerNorm), s the scale of the final norm, less the
    mean over the vocabulary: the direct path from the stream to the logits for each unit of activation, before the
    norm divides. What later layers do with it, and a soft cap, are left out.

    Args:
        coder: The dictionary.
        model: Its model.
        latents: Which latents.
        decode: Ids to text.
        n: How many tokens of either end; at most half the vocabulary.
    """
    if coder.dictionary.place.target.kind not in _STREAM or not latents:
        return {}
    effects = _effects(coder.decoder[list(latents)], model)
    n = min(n, effects.shape[1] // 2)
    found = {}
    for latent, own in zip(latents, effects, strict=True):
        values, order = own.sort(descending=True, stable=True)
        ends = (values[:n], order[:n]), (values.flip(0)[:n], order.flip(0)[:n])
        raised, lowered = (
            tuple(Effect(_word(decode, int(token)), float(value)) for value, token in zip(*end, strict=True))
            for end in ends
        )
        found[latent] = raised, lowered
    return found


def _effects(rows: Tensor, model: LanguageModel) -> Tensor:
    """Logits ``[latents, vocabulary]`` of rows ``[latents, d_model]``."""
    anatomy = model.anatomy
    norm = anatomy.norm(anatomy.final_norm)
    wide = rows.to(model.accumulate)
    if norm.centred:
        wide = wide - wide.mean(-1, keepdim=True)
    with present(model.hf.get_output_embeddings()):
        head = model.hf.get_output_embeddings().weight.detach().to(rows.device)
    logits = (wide * norm.scale.to(wide)).to(head.dtype) @ head.T
    logits = logits.to(torch.float64)
    centred: Tensor = logits - logits.mean(-1, keepdim=True)
    return centred


def pieces(decode: Decode, ids: Sequence[int]) -> list[str]:
    """Return the text of each token as it reads after those before it, so that letters of several tokens come whole.

    A letter of several tokens stands with the last of them; the others are empty.
    """
    found, before = [], ""
    for place in range(len(ids)):
        text = decode(ids[: place + 1])
        readable = text.rstrip(_UNREADABLE) if place + 1 < len(ids) else text
        shared = readable.startswith(before)
        found.append(readable[len(before) :] if shared else decode([ids[place]]))
        before = readable if shared else text
    return found


def _word(decode: Decode, token: int) -> str:
    """A token of the vocabulary by itself; read after itself, since some tokenizers drop the space of a first word."""
    alone, twice = decode([token]), decode([token, token])
    after = twice[len(alone) :] if twice.startswith(alone) else alone
    return after if after.strip(_UNREADABLE) and after.endswith(alone) else alone
