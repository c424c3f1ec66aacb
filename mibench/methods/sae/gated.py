"""Gated sparse autoencoder."""

from __future__ import annotations

from mibench.artifacts.dictionaries.dictionary import Dictionary
from mibench.methods.dictionaries.gated import start_gated
from mibench.methods.dictionaries.loop import train
from mibench.methods.dictionaries.penalised import Sparsity
from mibench.methods.dictionaries.recipe import Batch, Coefficient, Rate, Target, Tokens, Width, recipe_for
from mibench.methods.dictionary_view import DictionaryView
from mibench.methods.method import method


@method(track="sae", name="gated", version=1, needs=("train", "gradients", "randomness"), levels=())
def gated(  # noqa: PLR0913 - a method's parameters are its settings
    view: DictionaryView,
    *,
    width: Width = 2048,
    l0: Target = 32.0,
    coefficient: Coefficient = None,
    tokens: Tokens = None,
    batch: Batch = 2048,
    lr: Rate = None,
) -> Dictionary:
    """Have gates say which latents are active, and magnitudes how much.

    π = (x − b_dec) W_enc, f = 1[π + b_gate > 0] · relu(exp(r_mag) π + b_mag), x̂ = f W_dec + b_dec. Minimised is
    ‖x − x̂‖² + λ Σ relu(π + b_gate) + ‖x − x̂_gate‖², where x̂_gate is decoded from relu(π + b_gate) by W_dec and b_dec
    without gradients to them: gates learn to reconstruct, and their shrinkage is not that of the latents. λ and
    ``coefficient`` are as in ``relu``; start and optimisation as in ``topk``. Cost: that of ``relu``, and a second
    decoding. Source: Rajamanoharan et al. (2024), arXiv 2404.16014.

    Args:
        view: The cell's view.
        width: Number of latents.
        l0: Latents active per token that are aimed at, where there is no ``coefficient``.
        coefficient: λ; None: adapted.
        tokens: Tokens to train on; None: one epoch.
        batch: Tokens a step.
        lr: Learning rate; None: as for ``topk``.
    """
    recipe = recipe_for(view.source, width, tokens, batch, lr)
    sparsity = Sparsity(l0, coefficient)
    return train(view, recipe, lambda sample, generator: start_gated(sample, width, sparsity, generator))
