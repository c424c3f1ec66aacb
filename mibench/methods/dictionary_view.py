"""What a method of the SAE track sees: activations of the training text at one place, and nothing of the scoring."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mibench.artifacts.dictionaries.dictionary import Architecture, Dictionary, Place, Rule, TrainingFacts
from mibench.engine.activations.source import ActivationSource
from mibench.engine.meter import NoCounter, PassCounter, Progress, no_progress


@dataclass(frozen=True)
class DictionaryView:
    """A method's window on one cell.

    Attributes:
        place: Where the dictionary is to read and write.
        source: Activations there.
        facts: What is known of the text: corpus, context, BOS.
        seed: Seed of the cell.
        device: Where to train.
        checkpoints: Folder in which an unfinished training may be kept, of this method and data alone; None: nowhere.
        saved: Called whenever an unfinished training was kept there.
        counter: Counts passes.
        progress: Shows how far the work has come.
    """

    place: Place
    source: ActivationSource
    facts: TrainingFacts = field(default_factory=TrainingFacts)
    seed: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    checkpoints: Path | None = None
    saved: Callable[[], None] = lambda: None
    counter: PassCounter = field(default_factory=NoCounter)
    progress: Progress = no_progress

    @property
    def torch_generator(self) -> torch.Generator:
        """A new generator from the cell's seed, on the CPU, so that the device does not change its draws."""
        return torch.Generator().manual_seed(self.seed)

    def dictionary(
        self,
        architecture: Architecture,
        rule: Rule,
        tensors: Mapping[str, Tensor],
        *,
        facts: TrainingFacts | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> Dictionary:
        """A dictionary at this place, from tensors of any type and device."""
        arrays = {
            name: np.ascontiguousarray(one.detach().to("cpu", torch.float32).numpy()) for name, one in tensors.items()
        }
        return Dictionary(self.place, architecture, rule, arrays, facts or self.facts, meta=dict(meta or {}))
