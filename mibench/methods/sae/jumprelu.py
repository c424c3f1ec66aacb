"""JumpReLU sparse autoencoder."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mibench.artifacts.dictionaries.dictionary import Dictionary
from mibench.methods.dictionaries.jump_relu import start_jump_relu
from mibench.methods.dictionaries.loop import train
from mibench.methods.dictionaries.penalised import Sparsity
from mibench.methods.dictionaries.recipe import Batch, Coefficient, Rate, Target, Tokens, Width, recipe_for
from mibench.methods.dictionary_view import DictionaryView
from mibench.methods.method import method


@method(track="sae", name="jumprelu", version=1, needs=("train", "gradients", "randomness"), levels=())
def jumprelu(  # noqa: PLR0913 - a method's parameters are its settings
    view: DictionaryView,
    *,
    width: Width = 2048,
    l0: Target = 32.0,
    coefficient: Coefficient = None,
    bandwidth: Annotated[float, Field(gt=0, le=100)] = 1.0,
    tokens: Tokens = None,
    batch: Batch = 2048,
    lr: Rate = None,
) -> Dictionary:
    """Keep pre-activations above a learnt threshold, and make each that is kept cost the same.

    p = x W_enc + b_enc, f = p where p > θ, θ = exp(a learnt number) of each latent. Minimised is ‖x − x̂‖² + λ L0. The
    threshold learns by pseudo-derivatives from entries within ε / 2 of it: ∂f/∂θ = −(θ / ε) K((p − θ) / ε) and ∂L0/∂θ =
    −(1 / ε) K((p − θ) / ε), K the rectangle of width 1. θ starts at the value that l0 latents of a token exceed in the
    untrained dictionary, b_enc such that the mean activation gives 0, and ε = ``bandwidth`` times the standard
    deviation of p there: the paper's θ and ε of 0.001 need far longer trainings. λ and ``coefficient`` are as in
    ``relu``, from θ² / 4 on; the rest as in ``topk``. Cost: somewhat more than ``topk``. Source: Rajamanoharan et al.
    (2024), arXiv 2407.14435.

    Args:
        view: The cell's view.
        width: Number of latents.
        l0: Latents active per token that are aimed at, where there is no ``coefficient``; also sets the start.
        coefficient: λ; None: adapted.
        bandwidth: ε, in standard deviations of untrained pre-activations.
        tokens: Tokens to train on; None: one epoch.
        batch: Tokens a step.
        lr: Learning rate; None: as for ``topk``.
    """
    recipe = recipe_for(view.source, width, tokens, batch, lr)
    sparsity = Sparsity(l0, coefficient)
    return train(view, recipe, lambda sample, generator: start_jump_relu(sample, width, sparsity, bandwidth, generator))
