"""Distributed alignment search."""

from __future__ import annotations

from mibench.artifacts.featurizers.featurizers import Featurizers
from mibench.methods.alignment.align import align
from mibench.methods.alignment.fitting import Recipe
from mibench.methods.alignment.settings import Count, Rate, training_of
from mibench.methods.alignment.subspaces import random_subspaces
from mibench.methods.method import method
from mibench.methods.variable_view import VariableView


@method(track="variable", name="das", version=1, needs=("train", "gradients", "randomness"), levels=())
def das(
    view: VariableView, *, k: Count = None, epochs: Count = None, batch: Count = None, lr: Rate = None
) -> Featurizers:
    """Learn a k-dimensional subspace by which interchange interventions do what the causal model says.

    x' = x_b + (x_s − x_b) R Rᵀ, R with orthonormal columns ``[d, k]``, the Q of a QR decomposition of what is learnt;
    random at the start. Minimised is the cross-entropy of the label after the interchange (or the squared distance
    from a linear target) on training rows of all counterfactual sets, by AdamW without weight decay at a constant
    learning rate. Each site by itself; sites that are also listed together are trained together only. Cost: a forward
    pass of each base and source once, and for each site ``epochs`` forward and backward passes a row, of which only
    the layers after it and the tokens from it on are computed and counted. Source: Geiger et al. (2024), arXiv
    2303.02536; defaults of MIB (Mueller et al. 2025), arXiv 2504.13151.

    Args:
        view: The cell's view.
        k: Number of directions; None: the task's default, which is at most the width.
        epochs: Times that each row is seen; None: the task's default.
        batch: Rows a step; None: the task's default.
        lr: Learning rate; None: the task's default.
    """
    return align(view, [Recipe(random_subspaces(view, k), training_of(view, epochs, batch, lr))])
