"""Interchange interventions on the planted network with nothing but hooks of torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mibench.core.sites import Component, Site
from mibench.tasks.interchange import EncodedInterchange
from planted.plan import Array


def swapped_logits(model: Any, rows: Sequence[EncodedInterchange], site: Site | None, basis: Array | None) -> Array:
    """Logits at the last token ``[rows, vocab]`` with the part of a site in span(``basis``) from the source.

    Args:
        model: Of transformers.
        rows: Of one length.
        site: Of one token; None: no intervention.
        basis: Orthonormal ``[width, k]``; None: all of the site.
    """
    base, source = (torch.tensor([getattr(row, side) for row in rows]) for side in ("base", "source"))
    with torch.no_grad():
        if site is None:
            return np.asarray(model(base).logits[:, -1].double())
        at = [torch.tensor([getattr(row, side)[site.position][0] for row in rows]) for side in _SIDES]
        there = _run(model, source, site, lambda x: x)[1][torch.arange(len(rows)), at[1]]

        def edit(x: Tensor) -> Tensor:
            x, place = x.clone(), (torch.arange(len(rows)), at[0])
            part = _part(model, site)
            before = x[..., part][place]
            project = torch.eye(before.shape[-1]).to(x) if basis is None else torch.tensor(basis @ basis.T).to(x)
            after = x[place]
            after[:, part] = before + (there[:, part] - before) @ project
            x[place] = after
            return x

        return np.asarray(_run(model, base, site, edit)[0].double())


_SIDES = ("base_positions", "source_positions")


def answers(rows: Sequence[EncodedInterchange], which: str = "accepted") -> Array:
    """First accepted answers, ``[rows]``."""
    return np.array([getattr(row, which)[0][0] for row in rows])


def _part(model: Any, site: Site) -> slice:
    if site.component is not Component.HEAD:
        return slice(None)
    width = model.config.hidden_size // model.config.num_attention_heads
    return slice((site.head or 0) * width, ((site.head or 0) + 1) * width)


def _run(model: Any, ids: Tensor, site: Site, edit: Any) -> tuple[Tensor, Tensor]:
    """Logits at the last token, and what the site's module held before ``edit``."""
    kept: list[Tensor] = []
    gpt2 = hasattr(model, "transformer")
    block = (model.transformer.h if gpt2 else model.model.layers)[site.layer]

    def change(x: Tensor) -> Tensor:
        kept.append(x)
        return edit(x)

    if site.component is Component.HEAD:
        out = block.attn.c_proj if gpt2 else block.self_attn.o_proj
        handle = out.register_forward_pre_hook(lambda _, given: (change(given[0]), *given[1:]))
    else:
        handle = block.register_forward_hook(
            lambda _, __, out: (change(out[0]), *out[1:]) if isinstance(out, tuple) else change(out)
        )
    with handle:
        return model(ids).logits[:, -1], kept[0]
