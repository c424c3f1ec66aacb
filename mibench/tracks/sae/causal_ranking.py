"""Latents ranked by what swapping each would do to the answers, to first order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mibench.core.sites import Site
from mibench.engine.dictionaries.coder import Coder
from mibench.engine.interchange.interchanges import Interchanges
from mibench.engine.interchange.objective import Objective
from mibench.engine.interchange.options import SiteEdit
from mibench.tasks.interchange import EncodedInterchange
from mibench.tasks.sae.causal import Ranking

ROWS_AT_ONCE = 64


@dataclass(frozen=True)
class Candidate:
    """Latents that may be swapped.

    Attributes:
        name: How they were found.
        latents: Their indices, the most important first, ``[k]``.
    """

    name: str
    latents: Tensor


@dataclass(frozen=True)
class Slopes:
    """What the label's log-probability gains along each direction of a site, row by row.

    Attributes:
        base: Activations of the bases, ``[rows, n_pos, width]``.
        source: Of the sources, likewise.
        gradient: Gradient of the label's log-probability, mean over points from base to source, likewise.
        cause: Whether the answer is to change, ``[rows]``.
    """

    base: Tensor
    source: Tensor
    gradient: Tensor
    cause: Tensor


def slopes_of(runs: Interchanges, rows: Sequence[EncodedInterchange], site: Site, steps: int) -> Slopes:
    """Read activations and gradients at a site; no dictionary is needed for it.

    Args:
        runs: The rows, ready to run.
        rows: The rows.
        site: Where.
        steps: Points x_b + α (x_s − x_b) with α from 0 to 1, both included; 1: α = 0.
    """
    runs.keep()
    parts = [list(range(start, min(start + ROWS_AT_ONCE, len(rows)))) for start in range(0, len(rows), ROWS_AT_ONCE)]
    gradient = torch.cat([_gradient(runs, rows, site, part, steps) for part in parts])
    cause = torch.tensor([row.cause for row in rows], device=gradient.device)
    return Slopes(runs.bases([site])[site], runs.sources([site])[site], gradient, cause)


def _gradient(
    runs: Interchanges, rows: Sequence[EncodedInterchange], site: Site, part: list[int], steps: int
) -> Tensor:
    total: Tensor | float = 0.0
    for alpha in torch.linspace(0, 1, steps).tolist():
        leaves: list[Tensor] = []

        def edit(base: Tensor, source: Tensor, alpha: float = alpha, leaves: list[Tensor] = leaves) -> Tensor:
            leaves.append((base + alpha * (source - base)).detach().requires_grad_())
            return leaves[-1]

        with torch.enable_grad():
            losses = Objective().losses(runs.logits(part, (SiteEdit(site, edit),)), [rows[row] for row in part])
        (found,) = torch.autograd.grad(losses.sum(), leaves)
        total = total - found / steps
    return torch.as_tensor(total)


def effects(coder: Coder, slopes: Slopes) -> tuple[Tensor, Tensor]:
    """What swapping each latent gains, in nats to first order, on rows that must change and on rows that must stay.

    Mean over rows of Σ_positions (f_s − f_b) (w_f · gradient). ``[d_sae]`` twice, float64; no rows: zeros.
    """
    sums = torch.zeros(2, coder.d_sae, dtype=torch.float64, device=slopes.gradient.device)
    for start in range(0, len(slopes.base), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        difference = coder.encode(slopes.source[part]) - coder.encode(slopes.base[part])
        gained = (difference * (slopes.gradient[part].to(difference.dtype) @ coder.decoder.T)).sum(1).double()
        cause = slopes.cause[part]
        sums[0] += gained[cause].sum(0)
        sums[1] += gained[~cause].sum(0)
    counts = torch.stack([slopes.cause.sum(), (~slopes.cause).sum()]).clamp(min=1)
    changed, kept = sums / counts[:, None]
    return changed, kept


def ranked(coder: Coder, slopes: Slopes, ranking: Ranking) -> Iterator[Candidate]:
    """Yield the first k of each ranking, of latents that gain more than they lose; each choice once."""
    changed, kept = effects(coder, slopes)
    seen = set()
    for weight in ranking.isolation:
        score = changed + weight * kept
        order = score.argsort(descending=True, stable=True)[: int((score > 0).sum())]
        for k in sorted({min(k, len(order)) for k in ranking.ks}):
            latents = order[:k]
            key = frozenset(latents.tolist())
            if key not in seen:
                seen.add(key)
                yield Candidate(f"ranking, isolation {weight:g}, first {k}", latents)
