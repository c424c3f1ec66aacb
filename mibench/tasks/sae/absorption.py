"""Absorption of first letters."""

from __future__ import annotations

from mibench.tasks.absorption.settings import LetterSettings
from mibench.tasks.sae.dictionary_task import dictionary_task


@dictionary_task(
    name="sae-absorption",
    version=1,
    family="absorption",
    citation="Chanin et al. 2024 (arXiv 2409.14507); Karvonen et al. 2025, SAEBench (arXiv 2503.09532)",
)
def sae_absorption() -> LetterSettings:
    """Words' first letters: where the letter's latent is silent and the word's own latent speaks for it."""
    return LetterSettings()
