"""Spurious correlation removal and targeted probe perturbation, as SAEBench has them; both fail an audit."""

from __future__ import annotations

from mibench.tasks.probing.settings import AblationSettings
from mibench.tasks.sae.dictionary_task import dictionary_task


@dictionary_task(
    name="sae-scr",
    version=1,
    family="scr_tpp",
    citation="Karvonen et al. 2025 (arXiv 2503.09532); fails audit (arXiv 2605.18229)",
    licence="Apache-2.0",
)
def sae_scr() -> AblationSettings:
    """Spurious correlation removal on reviews and lives; fails audit (arXiv 2605.18229), for comparison only."""
    return AblationSettings("scr")


@dictionary_task(
    name="sae-tpp",
    version=1,
    family="scr_tpp",
    citation="Karvonen et al. 2025 (arXiv 2503.09532); fails audit (arXiv 2605.18229)",
    licence="Apache-2.0",
)
def sae_tpp() -> AblationSettings:
    """Targeted probe perturbation on reviews and lives; fails audit (arXiv 2605.18229), for comparison only."""
    return AblationSettings("tpp")
