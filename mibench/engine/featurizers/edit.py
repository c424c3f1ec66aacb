"""Interchange interventions on features: from the base's and the source's activation to what takes the base's place."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from mibench.artifacts.featurizers.featurizers import SiteFeaturizer
from mibench.artifacts.featurizers.selection import is_empty, mask_of
from mibench.engine.featurizers.operations import RULES, TensorOperation, apply, forward, inverse, on_device

Edit = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""From base and source ``[rows, n_pos, width]`` to the new activation of the same shape; works on the last axis."""


def features_of(
    operations: Sequence[TensorOperation], x: torch.Tensor
) -> tuple[torch.Tensor, list[torch.Tensor | None]]:
    """Return the features of ``x [..., d]`` after all operations, and each step's error term."""
    errors = []
    for operation in operations:
        x, error = forward(operation, x)
        errors.append(error)
    return x, errors


def activation_of(
    operations: Sequence[TensorOperation], features: torch.Tensor, errors: Sequence[torch.Tensor | None]
) -> torch.Tensor:
    """Undo ``features_of``: the activation ``[..., d]``."""
    for operation, error in zip(reversed(operations), reversed(errors), strict=True):
        features = inverse(operation, features, error)
    return features


def interchange(
    operations: Sequence[TensorOperation], taken: torch.Tensor | None, base: torch.Tensor, source: torch.Tensor
) -> torch.Tensor:
    """Interchange features; differentiable in activations, in the operations' tensors and in a mask of floats.

    ``x' = F⁻¹(f_b + m · (f_s − f_b), e_b)``. Where undoing is linear in the features (everything but coupling),
    that is ``x_b + G(m · (f_s − f_b))``, ``G`` its linear part, and computed so: what is not swapped stays as it is.

    Args:
        operations: Applied in order; no edits.
        taken: What is taken from the source, ``[n_features]``: bools, or floats in [0, 1]; None: all features.
        base: ``[..., d]``, of the operations' dtype.
        source: ``[..., d]``.

    Returns:
        ``[..., d]``.
    """
    of_source = _applied(operations, source)
    if any(RULES[operation.kind].undo_difference is None for operation in operations):
        of_base, errors = features_of(operations, base)
        return activation_of(operations, _mixed(taken, of_base, of_source), errors)
    of_base = _applied(operations, base)
    return base + _undone(operations, _mixed(taken, torch.zeros_like(of_base), of_source - of_base))


def _applied(operations: Sequence[TensorOperation], x: torch.Tensor) -> torch.Tensor:
    for operation in operations:
        x = apply(operation, x)
    return x


def _mixed(taken: torch.Tensor | None, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    if taken is None:
        return second
    return torch.where(taken, second, first) if taken.dtype == torch.bool else first + taken * (second - first)


def _undone(operations: Sequence[TensorOperation], difference: torch.Tensor) -> torch.Tensor:
    for operation in reversed(operations):
        undo = RULES[operation.kind].undo_difference
        difference = difference if undo is None else undo(operation.tensors, operation.options, difference)
    return difference


def edit_of(featurizer: SiteFeaturizer, *, device: torch.device | str, dtype: torch.dtype) -> Edit:
    """Return the intervention of one site, ``(base, source) → x'``, each ``[rows, n_pos, width]``.

    Nothing selected gives the base bit for bit; identities alone copy entries bit for bit. Everything else is
    computed in ``dtype`` and cast back to the type of the base.

    Args:
        featurizer: A checked featurizer.
        device: Where activations are.
        dtype: Type to compute in: ``model.accumulate``.
    """
    if featurizer.is_edit:
        return _low_rank(on_device(featurizer.operations[0], device=device, dtype=dtype))
    if is_empty(featurizer.select):
        return _keep
    n_features = featurizer.n_features()
    if n_features is None or all(operation.kind == "identity" for operation in featurizer.operations):
        return _copying(featurizer)
    operations = [on_device(operation, device=device, dtype=dtype) for operation in featurizer.operations]
    mask = mask_of(featurizer.select, n_features)
    taken = None if mask.all() else torch.tensor(mask, device=device)

    def edit(base: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
        return interchange(operations, taken, base.to(dtype), source.to(dtype)).to(base.dtype)

    return edit


def _keep(base: torch.Tensor, _source: torch.Tensor) -> torch.Tensor:
    return base


def _copying(featurizer: SiteFeaturizer) -> Edit:
    """Swap entries of the activation itself."""
    masks: dict[int, torch.Tensor] = {}

    def edit(base: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
        width = base.shape[-1]
        if width not in masks:
            masks[width] = torch.tensor(mask_of(featurizer.select, width), device=base.device)
        return torch.where(masks[width], source.to(base.dtype), base)

    return edit


def _low_rank(operation: TensorOperation) -> Edit:
    """Apply ``x + (x W + b − x R) Rᵀ`` to the base; the source is not looked at."""
    rotation, weight, bias = (operation.tensors[name] for name in ("rotation", "weight", "bias"))

    def edit(base: torch.Tensor, _source: torch.Tensor) -> torch.Tensor:
        x = base.to(rotation.dtype)
        return (x + (x @ weight + bias - x @ rotation) @ rotation.mT).to(base.dtype)

    return edit


def features(featurizer: SiteFeaturizer, x: torch.Tensor) -> torch.Tensor:
    """Return all features ``[..., n_features]`` of activations ``x [..., width]``, in the type and place of ``x``."""
    return _applied(_at(featurizer, x), x)


def invertibility_error(featurizer: SiteFeaturizer, x: torch.Tensor, *, carry_error: bool = True) -> float:
    """Return ``‖F⁻¹(F(x)) − x‖ / ‖x‖`` over activations ``x [..., width]``; lower is better, 0 is exact.

    With the error terms carried, as interchanges do, it is rounding alone. Without them it is what the features do
    not hold: 0 for a full-width rotation, ``√(1 − R²)`` of a dictionary about 0.

    Args:
        featurizer: No edit.
        x: Held-out activations.
        carry_error: Whether error terms are added back.
    """
    operations = _at(featurizer, x)
    found, errors = features_of(operations, x)
    carried = errors if carry_error else [None] * len(errors)
    difference = activation_of(operations, found, carried) - x
    size = x.double().norm()
    return float(difference.double().norm() / size) if size > 0 else float(difference.double().norm())


def _at(featurizer: SiteFeaturizer, x: torch.Tensor) -> list[TensorOperation]:
    return [on_device(operation, device=x.device, dtype=x.dtype) for operation in featurizer.operations]
