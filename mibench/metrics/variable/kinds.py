"""Rows whose answer must change (cause), and rows whose answer must stay (isolate), at the chosen site."""

from __future__ import annotations

from mibench.metrics.metric import metric
from mibench.metrics.variable.chosen import NO_CAUSE
from mibench.metrics.variable.means import Kind, Means
from mibench.metrics.variable.site_metric import Scored

_NO_ISOLATE = "every row's answer is changed by the interchange, so there is none that must stay (isolate)"


@metric(name="cause", version=1, track="variable", unit="", higher_is_better=True, of="sites", ceiling=1.0)
def cause(means: Means) -> Scored:
    """Share of rows whose answer must change that change to the causal model's answer, at the chosen site.

    Mean over the counterfactual sets that have such rows. Floor: the no-op.

    Range: [0, 1]. Higher is better. Source: Huang et al. 2024 (RAVEL, arXiv 2402.17700).
    """
    return _at_chosen(means, "cause", NO_CAUSE)


@metric(name="isolate", version=1, track="variable", unit="", higher_is_better=True, of="sites", ceiling=1.0)
def isolate(means: Means) -> Scored:
    """Share of rows whose answer must stay that keep it, at the chosen site.

    Mean over the counterfactual sets that have such rows. Doing nothing is right by this measure; read it with
    `cause`.

    Range: [0, 1]. Higher is better. Source: Huang et al. 2024 (RAVEL, arXiv 2402.17700).
    """
    return _at_chosen(means, "isolate", _NO_ISOLATE)


@metric(name="disentangle", version=1, track="variable", unit="", higher_is_better=True, of="sites", ceiling=1.0)
def disentangle(means: Means) -> Scored:
    """Mean of `cause` and `isolate`: the site has the variable, and nothing else that the answer needs.

    Range: [0, 1]; doing nothing gives about 0.5. Higher is better. Source: Huang et al. 2024 (RAVEL, arXiv 2402.17700).
    """
    changed, kept = _at_chosen(means, "cause", NO_CAUSE), _at_chosen(means, "isolate", _NO_ISOLATE)
    if isinstance(changed, str) or isinstance(kept, str):
        return changed if isinstance(changed, str) else kept
    return (changed + kept) / 2


def _at_chosen(means: Means, kind: Kind, absent: str) -> Scored:
    values = means.over_sets(kind)
    return absent if values is None else values[..., means.examples.chosen]
