"""How much of a latent is said by the token it stands at, and by the token before; no judge is asked."""

from __future__ import annotations

from dataclasses import dataclass

from mibench.tasks.sae.dictionary_task import dictionary_task


@dataclass(frozen=True)
class ExplainabilityTask:
    """Settings of the explainability family; which text, and how long its contexts are, is the evaluation's.

    Attributes:
        tokens: Scored tokens, the first of the split; one half is for fitting, the other is held out.
        latents: Latents that are scored, drawn among the live ones; all of them where there are fewer.
        min_active: Tokens of the fitted half on which a latent must be active to be live.
    """

    tokens: int = 200_000
    latents: int = 500
    min_active: int = 15


@dictionary_task(
    name="sae-explainability",
    version=1,
    family="explainability",
    citation="mibench; a judge-free companion of automated interpretability (Paulo et al. 2024, arXiv 2410.13928)",
)
def sae_explainability() -> ExplainabilityTask:
    """Predict latents on held-out text from the token they stand at, and from that and the one before."""
    return ExplainabilityTask()
