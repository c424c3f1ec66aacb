"""How much of a linear target the intervened logit difference explains: chosen group, joint group, best single site."""

from __future__ import annotations

import numpy as np

from mibench.metrics.metric import metric
from mibench.metrics.variable.means import Means
from mibench.metrics.variable.site_metric import Scored
from mibench.metrics.variable.tables import JOINT

_NO_TARGET = "the task has no linear target"
_CONSTANT = "the linear target is the same in every row, so there is no variance to explain"


@metric(
    name="explained_variance", version=1, track="variable", unit="", higher_is_better=True, of="sites", ceiling=1.0
)  # fmt: skip
def explained_variance(means: Means) -> Scored:
    """Share of the linear target's variance that the intervened logit difference explains, at the chosen group.

    ``1 − MSE / Var(target)``, rows of all counterfactual sets pooled, Var with denominator n. Unlike the squared
    error it can be compared between models and variables. Floor: the no-op.

    Range: (−∞, 1]. Higher is better. Source: mibench; target as in MIB (arXiv 2504.13151).
    """
    return _explained(means, means.examples.chosen)


@metric(
    name="explained_variance_joint", version=1, track="variable", unit="", higher_is_better=True, of="sites",
    ceiling=1.0,
)  # fmt: skip
def explained_variance_joint(means: Means) -> Scored:
    """`explained_variance` of the sites that are intervened on together; of several such groups, validation's best.

    Range: (−∞, 1]. Higher is better. Source: mibench; target as in MIB (arXiv 2504.13151).
    """
    return _best(means, joint=True, absent="no sites were intervened on together")


@metric(
    name="explained_variance_single", version=1, track="variable", unit="", higher_is_better=True, of="sites",
    ceiling=1.0,
)  # fmt: skip
def explained_variance_single(means: Means) -> Scored:
    """`explained_variance` of the best single site by validation.

    Range: (−∞, 1]. Higher is better. Source: mibench; target as in MIB (arXiv 2504.13151).
    """
    return _best(means, joint=False, absent="no site was intervened on by itself")


def _best(means: Means, *, joint: bool, absent: str) -> Scored:
    groups = means.examples.groups
    alike = [index for index, group in enumerate(groups) if (group.layer == JOINT) == joint]
    best = means.examples.best_of(alike)
    if means.error is None:
        return _NO_TARGET
    return absent if best is None else _explained(means, best)


def _explained(means: Means, group: int) -> Scored:
    values = means.explained
    if values is None:
        return _NO_TARGET
    return _CONSTANT if np.isnan(values).all() else values[..., group]
