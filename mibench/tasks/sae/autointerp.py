"""Whether a language model that is told what a latent is for can say where it is active."""

from __future__ import annotations

from dataclasses import dataclass, field

from mibench.tasks.sae.dictionary_task import dictionary_task

JUDGE_VARIABLE = "MIBENCH_JUDGE"
"""Environment variable with the judge's reference; it goes before the task's own setting."""


@dataclass(frozen=True)
class Windows:
    """Which pieces of text a judge is shown.

    Attributes:
        width: Tokens of a window, about: contexts are cut into equal parts, none overlapping.
        top: Windows of the fitted half with the highest activation, to explain a latent from.
        drawn: More of them, drawn with weights that are the square of the highest activation.
        active: Held-out windows where the latent is active, one from each of as many quantiles of the activation.
        inactive: Held-out windows where it is nowhere active.
    """

    width: int = 32
    top: int = 10
    drawn: int = 5
    active: int = 10
    inactive: int = 10


@dataclass(frozen=True)
class JudgeLimits:
    """What is allowed for one answer; none of it changes an answer that comes.

    Attributes:
        seconds: Longest time to wait.
        retries: How often a request is repeated that failed on the way.
        max_bytes: Longest reply of a server.
        failures: Questions in a row without an answer after which no more are asked.
    """

    seconds: float = 60.0
    retries: int = 2
    max_bytes: int = 1_000_000
    failures: int = 5


@dataclass(frozen=True)
class AutointerpTask:
    """Settings of the autointerp family; which text, and how long its contexts are, is the evaluation's.

    Attributes:
        judge: ``local:MODEL`` (a catalogue name, a folder, ``hub/id@revision``), or ``https://HOST/v1#NAME`` of an
            OpenAI-compatible server, its key in ``MIBENCH_JUDGE_KEY``. The variable ``MIBENCH_JUDGE`` goes before it.
            None, and no variable: nothing is judged.
        tokens: Scored tokens, the first of the split; explanations are made from one half, and tried on the other.
        latents: Latents that are judged, drawn among the live ones; each takes two questions.
        min_active: Tokens of the fitted half on which a latent must be active to be live.
        windows: What the judge is shown.
        explanation_tokens: Longest explanation.
        limits: Of one answer.
    """

    judge: str | None = None
    tokens: int = 200_000
    latents: int = 100
    min_active: int = 15
    windows: Windows = field(default_factory=Windows)
    explanation_tokens: int = 60
    limits: JudgeLimits = field(default_factory=JudgeLimits)


@dictionary_task(
    name="sae-autointerp",
    version=1,
    family="autointerp",
    citation="after Paulo et al. 2024 (arXiv 2410.13928) and Karvonen et al. 2025 (arXiv 2503.09532)",
)
def sae_autointerp() -> AutointerpTask:
    """Let a judge of your own explain latents, and find with the explanation where they are active."""
    return AutointerpTask()
