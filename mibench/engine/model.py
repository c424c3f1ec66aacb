"""A model ready for interventions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, Generic, TypeVar

import torch

from mibench.engine.attention import AttentionCore
from mibench.engine.exact64 import make_exact
from mibench.engine.folded import Folded, fold
from mibench.graph.graph import Graph
from mibench.models.anatomy import Anatomy
from mibench.models.placement import is_offloaded, place_of

Made = TypeVar("Made")


class LanguageModel:
    """A causal language model with its parts under common names, its graph, and folded weights.

    Attributes:
        hf: The transformers model; evaluated, frozen, and left as it was.
        anatomy: Its parts.
        device: Where inputs go, and where sums over layers are formed. A model on several devices keeps the tensors
            of each layer on that layer's; see ``places``.
        dtype: Type of its weights.
        accumulate: Type in which differences and scores are summed: float32 for 16-bit weights, else ``dtype``.
    """

    def __init__(self, hf: Any) -> None:
        self.hf = hf.eval().requires_grad_(requires_grad=False)
        self.anatomy = Anatomy(hf)
        self.device: torch.device = place_of(hf.get_input_embeddings())
        self.dtype: torch.dtype = next(hf.parameters()).dtype
        self.accumulate = torch.promote_types(self.dtype, torch.float32)
        if self.dtype == torch.float64:
            make_exact(self.anatomy)

    @property
    def graph(self) -> Graph:
        """The computation graph."""
        return self.anatomy.graph

    @cached_property
    def places(self) -> list[torch.device]:
        """The device of each layer."""
        return [place_of(block.norm1) for block in self.anatomy.blocks]

    @cached_property
    def folded(self) -> PerLayer[Folded]:
        """Folded projections in the ``accumulate`` type, one a layer, on the layer's device."""
        return PerLayer(self.anatomy, lambda layer: fold(self.anatomy, layer, self.accumulate))

    @cached_property
    def out_weights(self) -> PerLayer[torch.Tensor]:
        """Output projections by head in the ``accumulate`` type, ``[n_heads, head_dim, d_model]`` each, likewise."""
        return PerLayer(self.anatomy, lambda layer: self.anatomy.out_weight(layer).to(self.accumulate))

    @cached_property
    def cores(self) -> list[AttentionCore]:
        """Attention from given q, k and v, one a layer."""
        return [AttentionCore(self.anatomy, layer) for layer in range(self.anatomy.n_layers)]


class PerLayer(Generic[Made]):
    """What is made of each layer's weights: kept once made, save for layers whose weights do not fit the device.

    Args:
        anatomy: The model's parts.
        make: Makes it.
    """

    def __init__(self, anatomy: Anatomy, make: Callable[[int], Made]) -> None:
        self._anatomy, self._make = anatomy, make
        self._kept: dict[int, Made] = {}
        self._passing: tuple[int, Made] | None = None

    def __getitem__(self, layer: int) -> Made:
        if layer in self._kept:
            return self._kept[layer]
        if self._passing is not None and self._passing[0] == layer:
            return self._passing[1]
        # Before the next one is made, not after.
        self._passing = None
        with torch.no_grad():
            made = self._make(layer)
        if is_offloaded(self._anatomy.blocks[layer].attn):
            self._passing = (layer, made)
        else:
            self._kept[layer] = made
        return made

    def __len__(self) -> int:
        return self._anatomy.n_layers

    def __iter__(self) -> Iterator[Made]:
        return (self[layer] for layer in range(len(self)))
