"""Dictionaries that are closed-form: linear maps and constants."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from mibench.artifacts.dictionaries.dictionary import TrainingFacts
from mibench.methods.dictionaries.moments import Moments
from mibench.methods.dictionary_view import DictionaryView


def principal_axes(covariance: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Directions of largest variance in columns ``[d, count]``, and their variances, falling.

    The largest entry of each direction is positive.
    """
    variances, axes = torch.linalg.eigh(covariance)
    variances, axes = variances.flip(0)[:count].clamp_min(0), axes.flip(1)[:, :count]
    largest = axes.abs().argmax(0)
    signs = axes[largest, torch.arange(axes.shape[1], device=axes.device)].sign()
    return axes * signs, variances


def regression(latents: Tensor, cross: Tensor) -> Tensor:
    """Least-squares map from latents to targets, of least norm.

    Args:
        latents: Covariance of the latents, ``[n, n]``.
        cross: Covariance of latents and targets, ``[n, d_out]``.
    """
    inverse: Tensor = torch.linalg.pinv(latents, hermitian=True)
    return inverse @ cross


def facts_of(
    view: DictionaryView, moments: Moments, decoder: Tensor, covariance: Tensor, cross: Tensor
) -> TrainingFacts:
    """What is known of a linear dictionary: its fraction of variance unexplained follows from covariances.

    Args:
        view: The view.
        moments: Of the data.
        decoder: ``[n, d_out]``.
        covariance: Of the latents, ``[n, n]``.
        cross: Of latents and targets, ``[n, d_out]``.
    """
    explained = float(2 * (decoder * cross).sum() - (decoder * (covariance @ decoder)).sum())
    fvu = max(0.0, 1 - explained / moments.spread) if moments.spread > 0 else None
    return replace(view.facts, tokens=moments.tokens, seed=view.seed, l0=float(len(decoder)), fvu=fvu)
