"""Matryoshka BatchTopK sparse autoencoder."""

from __future__ import annotations

import torch

from mibench.artifacts.dictionaries.dictionary import Dictionary
from mibench.methods.dictionaries.groups import Fractions, group_sizes
from mibench.methods.dictionaries.loop import train
from mibench.methods.dictionaries.recipe import Batch, Kept, Rate, Tokens, Width, recipe_for
from mibench.methods.dictionaries.sample import Sample
from mibench.methods.dictionaries.top_k import Matryoshka, start_batch_top_k, start_matryoshka, start_top_k
from mibench.methods.dictionary_view import DictionaryView
from mibench.methods.method import method


@method(track="sae", name="matryoshka", version=1, needs=("train", "gradients", "randomness"), levels=())
def matryoshka(  # noqa: PLR0913 - a method's parameters are its settings
    view: DictionaryView,
    *,
    width: Width = 2048,
    k: Kept = 32,
    groups: Fractions = (1 / 16, 1 / 16, 1 / 8, 1 / 4, 1 / 2),
    tokens: Tokens = None,
    batch: Batch = 2048,
    lr: Rate = None,
) -> Dictionary:
    """Keep the k · batch largest latents of a batch, and have nested prefixes of them reconstruct by themselves.

    Minimised is the mean over prefixes of ‖x − x̂_prefix‖², where x̂_prefix is decoded from the kept latents of the
    first groups only, and the loss of dead latents as in ``topk``. Choice over the batch, threshold and training log
    are those of ``batchtopk``. Cost: that of ``topk``, some more. Source: Bussmann, Nabeshima, Karvonen, Nanda (2025),
    arXiv 2503.17547; prefixes are fixed, and all count the same.

    Args:
        view: The cell's view.
        width: Number of latents.
        k: Latents kept of a token, on average.
        groups: Share of the latents that each further prefix adds, 1 in all.
        tokens: Tokens to train on; None: one epoch.
        batch: Tokens a step.
        lr: Learning rate; None: as for ``topk``.
    """
    recipe = recipe_for(view.source, width, tokens, batch, lr)
    sizes = group_sizes(groups, width)

    def start(sample: Sample, generator: torch.Generator) -> Matryoshka:
        plain = start_top_k(sample, width, k, generator)
        return start_matryoshka(start_batch_top_k(plain, recipe.steps), sizes)

    return train(view, recipe, start)
