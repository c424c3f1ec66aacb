"""Absorption of kinds of things, and hedging."""

from __future__ import annotations

from mibench.tasks.absorption.settings import HierarchySettings
from mibench.tasks.sae.dictionary_task import dictionary_task


@dictionary_task(
    name="sae-absorption-hierarchy",
    version=1,
    family="absorption",
    citation="Chanin et al. 2024 (arXiv 2409.14507) and 2025 (arXiv 2505.11756); words of our own",
    licence="Apache-2.0",
)
def sae_absorption_hierarchy() -> HierarchySettings:
    """Kinds of things and their members: absorption of the kind, and hedging of its latent."""
    return HierarchySettings()
