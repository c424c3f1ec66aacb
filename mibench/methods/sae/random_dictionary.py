"""An untrained dictionary."""

from __future__ import annotations

from dataclasses import replace

from mibench.artifacts.dictionaries.dictionary import Dictionary
from mibench.methods.dictionaries.loop import finished
from mibench.methods.dictionaries.recipe import Kept, Width
from mibench.methods.dictionaries.sample import SAMPLE_TOKENS, sample_of
from mibench.methods.dictionaries.top_k import start_top_k
from mibench.methods.dictionaries.weights import own_draws
from mibench.methods.dictionary_view import DictionaryView
from mibench.methods.method import method


@method(track="sae", name="random-dictionary", version=1, needs=("train", "randomness"), levels=())
def random_dictionary(view: DictionaryView, *, width: Width = 2048, k: Kept = 32) -> Dictionary:
    """Take the dictionary that ``topk`` starts from: random unit rows as decoder and, scaled, as encoder.

    f = the k largest of relu(s (x − b_dec) W_decᵀ), x̂ = f W_dec + b_dec; b_dec is the mean and s the factor that
    reconstructs best, both on 8,192 tokens. A transcoder's encoder is
    the same rows, of what a linear map predicts of the targets. Cost: nothing. Source: as a
    control, Chanin (2026), arXiv 2605.18229.

    Args:
        view: The cell's view.
        width: Number of latents.
        k: Latents kept of each token.
    """
    tokens = min(SAMPLE_TOKENS, view.source.n_tokens)
    sample = sample_of(view, tokens)
    learner = start_top_k(sample, width, k, own_draws(view))
    return finished(view, learner, sample.scaler, replace(view.facts, tokens=tokens, seed=view.seed))
