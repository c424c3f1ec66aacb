"""Causal disentanglement (RAVEL-style): which latents to swap so that one attribute changes, and no other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mibench.tasks.sae.dictionary_task import dictionary_task


@dataclass(frozen=True)
class Ranking:
    """How latents are ranked without training, and how many of the first are tried.

    Attributes:
        ks: Numbers of latents.
        isolation: What a nat lost where the answer must stay weighs, against one gained where it must change.
        steps: Points between base and source at which gradients are taken; their mean counts.
    """

    ks: tuple[int, ...] = (1, 4, 16, 64, 256)
    isolation: tuple[float, ...] = (0.0, 1.0, 3.0)
    steps: int = 3


@dataclass(frozen=True)
class MaskTraining:
    """How a mask over latents is trained.

    Attributes:
        sparsities: Prices of an open gate; a mask is trained with each.
        epochs: Times that each row is seen.
        batch: Rows a step.
        lr: Learning rate of Adam.
        cold: Temperature of the gates after the last step; it starts at 1 and falls by equal factors.
    """

    sparsities: tuple[float, ...] = (1e-3,)
    epochs: int = 8
    batch: int = 32
    lr: float = 0.05
    cold: float = 0.01


@dataclass(frozen=True)
class Controls:
    """What dictionaries are compared with.

    Attributes:
        sizes: Dimensions of the supervised subspaces that are tried as an oracle; 0: the task's own.
        epochs: Times that their training sees each row; None: the task's own.
        draws: Random choices of as many latents.
    """

    sizes: tuple[int, ...] = (16, 0)
    epochs: int | None = 4
    draws: int = 3


@dataclass(frozen=True)
class CausalTask:
    """Settings of the causal family.

    Attributes:
        task: Task of the causal-variable track whose rows are used.
        variables: Its variables that are swapped, one by one.
        position: Its position at which latents are swapped.
        cluster: What rows share that are resampled together: a name in the rows' ``group``.
        train_rows: Rows of each set that latents are chosen on, before those that the model fails; None: all.
        tuning_rows: Rows of each set that the number of latents is chosen on; None: all.
        select: How latents are chosen: by ``ranking``, by a trained ``mask``, or the better of ``both`` on tuning rows.
            The default is the cheap one; which is better has not been settled.
        ranking: How they are ranked.
        mask: How a mask is trained.
        controls: What they are compared with.
    """

    task: str = "ravel"
    variables: tuple[str, ...] = ("Country", "Continent", "Language")
    position: str = "entity_last"
    cluster: str = "entity"
    train_rows: int | None = None
    tuning_rows: int | None = None
    select: Literal["ranking", "mask", "both"] = "ranking"
    ranking: Ranking = field(default_factory=Ranking)
    mask: MaskTraining = field(default_factory=MaskTraining)
    controls: Controls = field(default_factory=Controls)


@dictionary_task(
    name="sae-causal",
    version=1,
    family="causal",
    citation="after Huang et al. 2024 (arXiv 2402.17700) and Karvonen et al. 2025 (arXiv 2503.09532)",
    licence="CC-BY-4.0",
    bos="prepend",
)
def sae_causal() -> CausalTask:
    """Swap latents of a city so that its country, continent or language changes and the other two stay."""
    return CausalTask()
