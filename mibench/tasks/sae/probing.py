"""k-sparse probing on labelled texts that come with mibench."""

from __future__ import annotations

from mibench.tasks.probing.settings import ProbingSettings
from mibench.tasks.sae.dictionary_task import dictionary_task


@dictionary_task(
    name="sae-probing",
    version=1,
    family="probing",
    citation="after Kantamneni et al. 2025 (arXiv 2502.16681) and Gao et al. 2024 (arXiv 2406.04093)",
    licence="Apache-2.0; cities CC-BY-4.0",
)
def sae_probing() -> ProbingSettings:
    """k-sparse probes on short synthetic texts: facts, grammar, topics, sentiment, languages, code."""
    return ProbingSettings()
