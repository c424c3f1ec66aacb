"""The same dictionary written down differently: latents in another order and of another scale."""

from __future__ import annotations

import dataclasses

import numpy as np

from mibench.artifacts.dictionaries.dictionary import Array, Dictionary

_SCALED = ("b_enc", "threshold", "b_gate", "b_mag")
"""Tensors in the units of latents, beside the encoder; ``r_mag`` has none."""


def relabelled(dictionary: Dictionary, seed: int) -> Dictionary:
    """Return a dictionary with the same reconstructions: latents permuted, times c, decoder rows divided by it.

    ``c`` differs from latent to latent, but for ``topk``, whose latents are compared with each other. Nested prefixes
    of a Matryoshka dictionary are no prefixes any more, and are left out of what is known of its training.

    Args:
        dictionary: Any dictionary.
        seed: Of order and scale.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    order, scale = generator.permutation(dictionary.d_sae), np.exp(generator.standard_normal(dictionary.d_sae))
    if dictionary.rule.activation == "topk":
        scale = np.full(dictionary.d_sae, scale[0])
    old = dictionary.tensors
    new = dict(old) | {"w_enc": old["w_enc"][:, order] * scale, "w_dec": old["w_dec"][order] / scale[:, None]}
    new |= {name: old[name][order] * scale for name in _SCALED if name in old}
    if "r_mag" in old:
        new["r_mag"] = old["r_mag"][order]
    tensors: dict[str, Array] = {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in new.items()}
    return dataclasses.replace(
        dictionary, tensors=tensors, training=dataclasses.replace(dictionary.training, groups=())
    )
