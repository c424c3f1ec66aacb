"""The table of latents: how often each is active, how much, and how its directions lie."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.sae.saebench_core import ENCODERS
from mibench.tracks.sae.core_sums import SubjectSums
from mibench.tracks.sae.evaluation import Subject

CHUNK = 2**24
"""Cosines that exist at a time."""


def latent_table(subject: Subject, sums: SubjectSums, tokens: int, *, encoders: bool = False) -> pd.DataFrame:
    """Return one row per latent, columns `mibench.metrics.sae.core_tables.LATENT_COLUMNS`.

    Args:
        subject: The dictionary.
        sums: What was counted of it.
        tokens: On how many tokens.
        encoders: Add ``encoder_max_cosine``, the largest cosine of its encoder column to another one.
    """
    active = sums.active_tokens.cpu().numpy()
    total, largest = sums.activation.cpu().numpy(), sums.largest.to(torch.float64).cpu().numpy()
    mean, highest = neighbours(subject.coder.decoder)
    alive = active > 0
    extra = {ENCODERS: neighbours(_encoder_rows(subject))[1]} if encoders else {}
    return pd.DataFrame(
        {
            "latent": np.arange(subject.coder.d_sae),
            "tokens": tokens,
            "active": active,
            "mean_activation": np.where(alive, total / np.maximum(active, 1), np.nan),
            "max_activation": np.where(alive, largest, np.nan),
            "decoder_mean_cosine": mean,
            "decoder_max_cosine": highest,
            "encoder_decoder_cosine": encoder_decoder(subject),
        }
        | extra
    )


def _encoder_rows(subject: Subject) -> Tensor:
    return torch.from_numpy(subject.dictionary.tensors["w_enc"].T.copy()).to(subject.coder.decoder.device)


def neighbours(rows: Tensor) -> tuple[FloatArray, FloatArray]:
    """Mean ``|cos|`` and largest ``cos`` of each row to the others; NaN for rows of zeros, and where there is one row.

    Args:
        rows: Directions ``[latents, width]``; rows of zeros are nobody's neighbours.
    """
    wide = rows.to(torch.promote_types(rows.dtype, torch.float32))
    norms = torch.linalg.vector_norm(wide, dim=-1)
    there = norms > 0
    unit = wide[there] / norms[there, None]
    n = len(unit)
    mean, highest = (np.full(len(rows), np.nan) for _ in range(2))
    if n > 1:
        means, maxima = zip(*_chunks(unit), strict=True)
        mean[there.cpu().numpy()] = torch.cat(means).cpu().numpy() / (n - 1)
        highest[there.cpu().numpy()] = torch.cat(maxima).to(torch.float64).cpu().numpy()
    return mean, highest


def _chunks(unit: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Sum of ``|cos|`` and largest ``cos`` to other rows, some rows at a time."""
    size, found = max(1, CHUNK // len(unit)), []
    for start in range(0, len(unit), size):
        cosines = unit[start : start + size] @ unit.T
        own = torch.arange(len(cosines), device=unit.device)
        cosines[own, start + own] = 0.0
        total = cosines.abs().sum(-1, dtype=torch.float64)
        cosines[own, start + own] = -torch.inf
        found.append((total, cosines.amax(-1)))
    return found


def encoder_decoder(subject: Subject) -> FloatArray:
    """Cosine of each latent's encoder column and decoder row; NaN where one is zero, or they are of two places."""
    dictionary = subject.dictionary
    encoder, decoder = (dictionary.tensors[name].astype(np.float64) for name in ("w_enc", "w_dec"))
    if dictionary.place.target != dictionary.place.hook or encoder.shape[0] != decoder.shape[1]:
        return np.full(dictionary.d_sae, np.nan)
    dots = np.einsum("df,fd->f", encoder, decoder)
    norms = np.linalg.norm(encoder, axis=0) * np.linalg.norm(decoder, axis=1)
    return np.where(norms > 0, dots / np.where(norms > 0, norms, 1.0), np.nan)
