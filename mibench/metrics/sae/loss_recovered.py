"""What the model loses when the reconstruction takes the place of the activation, next to ablations.

Losses are means over tokens that count themselves and whose next token counts. Activations of the others (BOS) stay as
they are, in ablations too. An ablation puts zero, the mean activation, or the activation of a token drawn at random
into the place of each. Zero ablation flatters: it leaves many models worse than guessing, so that nearly everything
seems recovered; resample ablation stays on activations that the model knows.
"""

from __future__ import annotations

import numpy as np

from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.metric import metric
from mibench.metrics.sae.context_means import ContextMeans, divided


def ce_recovered(means: ContextMeans, ablation: str) -> FloatArray:
    """``(CE_ablated − CE) / (CE_ablated − CE_clean)``; NaN where the ablation does no harm."""
    ablated = means[f"ce_{ablation}"]
    return divided(ablated - means["ce"], ablated - means["ce_clean"], ablated)


def kl_recovered(means: ContextMeans, ablation: str) -> FloatArray:
    """``1 − KL / KL_ablated``; NaN where the ablation changes nothing."""
    ablated = means[f"kl_{ablation}"]
    return divided(ablated - means["kl"], ablated, means["tokens"])


@metric(name="ce_recovered_zero", version=1, track="sae", unit="", higher_is_better=True, floor=0.0, ceiling=1.0)
def ce_recovered_zero(means: ContextMeans) -> FloatArray:
    """``(CE_zero − CE) / (CE_zero − CE_clean)`` of next-token cross-entropies, zero ablation of scored tokens.

    Range: (−∞, ∞), 1 where nothing is lost. Higher is better. Source: Bricken et al. 2023, Towards monosemanticity;
    as ``ce_loss_score`` in SAEBench (arXiv 2503.09532), which ablates BOS too.
    """
    return ce_recovered(means, "zero")


@metric(name="ce_recovered_mean", version=1, track="sae", unit="", higher_is_better=True, floor=0.0, ceiling=1.0)
def ce_recovered_mean(means: ContextMeans) -> FloatArray:
    """``(CE_mean − CE) / (CE_mean − CE_clean)``; the ablation is the mean of the evaluated activations.

    Range: (−∞, ∞), 1 where nothing is lost. Higher is better. Source: mibench; Conmy et al. 2023 (arXiv 2304.14997)
    on ablations.
    """
    return ce_recovered(means, "mean")


@metric(name="ce_recovered_resample", version=1, track="sae", unit="", higher_is_better=True, floor=0.0, ceiling=1.0)
def ce_recovered_resample(means: ContextMeans) -> FloatArray:
    """``(CE_resample − CE) / (CE_resample − CE_clean)``; the ablation is the activation of a token drawn at random.

    Range: (−∞, ∞), 1 where nothing is lost. Higher is better. Source: mibench; resample ablation as in causal
    scrubbing (Chan et al. 2022).
    """
    return ce_recovered(means, "resample")


@metric(name="kl_recovered_zero", version=1, track="sae", unit="", higher_is_better=True, floor=0.0, ceiling=1.0)
def kl_recovered_zero(means: ContextMeans) -> FloatArray:
    """``1 − KL(clean ‖ spliced) / KL(clean ‖ zero)`` of next-token distributions, zero ablation of scored tokens.

    Range: (−∞, 1]. Higher is better. Source: as ``kl_div_score`` in SAEBench (arXiv 2503.09532), which ablates BOS
    too.
    """
    return kl_recovered(means, "zero")


@metric(name="kl_recovered_mean", version=1, track="sae", unit="", higher_is_better=True, floor=0.0, ceiling=1.0)
def kl_recovered_mean(means: ContextMeans) -> FloatArray:
    """``1 − KL(clean ‖ spliced) / KL(clean ‖ mean)``; the ablation is the mean of the evaluated activations.

    Range: (−∞, 1]. Higher is better. Source: mibench, after SAEBench (arXiv 2503.09532).
    """
    return kl_recovered(means, "mean")


@metric(name="kl_recovered_resample", version=1, track="sae", unit="", higher_is_better=True, floor=0.0, ceiling=1.0)
def kl_recovered_resample(means: ContextMeans) -> FloatArray:
    """``1 − KL(clean ‖ spliced) / KL(clean ‖ resample)``; the ablation is the activation of a token drawn at random.

    Range: (−∞, 1]. Higher is better. Source: mibench, after SAEBench (arXiv 2503.09532).
    """
    return kl_recovered(means, "resample")


@metric(name="ce_increase", version=1, track="sae", unit="nats", higher_is_better=False, ceiling=0.0)
def ce_increase(means: ContextMeans) -> FloatArray:
    """``CE − CE_clean`` a token: what the model loses in next-token cross-entropy. Its floor is mean ablation.

    Range: (−∞, ∞), 0 where nothing is lost. Lower is better. Source: Gao et al. 2024 (arXiv 2406.04093).
    """
    return divided(means["ce"] - means["ce_clean"], means["tokens"])


def ce_increase_floor(means: ContextMeans) -> FloatArray:
    """`ce_increase` of mean ablation."""
    return divided(means["ce_mean"] - means["ce_clean"], means["tokens"])


@metric(name="kl_spliced", version=1, track="sae", unit="nats", higher_is_better=False, ceiling=0.0)
def kl_spliced(means: ContextMeans) -> FloatArray:
    """``KL(clean ‖ spliced)`` of next-token distributions, mean over tokens. Its floor is mean ablation.

    Range: [0, ∞). Lower is better. Source: SAEBench (arXiv 2503.09532), ``kl_div_with_sae``.
    """
    return means.ratio("kl", "tokens")


def kl_floor(means: ContextMeans) -> FloatArray:
    """`kl_spliced` of mean ablation."""
    return np.asarray(means.ratio("kl_mean", "tokens"))
