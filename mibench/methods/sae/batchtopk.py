"""BatchTopK sparse autoencoder."""

from __future__ import annotations

from mibench.artifacts.dictionaries.dictionary import Dictionary
from mibench.methods.dictionaries.loop import train
from mibench.methods.dictionaries.recipe import Batch, Kept, Rate, Tokens, Width, recipe_for
from mibench.methods.dictionaries.top_k import start_batch_top_k, start_top_k
from mibench.methods.dictionary_view import DictionaryView
from mibench.methods.method import method


@method(track="sae", name="batchtopk", version=1, needs=("train", "gradients", "randomness"), levels=())
def batchtopk(
    view: DictionaryView,
    *,
    width: Width = 2048,
    k: Kept = 32,
    tokens: Tokens = None,
    batch: Batch = 2048,
    lr: Rate = None,
) -> Dictionary:
    """Keep the k · batch largest latents of a batch, so that tokens share a budget.

    Loss and optimisation are those of ``topk``. The dictionary uses a threshold instead of the batch,
    f = p where p > θ, p = (x − b_dec) W_enc + b_enc; θ is the running mean, over about the last 5 % of the steps, of
    the smallest latent that was kept. The training log's L0 is by θ. Cost: that of ``topk``. Source: Bussmann,
    Leask, Nanda (2024), arXiv 2412.06410.

    Args:
        view: The cell's view.
        width: Number of latents.
        k: Latents kept of a token, on average.
        tokens: Tokens to train on; None: one epoch.
        batch: Tokens a step.
        lr: Learning rate; None: as for ``topk``.
    """
    recipe = recipe_for(view.source, width, tokens, batch, lr)
    return train(
        view,
        recipe,
        lambda sample, generator: start_batch_top_k(start_top_k(sample, width, k, generator), recipe.steps),
    )
