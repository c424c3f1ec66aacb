"""The mean activation as a dictionary."""

from __future__ import annotations

from dataclasses import replace

from mibench.artifacts.dictionaries.dictionary import Dictionary, Rule
from mibench.methods.dictionaries.moments import moments_of
from mibench.methods.dictionary_view import DictionaryView
from mibench.methods.method import method


@method(track="sae", name="mean-dictionary", version=1, needs=("train",), levels=())
def mean_dictionary(view: DictionaryView) -> Dictionary:
    """Reconstruct everything as the mean: x̂ = b_dec, one latent that is never active.

    The mean is over one epoch, in float64. Explained variance is 0, and a score above that of this dictionary is what
    latents are worth. Cost: one pass over the activations. Source: the constant predictor by which explained variance
    is defined.

    Args:
        view: The cell's view.
    """
    moments = moments_of(view, second=False)
    nothing = moments.targets.new_zeros(1)
    tensors = {
        "w_enc": moments.inputs.new_zeros(len(moments.inputs), 1),
        "b_enc": nothing,
        "w_dec": moments.targets.new_zeros(1, len(moments.targets)),
        "b_dec": moments.targets,
    }
    facts = replace(view.facts, tokens=moments.tokens, seed=view.seed, l0=0.0, fvu=1.0)
    return view.dictionary("relu", Rule("relu", pre_bias=False), tensors, facts=facts)
