"""Dictionaries of random rows, which bound recovery from below."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mibench.artifacts.dictionaries.dictionary import Dictionary, Place, Rule
from mibench.tasks.synthetic.directions import unit_rows
from mibench.tasks.synthetic.samples import Sample
from mibench.tasks.synthetic.truth import Truth


def random_dictionary(truth: Truth, width: int, fit: Sequence[Sample], place: Place, seed: int) -> Dictionary:
    """Return a dictionary of random unit rows that is as sparse as the truth.

    Latents are projections on their rows, kept above a threshold at which all fire equally often, as many at a time as
    there are true features; one factor for all makes the reconstruction the best by least squares.

    Args:
        truth: The features.
        width: Number of latents.
        fit: Samples to set threshold and scale by.
        place: Where it is said to read.
        seed: Of the rows.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    rows = unit_rows(generator.standard_normal((width, truth.recipe.width)))
    x = np.concatenate([sample.x for sample in fit]).astype(np.float64)
    mean = x.mean(axis=0)
    projected = (x - mean) @ rows.T
    share = min(0.5, truth.mean_active / width)
    threshold = np.maximum(np.quantile(projected, 1 - share, axis=0), 0.0)
    latents = np.where(projected > threshold, projected, 0.0)
    written = (latents - latents.mean(axis=0)) @ rows
    scale = max(float((written * (x - mean)).sum()) / max(float((written**2).sum()), 1e-12), 1e-3)
    encoder = scale * rows.T
    arrays = {
        "w_enc": encoder,
        "b_enc": -mean @ encoder,
        "w_dec": rows,
        "b_dec": mean - scale * latents.mean(axis=0) @ rows,
        "threshold": scale * threshold,
    }
    tensors = {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in arrays.items()}
    return Dictionary(place, "jumprelu", Rule("jumprelu", pre_bias=False), tensors)
