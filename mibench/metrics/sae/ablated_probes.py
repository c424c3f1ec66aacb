"""What SCR and TPP share: latents ranked by their effect on a probe, and the probe's accuracy without them.

Probes are linear and activations are means over tokens. So setting latents S to 0 in the reconstruction, with the error
term added back, changes the log odds by −Σ_{f∈S} mean(f) · (W_dec[f]·w) exactly, and no decoding is needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mibench.metrics.faithfulness import BoolArray, FloatArray
from mibench.metrics.sae.adamw_probe import AdamWRecipe, train_probe
from mibench.metrics.sae.logistic import Linear
from mibench.metrics.sae.sparse_probe import Columns

AUDIT = "fails audit (arXiv 2605.18229)"
"""What every number of SCR and TPP is marked with."""


@dataclass(frozen=True)
class Pooled:
    """A dictionary on texts.

    Attributes:
        activations: Mean over tokens. `[rows, d]`
        latents: Mean over tokens, in units of unit decoder rows. `[rows, d_sae]`
        decoder: `[d_sae, d]`
    """

    activations: NDArray[np.floating]
    latents: NDArray[np.floating]
    decoder: NDArray[np.floating]


@dataclass(frozen=True)
class Concept:
    """Something that texts have or have not, with its probe.

    Attributes:
        name: What it is called.
        labels: Which rows have it; only those of ``train`` and ``test`` count. `[rows]`
        train, test: Rows, as many with as without it.
        probe: Trained on the activations of ``train``.
    """

    name: str
    labels: BoolArray
    train: Columns
    test: Columns
    probe: Linear


def make_concept(
    name: str, activations: NDArray[np.floating], labels: BoolArray, rows: tuple[Columns, Columns], recipe: AdamWRecipe
) -> Concept:
    """Train the probe of a concept; ``rows`` are those of train and test."""
    train, test = rows
    return Concept(name, labels, train, test, train_probe(activations[train], labels[train], recipe))


def contributions(pooled: Pooled, probe: Linear) -> FloatArray:
    """What a latent of activation 1 adds to the log odds. `[d_sae]`."""
    found: FloatArray = pooled.decoder.astype(np.float64) @ probe.weights
    return found


def effects(pooled: Pooled, concept: Concept, *, clamped: bool) -> FloatArray:
    """``(mean f | with − mean f | without) · (W_dec[f] · w)`` on train. `[d_sae]`.

    Args:
        pooled: The dictionary on texts.
        concept: With its probe.
        clamped: Take differences below 0 as 0 (TPP).
    """
    latents, labels = pooled.latents[concept.train], concept.labels[concept.train]
    difference = latents[labels].mean(axis=0, dtype=np.float64) - latents[~labels].mean(axis=0, dtype=np.float64)
    kept = np.maximum(difference, 0.0) if clamped else difference
    return np.asarray(kept * contributions(pooled, concept.probe))


def strongest(ranked: FloatArray, n: int) -> Columns:
    """Return the ``n`` latents ranked highest, the first of equals; latents without any effect (0) are never taken."""
    order = np.argsort(-ranked, kind="stable")
    found: Columns = order[ranked[order] != 0][:n].astype(np.int64)
    return found


def accuracy(pooled: Pooled, concept: Concept, probe: Linear, ablated: Columns | None = None) -> float:
    """Accuracy of a probe on a concept's test rows with these latents set to 0.

    Args:
        pooled: The dictionary on texts.
        concept: Whose rows and labels.
        probe: Any probe, not only the concept's own.
        ablated: Latents; None: nothing is changed.
    """
    scores = probe.scores(pooled.activations[concept.test].astype(np.float64))
    if ablated is not None and len(ablated):
        latents = pooled.latents[np.ix_(concept.test, ablated)].astype(np.float64)
        scores = scores - latents @ (pooled.decoder[ablated].astype(np.float64) @ probe.weights)
    return float(np.mean((scores > 0) == concept.labels[concept.test]))
