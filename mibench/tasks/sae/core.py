"""How well a dictionary reconstructs activations of text, and what the model loses by it."""

from __future__ import annotations

from dataclasses import dataclass

from mibench.tasks.sae.dictionary_task import dictionary_task


@dataclass(frozen=True)
class CoreTask:
    """Settings of the core family; which text, and how long its contexts are, is the evaluation's.

    Attributes:
        tokens: Scored tokens whose activations are reconstructed, the first of the split.
        ce_tokens: Scored tokens on which losses are measured, the first of these; 0: losses are left out.
        pool: Activations that resample ablation draws from.
    """

    tokens: int = 200_000
    ce_tokens: int = 30_000
    pool: int = 4096


@dictionary_task(
    name="sae-core",
    version=1,
    family="core",
    citation="Karvonen et al. 2025, SAEBench (arXiv 2503.09532)",
)
def sae_core() -> CoreTask:
    """Reconstruct activations of text: explained variance, sparsity, dead latents, cross-entropy recovered."""
    return CoreTask()
