"""Hedging on a real model: the latent of a kind leans to some of its members, as a narrow dictionary's does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.metric import metric
from mibench.metrics.sae.absorption_main import Ints
from mibench.metrics.sae.hedging_truth import expected_maximum
from mibench.metrics.sae.terms import Terms


@dataclass(frozen=True, eq=False)
class Members:
    """Directions of members, which stand for the features that fire together with their kind's.

    Attributes:
        directions: Unit, what sets a member apart from the others of its kind ``[members, width]``.
        kinds: Kind of each ``[members]``.
    """

    directions: FloatArray
    kinds: Ints


def member_directions(x: FloatArray, words: Ints, kinds: Ints) -> Members:
    """Return, for each word, its mean less the mean of the other words of its kind.

    A kind's own direction cancels, so that a latent that is exactly it leans to no member. Kinds with one word have
    none.

    Args:
        x: Activations ``[rows, width]``.
        words: Word of each row ``[rows]``.
        kinds: Kind of each row, the same for all rows of a word ``[rows]``.
    """
    names, first, place = np.unique(words, return_index=True, return_inverse=True)
    means = np.zeros((len(names), x.shape[1]))
    np.add.at(means, place, x)
    means /= np.bincount(place)[:, None]
    of = kinds[first]
    found, whose = [], []
    for kind in np.unique(of):
        own = means[of == kind]
        if len(own) > 1:
            # Less the mean of the others is a multiple of less the mean of all.
            found.append(own - own.mean(axis=0))
            whose += [kind] * len(own)
    directions = unit(np.concatenate(found)) if found else np.zeros((0, x.shape[1]))
    return Members(directions, np.array(whose, dtype=np.int64))


def unit(rows: FloatArray) -> FloatArray:
    """Rows of unit norm; zeros stay zeros. ``[rows, width]``."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0))


@metric(name="hedging", version=1, track="sae", unit="", higher_is_better=False)
def hedging(latents: FloatArray, kinds: Ints, members: Members) -> Terms:
    """How much more a kind's latent leans to members of the kind than to members of other kinds.

    For a kind with a main latent w (F1 of .5 or more on validation), its m scored members with directions d_c (mean
    over sentences, less the mean of the kind's other members): ``max_c cos(w, d_c)`` minus the expected largest cosine
    with m members of other kinds, so that chance gives 0. Mean over kinds, which the interval resamples.

    A dictionary that is too narrow to give members latents of their own mixes their directions into the kind's, as they
    fire with it. What members' latents have of the kind is absorption, which grows with width where hedging falls, and
    is not counted here. Directions are differences of means, not weights of a probe: where activations are sums of
    features, they estimate what a decoder row should be, while a probe also subtracts what disturbs it; they are not
    whitened, as decoders are not. What all members share cannot be told from the kind itself. Members that are more
    typical lean to their kind in the model too: the value of the mean-difference direction of the kind, in the place of
    the latent, is the ceiling. A kind's latent that has split leans to its part of the members as well.

    Range: [−2, 2]. Lower is better. Source: Chanin et al. 2025 (arXiv 2505.11756), with directions that are measured in
    the place of the true ones (``hedging_truth`` has these).

    Args:
        latents: Unit decoder row of each scored kind ``[kinds, width]``.
        kinds: Which kinds ``[kinds]``.
        members: Of all kinds.
    """
    cosines = latents @ members.directions.T
    found = [_excess(row, members.kinds == kind) for row, kind in zip(cosines, kinds, strict=True)]
    values = np.array([value for value in found if value is not None], dtype=np.float64)
    return Terms(values, "kinds", missing="no kind has a latent with F1 of .5 or more, and two scored members")


@metric(name="hedging_null", version=1, track="sae", unit="", higher_is_better=None)
def hedging_null(latents: FloatArray, kinds: Ints, members: Members) -> Terms:
    """``hedging`` of a dictionary with a frozen random decoder, as wide and about as sparse on these words.

    Range: [−2, 2]. Neither end is better. Source: the control of arXiv 2602.14111.

    Args:
        latents: As for `hedging`.
        kinds: Likewise.
        members: Likewise.
    """
    return hedging(latents, kinds, members)


def _excess(row: FloatArray, own: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float | None:
    """None where a kind has no members, or all others together have fewer."""
    count = int(own.sum())
    if not 0 < count <= int((~own).sum()):
        return None
    return float(row[own].max()) - expected_maximum(row[~own], count)
