"""A model with the same weights in another order: same sizes and distributions, nothing learnt."""

from __future__ import annotations

import copy
import hashlib

import torch

from mibench.core.errors import ModelError
from mibench.engine.model import LanguageModel
from mibench.models.placement import is_offloaded


def shuffled_weights(model: LanguageModel, seed: int) -> LanguageModel:
    """A copy of ``model`` in which the entries of every parameter are permuted within that parameter.

    Embeddings, unembedding, norms and biases are permuted too; a tensor that serves twice (tied embeddings) stays
    one tensor; a projection that keeps q, k and v in one matrix mixes them. Buffers, such as rotary frequencies,
    stay. ``model`` is left as it was. The permutation of a parameter depends on the seed and its name alone. What a
    featurizer reaches here, it owes to its own expressivity (Sutter et al. 2025, arXiv 2507.08802).

    Args:
        model: The model to copy.
        seed: Seed of the permutations.

    Raises:
        ModelError: Some of its weights are on the CPU or on disk, for lack of room.
    """
    if is_offloaded(model.hf):
        raise ModelError(
            "The weights of this model cannot be shuffled.",
            why="Some are on the CPU or on disk, and a copy has to have all of them.",
            do="Use more devices, a smaller dtype, or leave out this control.",
        )
    shuffled = copy.deepcopy(model.hf)
    with torch.no_grad():
        for name, parameter in shuffled.named_parameters():
            generator = torch.Generator().manual_seed(_seed(seed, name))
            order = torch.randperm(parameter.numel(), generator=generator).to(parameter.device)
            parameter.copy_(parameter.flatten()[order].view_as(parameter))
    return LanguageModel(shuffled)


def _seed(seed: int, name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:7], "big")
