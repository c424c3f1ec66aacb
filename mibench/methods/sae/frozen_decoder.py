"""Sparse autoencoder with a random decoder: the null of training."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field

from mibench.artifacts.dictionaries.dictionary import Dictionary
from mibench.methods.dictionaries.frozen import Frozen, start_frozen
from mibench.methods.dictionaries.loop import train
from mibench.methods.dictionaries.recipe import Batch, Kept, Rate, Tokens, Width, recipe_for
from mibench.methods.dictionaries.sample import Sample
from mibench.methods.dictionaries.top_k import start_top_k
from mibench.methods.dictionary_view import DictionaryView
from mibench.methods.method import method


@method(track="sae", name="frozen-decoder", version=1, needs=("train", "gradients", "randomness"), levels=())
def frozen_decoder(  # noqa: PLR0913 - a method's parameters are its settings
    view: DictionaryView,
    *,
    width: Width = 2048,
    k: Kept = 32,
    soft: Annotated[float, Field(gt=0, le=1)] = 1.0,
    tokens: Tokens = None,
    batch: Batch = 2048,
    lr: Rate = None,
) -> Dictionary:
    """Train ``topk`` with decoder rows that are random and stay so: what a dictionary scores without learning features.

    Everything but the decoder's rows is trained as in ``topk``. With ``soft`` below 1 they are trained too, and kept
    within that cosine of the random ones (the paper has 0.8). Cost: that of ``topk``. Source: Korznikov et al. (2026),
    arXiv 2602.14111.

    Args:
        view: The cell's view.
        width: Number of latents.
        k: Latents kept of each token.
        soft: Smallest cosine of a decoder row with its random start; 1: rows are not trained.
        tokens: Tokens to train on; None: one epoch.
        batch: Tokens a step.
        lr: Learning rate; None: as for ``topk``.
    """
    recipe = recipe_for(view.source, width, tokens, batch, lr)

    def start(sample: Sample, generator: torch.Generator) -> Frozen:
        return start_frozen(start_top_k(sample, width, k, generator), soft)

    return train(view, recipe, start)
