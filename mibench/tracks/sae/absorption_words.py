"""Words read at their last token: what the model has there, and a dictionary's latents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from mibench.core.hook_points import HookPoint
from mibench.engine.activations.capture import width_of
from mibench.engine.activations.prompts import ragged
from mibench.engine.dictionaries.coder import Coder
from mibench.metrics.faithfulness import BoolArray, FloatArray
from mibench.metrics.sae.absorption_main import Ints, Uses
from mibench.tasks.absorption.prompts import WordPrompt
from mibench.tracks.sae.evaluation import Ground, Network

_LATENTS_AT_ONCE = 8_000_000
"""Numbers of a dense block of latents."""


@dataclass(frozen=True, eq=False)
class WordRows:
    """Prompts as rows.

    Attributes:
        prompts: One a row.
        concepts: Names of the concepts.
        concept: Which of them each row has ``[rows]``.
        word: Number of each row's word ``[rows]``.
        uses: Which rows are for what; ``scored`` has at most the limit of each concept.
    """

    prompts: tuple[WordPrompt, ...]
    concepts: tuple[str, ...]
    concept: Ints
    word: Ints
    uses: Uses

    @classmethod
    def of(cls, prompts: Sequence[WordPrompt], split: str, limit: int | None) -> WordRows:
        """Sort prompts by use.

        Args:
            prompts: Of all splits.
            split: Which is scored.
            limit: Scored rows of each concept, at most; None: all.
        """
        concepts = tuple(sorted({one.concept for one in prompts}))
        words = {word: number for number, word in enumerate(sorted({one.word for one in prompts}))}
        concept = np.array([concepts.index(one.concept) for one in prompts], dtype=np.int64)
        splits = np.array([one.split for one in prompts])
        scored = splits == split
        if limit is not None:
            for number in range(len(concepts)):
                scored[np.flatnonzero(scored & (concept == number))[limit:]] = False
        uses = Uses(*(np.flatnonzero(rows) for rows in (splits == "train", splits == "validation", scored)))
        word = np.array([words[one.word] for one in prompts], dtype=np.int64)
        return cls(tuple(prompts), concepts, concept, word, uses)

    @cached_property
    def labels(self) -> BoolArray:
        """``[rows, concepts]``."""
        return np.asarray(self.concept[:, None] == np.arange(len(self.concepts)))

    def scored_of(self, concept: int) -> Ints:
        """Scored rows of a concept."""
        scored = self.uses.scored
        return np.asarray(scored[self.concept[scored] == concept])


def first_words(prompts: Sequence[WordPrompt], count: int) -> tuple[WordPrompt, ...]:
    """All prompts of the first so many words of each concept and split."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for one in prompts:
        words = found.setdefault((one.concept, one.split), {})
        if len(words) < count:
            words[one.word] = None
    return tuple(one for one in prompts if one.word in found[one.concept, one.split])


class WordActivations:
    """Activations at the last token of each prompt; the model is run when they are first needed.

    Args:
        rows: The prompts.
        ground: Where and how.
        network: The model.
    """

    def __init__(self, rows: WordRows, ground: Ground, network: Network) -> None:
        self._rows, self._ground, self._network = rows, ground, network

    @property
    def targets(self) -> FloatArray:
        """What dictionaries reconstruct ``[rows, d_out]``; probes are fitted on it."""
        return self._found[self._ground.place.target].astype(np.float64)

    def latents(self, coder: Coder) -> sp.csr_array:
        """Latents ``[rows, d_sae]``."""
        inputs, size = self._found[self._ground.place.hook], max(1, _LATENTS_AT_ONCE // coder.d_sae)
        parts = []
        with torch.no_grad():
            for start in range(0, len(inputs), size):
                block = torch.from_numpy(inputs[start : start + size]).to(self._network.model.device)
                parts.append(sp.csr_array(coder.encode(block).double().cpu().numpy()))
        return sp.csr_array(sp.vstack(parts, format="csr"))

    @cached_property
    def _found(self) -> dict[HookPoint, NDArray[np.floating]]:
        ground, model = self._ground, self._network.model
        points = tuple(dict.fromkeys((ground.place.hook, ground.place.target)))
        dtype = np.float64 if model.dtype == torch.float64 else np.float32
        prompts = [one.ids for one in self._rows.prompts]
        found = {point: np.empty((len(prompts), width_of(model, point)), dtype=dtype) for point in points}
        for row, read in ragged(model, prompts, points, ground.batch_tokens, ground.counter, ground.progress):
            for point in points:
                found[point][row] = read[point][-1].to("cpu", torch.float64).numpy()
        return found
