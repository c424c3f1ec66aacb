"""Texts run through the model once, and features of their tokens pooled for each text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mibench.core.errors import ArtifactError, DataError, UsageError
from mibench.core.hook_points import HookPoint
from mibench.engine.activations.capture import width_of
from mibench.engine.dictionaries.coder import Coder
from mibench.metrics.faithfulness import FloatArray
from mibench.tasks.probing.settings import Pool
from mibench.tracks.sae.evaluation import Ground, Network
from mibench.tracks.sae.prompt_store import PromptRequest, Sliceable, prompt_activations

_ENCODED_AT_ONCE = 4096
"""Tokens."""


@dataclass(frozen=True)
class Reading:
    """How texts are read.

    Attributes:
        max_tokens: Tokens of a text, BOS included; the rest is cut off.
        pool: What is taken of the tokens.
    """

    max_tokens: int
    pool: Pool


@dataclass(frozen=True)
class PooledLatents:
    """A dictionary on texts.

    Attributes:
        values: `[texts, d_sae]`
        active: Latents that are not 0, summed over the tokens that were read.
        tokens: Number of these tokens.
    """

    values: NDArray[np.float32]
    active: int
    tokens: int


@dataclass(frozen=True)
class _Tokens:
    """Activations of all scored tokens, text after text, shortest first.

    Attributes:
        values: `[tokens, width]` by hook point.
        order: Which text each is of. `[texts]`
        lengths: Scored tokens of each, in this order. `[texts]`
    """

    values: Mapping[HookPoint, Sliceable]
    order: NDArray[np.int64]
    lengths: NDArray[np.int64]


class PooledTexts:
    """Texts at one place; the model is run when something is first asked of them.

    Args:
        texts: The texts, each once.
        ground: Where and how; its BOS policy holds, and a BOS token is not scored.
        network: The model, with a tokenizer.
        reading: How they are read.
    """

    def __init__(self, texts: Sequence[str], ground: Ground, network: Network, reading: Reading) -> None:
        self._texts, self._ground, self._network, self._reading = texts, ground, network, reading

    @cached_property
    def inputs(self) -> FloatArray:
        """Pooled activations of what a dictionary reads. `[texts, d_in]`."""
        return self._pooled(self._ground.place.hook)

    @cached_property
    def targets(self) -> FloatArray:
        """Pooled activations of what a dictionary reconstructs. `[texts, d_out]`."""
        place = self._ground.place
        return self.inputs if place.target == place.hook else self._pooled(place.target)

    def latents(self, coder: Coder) -> PooledLatents:
        """Encode every token, and pool.

        Raises:
            ArtifactError: The dictionary does not fit the place, or its latents are not finite.
            DataError: A text has no token, or the model has no such place.
        """
        place, model = self._ground.place, self._network.model
        widths = width_of(model, place.hook), width_of(model, place.target)
        if (coder.d_in, coder.d_out) != widths:
            raise ArtifactError(
                "The dictionary does not fit the place where it is scored.",
                why=f"It reads {coder.d_in} entries and writes {coder.d_out}; {place.hook.name} has {widths[0]}, "
                f"{place.target.name} {widths[1]}.",
                do="Score it at the model, layer and hook point that it was trained on.",
            )
        values = np.empty((len(self._texts), coder.d_sae), dtype=np.float32)
        active = tokens = 0
        for rows, x in self._blocks(place.hook):
            read = x[:, -1:] if self._reading.pool == "last" else x
            latents = coder.encode(read.to(model.device))
            values[rows] = pool(latents, self._reading.pool).to("cpu", torch.float32).numpy()
            active += int(torch.count_nonzero(latents))
            tokens += read.shape[0] * read.shape[1]
        if not np.isfinite(values).all():
            why, do = "They are infinite or not a number on some text.", "Check its weights, or use a wider dtype."
            raise ArtifactError("The dictionary gives latents that cannot be used.", why=why, do=do)
        return PooledLatents(values, active, tokens)

    def _pooled(self, point: HookPoint) -> FloatArray:
        found = np.empty((len(self._texts), width_of(self._network.model, point)))
        for rows, x in self._blocks(point):
            found[rows] = pool(x, self._reading.pool).double().numpy()
        return found

    def _blocks(self, point: HookPoint) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
        """Yield texts of one length with their activations `[texts, pos, width]`."""
        tokens, start, row = self._tokens, 0, 0
        while row < len(tokens.order):
            length = int(tokens.lengths[row])
            alike = int(np.searchsorted(tokens.lengths, length, side="right")) - row
            count = min(alike, max(1, _ENCODED_AT_ONCE // length))
            stop = start + count * length
            yield tokens.order[row : row + count], tokens.values[point][start:stop].reshape(count, length, -1)
            start, row = stop, row + count

    @cached_property
    def _tokens(self) -> _Tokens:
        ids, special = self._encoded()
        place = self._ground.place
        points = tuple(dict.fromkeys((place.hook, place.target)))
        values = prompt_activations(PromptRequest(ids, special, points, self._ground, self._network))
        lengths = np.array([len(one) - special for one in ids])
        order = np.argsort(lengths, kind="stable")
        return _Tokens(values, order, lengths[order])

    def _encoded(self) -> tuple[list[list[int]], int]:
        """Token ids, and how many of them at the start are not scored."""
        encoder = self._network.encoder
        if encoder is None:
            raise UsageError(
                "Probing reads text, and the model has no tokenizer.",
                why="Texts have to be turned into token ids.",
                do="Use a model with a tokenizer.",
            )
        start = [encoder.bos_id] if self._ground.text.bos and encoder.bos_id is not None else []
        found = [[*start, *encoder.encode(text)][: self._reading.max_tokens] for text in self._texts]
        empty = next((text for text, ids in zip(self._texts, found, strict=True) if len(ids) <= len(start)), None)
        if empty is not None:
            why = "The tokenizer gives none, or the setting max_tokens leaves none."
            raise DataError(f"The text {empty[:60]!r} has no token to be scored.", why=why, do="Use another tokenizer.")
        return found, len(start)


def pool(values: Tensor, how: Pool) -> Tensor:
    """Pool over positions, means in float64. `[texts, pos, width] -> [texts, width]`."""
    if how == "last":
        return values[:, -1]
    return values.amax(1) if how == "max" else values.mean(1, dtype=torch.float64)
