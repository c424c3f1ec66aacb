"""TopK sparse autoencoder."""

from __future__ import annotations

from mibench.artifacts.dictionaries.dictionary import Dictionary
from mibench.methods.dictionaries.loop import train
from mibench.methods.dictionaries.recipe import Batch, Kept, Rate, Tokens, Width, recipe_for
from mibench.methods.dictionaries.top_k import start_top_k
from mibench.methods.dictionary_view import DictionaryView
from mibench.methods.method import method


@method(track="sae", name="topk", version=1, needs=("train", "gradients", "randomness"), levels=())
def topk(
    view: DictionaryView,
    *,
    width: Width = 2048,
    k: Kept = 32,
    tokens: Tokens = None,
    batch: Batch = 2048,
    lr: Rate = None,
) -> Dictionary:
    """Keep the k largest latents of each token.

    f = the k largest of relu((x − b_dec) W_enc + b_enc), x̂ = f W_dec + b_dec. Minimised is ‖x − x̂‖² + ‖e − ê‖² / 32,
    where e is the residual x − x̂ without gradients, and ê its reconstruction by the min(d / 2, number of them) largest
    latents of those that have not been active for 1/32 of the training. Decoder rows have norm 1, the gradient along
    them taken out; they start random, W_enc as W_decᵀ times what reconstructs a sample best, b_dec as the mean. Adam,
    the learning rate rising over the first 5 % of the steps and falling to 0 over the last 20 %. In training E‖x‖² is
    brought to d; the scale is in the weights at the end. A transcoder subtracts no b_dec. Cost: a step of 2,048 tokens
    at d = 576 and width 2,048 takes about 0.11 s of one core. Source: Gao et al. (2024), arXiv 2406.04093.

    Args:
        view: The cell's view.
        width: Number of latents.
        k: Latents kept of each token.
        tokens: Tokens to train on; None: one epoch.
        batch: Tokens a step.
        lr: Learning rate; None: 8e-4 · √(2¹⁴ / width), at most 0.01; four times the paper's, for short trainings.
    """
    recipe = recipe_for(view.source, width, tokens, batch, lr)
    return train(view, recipe, lambda sample, generator: start_top_k(sample, width, k, generator))
