"""A text at one place, and where sampled latents of dictionaries are active in it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from mibench.core.errors import ArtifactError, UsageError
from mibench.core.specs import Convention
from mibench.engine.activations.capture import width_of
from mibench.engine.activations.store import BlockBatch, StoredActivations
from mibench.engine.meter import Progress
from mibench.tasks.corpora.blocks import TokenBlocks, token_blocks
from mibench.tasks.corpora.load import load_corpus
from mibench.tracks.sae.evaluation import Ground, Network, Subject
from mibench.tracks.sae.latent_traces import LatentTraces, Sampling, TraceReader
from mibench.tracks.sae.stored import activations_of
from mibench.tracks.sae.text_halves import Halves, halves


def network_of(ground: Ground, what: str) -> Network:
    """Return the model of a ground.

    Args:
        ground: The ground.
        what: What needs it, with a capital.

    Raises:
        UsageError: There is none, or the convention is not mibench's.
    """
    if ground.network is None:
        raise UsageError(f"{what} needs a model.", why="None was given.", do="Name one with --model.")
    if ground.convention is not Convention.MIBENCH:
        why = f"'{ground.convention.value}' has no such definition that can be followed."
        raise UsageError(f"{what} has one convention.", why=why, do="Use mibench.")
    return ground.network


class TracedText:
    """The text is tokenized, and the model run, when they are first needed.

    Args:
        ground: Where.
        network: The model.
        tokens: Scored tokens, the first of the split.
    """

    def __init__(self, ground: Ground, network: Network, tokens: int) -> None:
        self._ground, self._network, self._tokens = ground, network, tokens

    @cached_property
    def blocks(self) -> TokenBlocks:
        """The text."""
        text, ground = self._ground.text, self._ground
        corpus, encoder = load_corpus(text.corpus), self._network.encoder
        blocks = token_blocks(corpus, ground.split, encoder, context=text.context, bos=text.bos, tokens=self._tokens)
        return blocks.first(ground.limit)

    @cached_property
    def halves(self) -> Halves:
        """What is fitted on, and what is held out.

        Raises:
            DataError: There is too little text.
        """
        return halves(self.blocks)

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """Scored tokens before each context, and all of them, ``[contexts + 1]``."""
        return np.concatenate([[0], self.blocks.scored.sum(1).cumsum()])

    @cached_property
    def _store(self) -> StoredActivations:
        return activations_of(self._ground, self._network, self.blocks)

    def traces(self, subjects: Sequence[Subject], sampling: Sampling, progress: Progress) -> list[LatentTraces]:
        """Read the sampled latents of dictionaries in two passes, the first over the fitted half only.

        Raises:
            ArtifactError: A dictionary does not fit the place.
            DataError: There is too little text.
        """
        for subject in subjects:
            self._check(subject)
        readers = [TraceReader(one.coder) for one in subjects]
        fit, total = self.halves.fit.stop, self.halves.fit.stop + len(self.blocks)
        for batch in self._store.passes():
            inputs = _scored(batch, fit)
            for reader in readers:
                reader.count(inputs)
            progress(min(batch.rows.stop, fit), total)
            if batch.rows.stop >= fit:
                break
        for reader in readers:
            reader.choose(sampling, self.starts[fit] / self.starts[-1])
        for batch in self._store.passes():
            for reader in readers:
                reader.add(batch.inputs[batch.scored], int(self.starts[batch.rows.start]))
            progress(fit + batch.rows.stop, total)
        return [reader.traces() for reader in readers]

    def _check(self, subject: Subject) -> None:
        width, reads = width_of(self._network.model, self._ground.place.hook), subject.coder.d_in
        if reads != width:
            raise ArtifactError(
                "The dictionary does not fit the place where it is scored.",
                why=f"It reads {reads} entries; {self._ground.place.hook.name} has {width}.",
                do="Score it at the model, layer and hook point that it was trained on.",
            )


def _scored(batch: BlockBatch, stop: int) -> Tensor:
    """Activations ``[tokens, d_in]`` of the batch's scored tokens, in contexts before ``stop``."""
    kept = max(0, stop - batch.rows.start)
    return batch.inputs[:kept][batch.scored[:kept]]
