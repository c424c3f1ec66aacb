"""Causal disentanglement by latents: what must change changes, what must stay stays; with its nulls and oracles."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.metric import Metric, metric
from mibench.metrics.sae import causal_tables
from mibench.metrics.sae.causal_tables import CausalMeans, Scored

CausalMetric = Metric[[CausalMeans], Scored]


@metric(name="disentangle_err", version=1, track="sae", unit="", higher_is_better=True)
def disentangle_err(means: CausalMeans) -> Scored:
    """Mean of `cause_err` and `isolate_err`: the latents hold the attribute, and nothing else that answers need.

    The base's reconstruction error stays in place, so that what a dictionary does not reconstruct costs nothing by
    itself. Per attribute, then mean. Floor: the better of doing nothing (about .5) and of as many random latents.
    Ceiling: the supervised subspace (multi-task DAS, or the whole activation, by validation), where it is above the
    floor. Read it with ``explained_variance_rows``.

    Range: [0, 1]. Higher is better. Source: Huang et al. 2024 (RAVEL, arXiv 2402.17700); error term: mibench.
    """
    return means.disentangle(causal_tables.CHOSEN)


@metric(name="cause_err", version=1, track="sae", unit="", higher_is_better=True)
def cause_err(means: CausalMeans) -> Scored:
    """Share of rows whose answer must change that give the source's answer after the chosen latents were swapped.

    x' = x_b + Σ_f (f_s − f_b) w_f over latents that were chosen on train and validation rows, at one token. Floor:
    doing nothing. Ceiling: the whole activation replaced, or the supervised subspace. Per attribute, then mean.

    Range: [0, 1]. Higher is better. Source: as `disentangle_err`.
    """
    return means.of("cause", causal_tables.CHOSEN)


@metric(name="isolate_err", version=1, track="sae", unit="", higher_is_better=True)
def isolate_err(means: CausalMeans) -> Scored:
    """Share of rows whose answer must stay that keep it after the chosen latents were swapped.

    Floor: the whole activation replaced. Ceiling: doing nothing. Read it with `cause_err`. Per attribute, then mean.

    Range: [0, 1]. Higher is better. Source: as `disentangle_err`.
    """
    return means.of("isolate", causal_tables.CHOSEN)


@metric(name="disentangle_no_error", version=1, track="sae", unit="", higher_is_better=None)
def disentangle_no_error(means: CausalMeans) -> Scored:
    """`disentangle_err` with the same latents and without the error term: x' = decoded swap alone.

    A diagnostic: it falls with every error of reconstruction, whatever the latents mean. SAEBench's score is of this
    kind and follows loss recovered (Spearman .99 over its 42 dictionaries of one width).

    Range: [0, 1]. Neither end is better. Source: as `disentangle_err`.
    """
    return means.disentangle(causal_tables.NO_ERROR)


@metric(name="cause_all_latents", version=1, track="sae", unit="", higher_is_better=True)
def cause_all_latents(means: CausalMeans) -> Scored:
    """`cause_err` with all latents swapped: how much of what tells entities apart the dictionary holds at all.

    The activation is then the source's reconstruction plus the base's error. Floor: doing nothing. Ceiling: the whole
    activation replaced.

    Range: [0, 1]. Higher is better. Source: mibench.
    """
    return means.of("cause", causal_tables.ALL)


@metric(name="disentangle_random_latents", version=1, track="sae", unit="", higher_is_better=None)
def disentangle_random_latents(means: CausalMeans) -> Scored:
    """`disentangle_err` with as many latents drawn at random from those that differ between base and source anywhere.

    Mean over draws; the null of each dictionary. Range: [0, 1]. Neither end is better. Source: mibench.
    """
    return means.disentangle(causal_tables.RANDOM)


@metric(name="disentangle_gap_random", version=1, track="sae", unit="", higher_is_better=True, floor=0.0)
def disentangle_gap_random(means: CausalMeans) -> Scored:
    """`disentangle_err` less `disentangle_random_latents`, on the same rows also in the bootstrap.

    Range: [−1, 1]. Higher is better. Source: mibench.
    """
    return _minus(means.disentangle(causal_tables.CHOSEN), means.disentangle(causal_tables.RANDOM))


@metric(name="disentangle_gap_oracle", version=1, track="sae", unit="", higher_is_better=True, ceiling=0.0)
def disentangle_gap_oracle(means: CausalMeans) -> Scored:
    """`disentangle_err` less what a supervised subspace reaches on the same rows; above 0 the dictionary is better.

    Range: [−1, 1]. Higher is better. Source: mibench, after MDAS (Huang et al. 2024, arXiv 2402.17700).
    """
    return _minus(means.disentangle(causal_tables.CHOSEN), means.disentangle(causal_tables.ORACLE))


@metric(name="disentangle_oracle", version=1, track="sae", unit="", higher_is_better=None)
def disentangle_oracle(means: CausalMeans) -> Scored:
    """What the supervised subspace reaches on the rows of `disentangle_err`; the same for all dictionaries of a place.

    Range: [0, 1]. A property of the model, so neither end is better. Source: MDAS (Huang et al. 2024,
    arXiv 2402.17700).
    """
    return means.disentangle(causal_tables.ORACLE)


@metric(name="disentangle_random_subspace", version=1, track="sae", unit="", higher_is_better=None)
def disentangle_random_subspace(means: CausalMeans) -> Scored:
    """What a random subspace of the task's own size reaches on the rows of `disentangle_err`; for all the same.

    Range: [0, 1]. A property of the model, so neither end is better. Source: mibench.
    """
    return means.disentangle(causal_tables.SUBSPACE)


@metric(name="disentangle_noop", version=1, track="sae", unit="", higher_is_better=None)
def disentangle_noop(means: CausalMeans) -> Scored:
    """What doing nothing reaches on the rows of `disentangle_err`: nothing changes and all stays, about .5.

    Range: [0, 1]. A property of the model, so neither end is better. Source: mibench.
    """
    return means.disentangle(causal_tables.NOOP)


@metric(name="disentanglement_score", version=1, track="sae", unit="", higher_is_better=True)
def disentanglement_score(means: CausalMeans) -> Scored:
    """SAEBench's disentanglement: mean of `cause_score` and `isolation_score`, mean over attributes; no error term.

    The mask is trained as theirs is (Adam 1e-3, 2 epochs, temperature 1 to 1e-4 by equal factors, m > 0 at test). Not
    imitated: its rows (ours share no entity or template between splits), text of several generated tokens (ours
    are judged as tokens), telling kinds apart by first tokens, the last partial batch left out, bfloat16.

    Range: [0, 1]. Higher is better. Source: Karvonen et al. 2025 (arXiv 2503.09532), version 0.6.
    """
    return means.disentangle(causal_tables.NO_ERROR)


@metric(name="cause_score", version=1, track="sae", unit="", higher_is_better=True)
def cause_score(means: CausalMeans) -> Scored:
    """SAEBench's cause: share of rows whose answer must change that give the source's; no error term.

    Range: [0, 1]. Higher is better. Source: as `disentanglement_score`.
    """
    return means.of("cause", causal_tables.NO_ERROR)


@metric(name="isolation_score", version=1, track="sae", unit="", higher_is_better=True)
def isolation_score(means: CausalMeans) -> Scored:
    """SAEBench's isolation: share of rows whose answer must stay that keep it; no error term.

    Range: [0, 1]. Higher is better. Source: as `disentanglement_score`.
    """
    return means.of("isolate", causal_tables.NO_ERROR)


@metric(name="explained_variance_rows", version=1, track="sae", unit="", higher_is_better=True, floor=0.0, ceiling=1.0)
def explained_variance_rows(squared_error: FloatArray, squared_distance: FloatArray) -> float:
    """1 − Σ‖x − x̂‖² / Σ‖x − μ‖² over the swapped activations of the base prompts, μ their mean.

    Range: (−∞, 1]. Higher is better. Source: mibench; the fidelity that `disentangle_err` is read against.
    """
    return 1 - float(np.sum(squared_error)) / float(np.sum(squared_distance))


@metric(name="latents_swapped", version=1, track="sae", unit="latents", higher_is_better=None)
def latents_swapped(swapped: pd.DataFrame, n_variables: int) -> float:
    """Number of latents that were chosen on train and validation rows, mean over attributes.

    Range: [0, d_sae]. Neither end is better. Source: mibench.
    """
    return len(swapped) / n_variables


def _minus(first: Scored, second: Scored) -> Scored:
    if isinstance(first, str) or isinstance(second, str):
        return first if isinstance(first, str) else second
    return first - second
