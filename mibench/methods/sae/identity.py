"""The activation itself as a dictionary."""

from __future__ import annotations

from dataclasses import replace

import torch

from mibench.artifacts.dictionaries.dictionary import Dictionary, Rule
from mibench.methods.dictionaries.linear import facts_of, regression
from mibench.methods.dictionaries.moments import moments_of
from mibench.methods.dictionaries.sample import is_transcoder
from mibench.methods.dictionary_view import DictionaryView
from mibench.methods.method import method


@method(track="sae", name="identity", version=1, needs=("train",), levels=())
def identity(view: DictionaryView) -> Dictionary:
    """Take the entries of the activation as latents: f = x, x̂ = f, exactly.

    The ceiling of fidelity and the raw basis of everything else; dense, L0 = d. A transcoder decodes by least squares
    from x to its targets, in float64. Cost: nothing; for a transcoder one pass over the activations. Source: a control
    that every benchmark of dictionaries has, such as SAEBench (Karvonen et al. 2025), arXiv 2503.09532.

    Args:
        view: The cell's view.
    """
    width = view.source.d_in
    eye = torch.eye(width, dtype=torch.float64, device=view.device)
    tensors = {"w_enc": eye, "b_enc": eye.new_zeros(width), "w_dec": eye, "b_dec": eye.new_zeros(width)}
    facts = replace(view.facts, tokens=0, seed=view.seed, l0=float(width), fvu=0.0)
    if is_transcoder(view):
        moments = moments_of(view, second=True)
        decoder = regression(moments.covariance, moments.cross)
        tensors |= {"w_dec": decoder, "b_dec": moments.targets - moments.inputs @ decoder}
        facts = facts_of(view, moments, decoder, moments.covariance, moments.cross)
    return view.dictionary("identity", Rule("linear", pre_bias=False), tensors, facts=facts)
