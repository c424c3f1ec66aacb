"""Desiderata-based masking of neurons."""

from __future__ import annotations

from mibench.artifacts.featurizers.featurizers import Featurizers
from mibench.artifacts.featurizers.operation import Operation
from mibench.methods.alignment.masks import Features, learn_masks
from mibench.methods.alignment.settings import Count, Rate, Sparsities, Variant, sweep_of, training_of
from mibench.methods.method import method
from mibench.methods.variable_view import VariableView


@method(
    track="variable",
    name="dbm",
    version=1,
    needs=("train", "validation", "gradients", "randomness"),
    levels=(),
)
def dbm(
    view: VariableView,
    *,
    sparsities: Sparsities = (0.0, 1e-4, 1e-3, 1e-2),
    epochs: Count = None,
    batch: Count = None,
    lr: Rate = None,
    variant: Variant = "mibench",
) -> Featurizers:
    """Learn which entries of the activation are swapped.

    While training f' = (1 − g) f_b + g f_s with g = σ(m / T), m starting at 0, T going linearly from 1 to 0.01; at
    the end those with σ(m) > ½ are swapped, and m = 0 is not. Minimised is the loss of ``das`` + λ Σ g, once for each
    λ of ``sparsities``; kept is the mask with the best score on the validation rows, of equals the smaller one. An
    empty mask swaps nothing. Cost: that of ``das`` for each λ, and an evaluation of each on validation. Source: Davies
    et al. (2023), arXiv 2307.03637; MIB (Mueller et al. 2025), arXiv 2504.13151, has λ = 0 only.

    Args:
        view: The cell's view.
        sparsities: Values of λ; a text has commas between them.
        epochs: Times that each row is seen; None: the task's default.
        batch: Rows a step; None: the task's default.
        lr: Learning rate of m; None: the task's default.
        variant: ``mib``: λ = 0, whatever ``sparsities`` says, and nothing is chosen.
    """
    features = {site: Features((Operation("identity"),), view.width(site)) for site in view.sites}
    return learn_masks(view, features, sweep_of(sparsities, variant, training_of(view, epochs, batch, lr)))
