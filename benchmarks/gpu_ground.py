"""A random model, prompts and a dictionary, and the plain passes that all else is compared with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from inputs import interchanges_of, untrained_topk
from shapes import Shape
from torch import Tensor

from mibench.artifacts.circuit import CircuitScores
from mibench.artifacts.dictionaries.dictionary import Dictionary, Place
from mibench.core.hook_points import HookPoint
from mibench.core.specs import Level
from mibench.engine.activations.source import Activations
from mibench.engine.attribution.edges import Attribution, attribute_edges
from mibench.engine.dictionaries.coder import Coder
from mibench.engine.meter import PassCounter
from mibench.engine.model import LanguageModel
from mibench.graph.circuit import Circuit
from mibench.tasks.encode import EncodedPair
from mibench.tasks.interchange import EncodedInterchange
from mibench.tracks.select import circuits_of

SAE_STEPS, SAE_K = 20, 32


class Passes:
    """Counts passes of one prompt.

    Attributes:
        forwards: Forward passes; parts of the layers count as such.
        backwards: Backward passes.
    """

    def __init__(self) -> None:
        self.forwards = self.backwards = 0.0

    def forward(self, examples: float) -> None:
        """Count forward passes."""
        self.forwards += examples

    def backward(self, examples: float) -> None:
        """Count backward passes."""
        self.backwards += examples


class Noise:
    """A source of random activations, a batch of which is made once.

    Args:
        size: Tokens a batch.
        width: Entries of an activation.
        device: Where they are.
    """

    def __init__(self, size: int, width: int, device: torch.device) -> None:
        drawn = torch.randn(size, width, generator=torch.Generator().manual_seed(0)).to(device)
        self._batch = Activations(drawn, drawn)
        self.n_tokens, self.d_in, self.d_out = size * SAE_STEPS, width, width
        self.digest = f"noise {size} {width}"

    def batches(self, size: int, seed: int, *, skip: int = 0) -> Iterator[Activations]:  # noqa: ARG002
        """Yield the batch without end."""
        while True:
            yield self._batch


@dataclass(frozen=True)
class Ground:
    """What is timed on.

    Attributes:
        shape: Sizes of the model.
        model: With random weights.
        pairs: Random prompts of one length that share nothing.
    """

    shape: Shape
    model: LanguageModel
    pairs: tuple[EncodedPair, ...]

    @classmethod
    def make(cls, shape: Shape, device: torch.device, dtype: torch.dtype, size: tuple[int, int]) -> Ground:
        """A model, and so many prompts of so many tokens."""
        draw = np.random.default_rng(0)
        clean = draw.integers(1, shape.config.vocab_size - 1, size)
        answers = draw.integers(1, shape.config.vocab_size - 1, (size[0], 2))
        pairs = [
            EncodedPair(str(row), tuple(ids.tolist()), tuple((ids + 1).tolist()), (right,), (wrong,))
            for row, (ids, (right, wrong)) in enumerate(zip(clean, answers.tolist(), strict=True))
        ]
        return cls(shape, LanguageModel(shape.model(device, dtype)), tuple(pairs))

    @property
    def tokens(self) -> int:
        """Of a prompt."""
        return self.pairs[0].length

    @property
    def all_tokens(self) -> int:
        """Of all prompts."""
        return self.tokens * len(self.pairs)

    @cached_property
    def ids(self) -> Tensor:
        """The clean prompts, ``[batch, pos]``."""
        return torch.tensor([pair.clean for pair in self.pairs], device=self.model.device)

    @property
    def batching(self) -> dict[str, Any]:
        """All prompts in one batch."""
        return {"batch_size": len(self.pairs), "batch_tokens": self.all_tokens}

    @cached_property
    def circuits(self) -> list[Circuit]:
        """Ten sizes by magnitude of the scores of EAP."""
        scores = attribute_edges(self.model, self.pairs, Attribution(**self.batching))
        made = CircuitScores(self.model.graph, Level.EDGE, scores, d_model=self.shape.d_model)
        return [one.circuit for one in circuits_of(made)][10:]

    @cached_property
    def rows(self) -> list[EncodedInterchange]:
        """The prompts as bases and sources of interchanges."""
        return interchanges_of(self.pairs, {"last": (self.tokens - 1,)})

    @property
    def point(self) -> HookPoint:
        """Half-way up."""
        return HookPoint(self.shape.n_layers // 2)

    @property
    def width(self) -> int:
        """Latents of dictionaries: eight times the stream's."""
        return 8 * self.shape.d_model

    @cached_property
    def dictionary(self) -> Dictionary:
        """A TopK dictionary that was not trained."""
        place, k = Place(self.shape.name, self.point), min(SAE_K, self.width)
        return untrained_topk(place, self.shape.d_model, self.width, k)

    @cached_property
    def coder(self) -> Coder:
        """It, on the device."""
        return Coder(self.dictionary, device=self.model.device, dtype=self.model.accumulate)

    def plain(self, counter: PassCounter) -> Tensor:
        """The unit: a plain forward pass with logits at the last position."""
        counter.forward(len(self.pairs))
        with torch.no_grad():
            logits: Tensor = self.model.hf(input_ids=self.ids, use_cache=False, logits_to_keep=1).logits
        return logits

    def both_ways(self, counter: PassCounter) -> Tensor:
        """The same with a backward pass towards the embeddings."""
        counter.forward(len(self.pairs))
        counter.backward(len(self.pairs))
        embedded = self.model.anatomy.embed(self.ids).detach().requires_grad_()
        logits = self.model.hf(inputs_embeds=embedded, use_cache=False, logits_to_keep=1).logits
        return torch.autograd.grad(logits[:, -1, 0].sum(), embedded)[0]
