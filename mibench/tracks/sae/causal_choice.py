"""Which latents are swapped for a variable: candidates from training rows, one of them chosen on tuning rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mibench.engine.dictionaries.coder import Coder
from mibench.metrics.sae import causal_tables
from mibench.metrics.sae.causal_tables import disentangled
from mibench.tasks.sae.causal import MaskTraining, Ranking
from mibench.tracks.sae.causal_mask import trained
from mibench.tracks.sae.causal_ranking import ROWS_AT_ONCE, Candidate, Slopes, ranked
from mibench.tracks.sae.causal_swap import LatentSwap
from mibench.tracks.sae.causal_variable import VariableRuns


@dataclass(frozen=True)
class Way:
    """How latents are chosen.

    Attributes:
        ranking: How latents are ranked, the first ones of each ranking being candidates; None: they are not.
        mask: How masks are trained that are candidates; None: none is.
        error: Whether the base's error is kept while choosing.
        draws: Random choices of as many latents, to compare with.
        seed: Of these.
    """

    ranking: Ranking | None
    mask: MaskTraining | None
    error: bool
    draws: int
    seed: int


@dataclass(frozen=True)
class Outcome:
    """What came of a dictionary and a variable.

    Attributes:
        examples: Table of scored rows.
        swapped: ``variable``, ``rank``, ``latent``.
        selection: Candidates: ``variable``, ``candidate``, ``latents``, ``disentangle``, ``chosen``.
    """

    examples: pd.DataFrame
    swapped: pd.DataFrame
    selection: pd.DataFrame


def outcome(runs: VariableRuns, coder: Coder, way: Way) -> Outcome:
    """Choose latents on train, among these on tuning rows (of equals the fewest), and look at the scored rows once.

    Args:
        runs: The variable's rows.
        coder: The dictionary.
        way: How.
    """
    candidates = _candidates(runs, coder, way)
    cause = np.array([row.cause for row in runs.tuning])
    right = runs.tuned([LatentSwap(coder, one.latents, way.error) for one in candidates])
    quality = disentangled(right, cause)
    place = min(range(len(candidates)), key=lambda each: (-quality[each], len(candidates[each].latents), each))
    chosen = candidates[place].latents
    selection = pd.DataFrame(
        {
            "variable": runs.name,
            "candidate": [one.name for one in candidates],
            "latents": [len(one.latents) for one in candidates],
            "disentangle": quality,
            "chosen": np.arange(len(candidates)) == place,
        }
    )
    swapped = pd.DataFrame({"variable": runs.name, "rank": range(len(chosen)), "latent": chosen.tolist()})
    return Outcome(_examples(runs, coder, chosen, way), swapped, selection)


def _examples(runs: VariableRuns, coder: Coder, chosen: Tensor, way: Way) -> pd.DataFrame:
    pool = moving(coder, runs.slopes)
    edits = [LatentSwap(coder, chosen), LatentSwap(coder, chosen, error=False), LatentSwap(coder)]
    edits += [LatentSwap(coder, _drawn(pool, len(chosen), way.seed, runs.name, draw)) for draw in range(way.draws)]
    right = runs.scored(edits).astype(np.float64)
    found = dict(zip((causal_tables.CHOSEN, causal_tables.NO_ERROR, causal_tables.ALL), right, strict=False))
    return runs.frame.assign(**found, **{causal_tables.RANDOM: right[3:].mean(0)})


def _candidates(runs: VariableRuns, coder: Coder, way: Way) -> list[Candidate]:
    found = [] if way.ranking is None else list(ranked(coder, runs.slopes, way.ranking))
    return found if way.mask is None else [*found, *trained(runs.view, coder, way.mask, error=way.error)]


def moving(coder: Coder, slopes: Slopes) -> Tensor:
    """Indices of latents that differ between base and source on some training row, ``[k]``."""
    differs = torch.zeros(coder.d_sae, dtype=torch.bool, device=slopes.base.device)
    for start in range(0, len(slopes.base), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        differs |= (coder.encode(slopes.base[part]) != coder.encode(slopes.source[part])).flatten(0, -2).any(0)
    return differs.nonzero()[:, 0]


def _drawn(pool: Tensor, k: int, seed: int, variable: str, draw: int) -> Tensor:
    """So many of the pool, or all of it where there are fewer."""
    order = np.random.default_rng([seed, draw, *variable.encode()]).permutation(len(pool))[:k]
    return pool[torch.from_numpy(order).to(pool.device)]
