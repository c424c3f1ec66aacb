"""Activations of a text on the ground that a family is prepared on."""

from __future__ import annotations

from mibench.engine.activations.store import StoredActivations, StoreRequest, open_store
from mibench.tasks.corpora.blocks import TokenBlocks
from mibench.tracks.sae.evaluation import Ground, Network


def activations_of(ground: Ground, network: Network, blocks: TokenBlocks) -> StoredActivations:
    """Activations of ``blocks`` at the ground's place, kept where the ground keeps them."""
    return open_store(
        StoreRequest(
            model=network.model,
            ref=network.ref,
            blocks=blocks,
            place=ground.place,
            folder=ground.cache,
            batch_tokens=ground.batch_tokens,
            counter=ground.counter,
            progress=ground.progress,
        )
    )
