"""What ablation changes in every source's output, built for a chunk of tokens at a time."""

from __future__ import annotations

import torch
from torch import Tensor

from mibench.engine.base import Base
from mibench.engine.folded import norm_jvp
from mibench.engine.model import LanguageModel
from mibench.engine.run import Run


class Deltas:
    """Ablated minus clean output of every source, flat over tokens.

    Args:
        model: The model.
        base: The ablated values.
        clean: The plain run on the clean prompts.
        frozen_norms: Norms scale by a constant as far as derivatives are concerned.
    """

    def __init__(self, model: LanguageModel, base: Base, clean: Run, *, frozen_norms: bool = False) -> None:
        self._model, self._frozen_norms = model, frozen_norms
        layers = range(model.anatomy.n_layers)

        def change(ablated: Tensor, value: Tensor) -> Tensor:
            return (ablated.to(model.accumulate) - value.to(model.accumulate)).flatten(0, 1)

        with torch.no_grad():
            self._embedded = change(base.embedded, clean.embedded)
            self._heads = [change(base.heads[layer], clean.heads_of(layer)) for layer in layers]
            self._mlp = [change(base.mlp[layer], clean.mlp[layer]) for layer in layers]

    @property
    def n_tokens(self) -> int:
        """Tokens in all."""
        return self._embedded.shape[0]

    def at(self, tokens: slice, through: list[Tensor] | None = None) -> Tensor:
        """Differences ``[n_sources, tokens, d_model]`` of some tokens, all on the device of the inputs.

        Args:
            tokens: Which.
            through: What each attention handed to its post-norm, ``[batch, pos, d_model]``: carry the differences
                of heads through that norm, linearised there.
        """
        graph, embedded = self._model.graph, self._embedded[tokens]
        out = embedded.new_empty(graph.n_sources, *embedded.shape)
        out[0] = embedded
        for layer, place in enumerate(self._model.places):
            heads = out[graph.head_row(layer, 0) : graph.mlp_row(layer)]
            written = heads if place == out.device else torch.empty_like(heads, device=place)
            torch.bmm(self._heads[layer][tokens].transpose(0, 1), self._model.out_weights[layer], out=written)
            if through is not None:
                written = self._linearised(layer, written, through[layer].flatten(0, 1)[tokens])
            if written is not heads:
                heads.copy_(written)
            out[graph.mlp_row(layer)] = self._mlp[layer][tokens]
        return out

    def _linearised(self, layer: int, heads: Tensor, attn: Tensor) -> Tensor:
        anatomy = self._model.anatomy
        norm = anatomy.norm(anatomy.blocks[layer].post_attn)
        return norm_jvp(heads, attn.to(heads), norm, frozen=self._frozen_norms)
