"""Absorption where the hierarchy is known: a parent's latent is silent where a child's latent speaks for both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.metric import metric
from mibench.metrics.sae.code_sums import CodeSums
from mibench.metrics.sae.matching import UNMATCHED, Ints, Matching
from mibench.metrics.sae.relations import NO_PARENT
from mibench.metrics.sae.terms import Terms

FOUND = 0.5
"""Cosine from which a latent stands for its feature at all; a child's latent that has absorbed its parent has .7."""
LEANING = 0.1
"""How much more than the child's own direction its latent has to point to the parent."""


@dataclass(frozen=True, eq=False)
class Families:
    """True features with their parents.

    Attributes:
        parents: Of each feature, −1 for none ``[features]``.
        kinship: Cosine of the directions of each feature and its parent; 0 for none ``[features]``.
    """

    parents: Ints
    kinship: FloatArray

    @classmethod
    def of(cls, parents: Ints, directions: FloatArray) -> Families:
        """Families of features with unit directions ``[features, width]``."""
        kinship = np.einsum("nd,nd->n", directions, directions[parents])
        return cls(parents, np.where(parents == NO_PARENT, 0.0, kinship))


@metric(name="absorption_truth", version=1, track="sae", unit="", higher_is_better=False, ceiling=0.0)
def absorption_truth(sums: CodeSums, cosines: FloatArray, matching: Matching, families: Families) -> Terms:
    """Share of a child's firings in which its parent's latent is silent, while the child's latent points to the parent.

    For parent P and child C with latents matched by a cosine of .5 or more: ``P(f_P = 0 | z_C > 0)`` where
    ``cos(w_C, d_P) − cos(d_C, d_P) > .1``, else 0. Mean over such pairs. P fires whenever C does, so its latent
    should too.

    Range: [0, 1]. Lower is better. Source: Chanin et al. 2024 (arXiv 2409.14507), with the truth in place of probes.

    Args:
        sums: Over samples.
        cosines: ``[latents, features]``; absolute where codes may be negative.
        matching: By cosine.
        families: Who is whose parent.
    """
    children = _scored_children(sums, matching, families)
    parents = families.parents[children]
    spoken = sums.both[matching.latent[parents], children] / sums.code_fired[children]
    leans = cosines[matching.latent[children], parents] - families.kinship[children] > LEANING
    return Terms(np.where(leans, 1.0 - spoken, 0.0), "pairs of features", missing=_missing(families))


def _scored_children(sums: CodeSums, matching: Matching, families: Families) -> Ints:
    """Children that fire in the sample and are found, as their parents are."""
    found = (matching.latent != UNMATCHED) & (matching.similarity >= FOUND)
    children = np.flatnonzero((families.parents != NO_PARENT) & found & (sums.code_fired > 0))
    return np.asarray(children[found[families.parents[children]]])


def _missing(families: Families) -> str:
    if (families.parents == NO_PARENT).all():
        return "no true feature implies another"
    return "no parent and child are both matched by a cosine of .5 or more"
