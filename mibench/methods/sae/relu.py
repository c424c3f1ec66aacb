"""Sparse autoencoder with a ReLU and an L1 penalty."""

from __future__ import annotations

from mibench.artifacts.dictionaries.dictionary import Dictionary
from mibench.methods.dictionaries.loop import train
from mibench.methods.dictionaries.penalised import Sparsity
from mibench.methods.dictionaries.recipe import Batch, Coefficient, Rate, Target, Tokens, Width, recipe_for
from mibench.methods.dictionaries.relu import start_relu
from mibench.methods.dictionary_view import DictionaryView
from mibench.methods.method import method


@method(track="sae", name="relu", version=1, needs=("train", "gradients", "randomness"), levels=())
def relu(  # noqa: PLR0913 - a method's parameters are its settings
    view: DictionaryView,
    *,
    width: Width = 2048,
    l0: Target = 32.0,
    coefficient: Coefficient = None,
    tokens: Tokens = None,
    batch: Batch = 2048,
    lr: Rate = None,
) -> Dictionary:
    """Make every latent cost its size.

    f = relu((x − b_dec) W_enc + b_enc), x̂ = f W_dec + b_dec, rows of W_dec of norm 1. Minimised is ‖x − x̂‖² + λ Σ f
    with E‖x‖² = d; λ rises from 0 over the first 5 % of the steps. Without ``coefficient``, log λ is also adapted:
    1.5 e + Σ_steps 7 e / steps, e the running mean of clip(log(L0 / l0), −1, 1), from the log of a quarter of the
    pre-activation that l0 latents exceed at the start; it stays for the last 5 % of the steps. Start and optimisation
    are those of ``topk``. L1 shrinks latents, so explained variance is low for its L0. Cost: up to twice that of
    ``topk`` while latents are dense, at the start. Source: Bricken et al. (2023), "Towards Monosemanticity";
    Cunningham et al. (2023), arXiv 2309.08600.

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
    return train(view, recipe, lambda sample, generator: start_relu(sample, width, sparsity, generator))
