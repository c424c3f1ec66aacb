"""What the cells of the SAE track share on one model: data prepared for scoring, activations, dictionaries made."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from mibench.artifacts.dictionaries.dictionary import Dictionary
from mibench.engine.activations.source import ActivationSource
from mibench.engine.meter import NoCounter, PassCounter, Progress, no_progress
from mibench.records.record import Cost
from mibench.tracks.sae.evaluation import Evaluation, Scores


@dataclass
class Relay:
    """Tells whoever listens now: what is shared outlives the cell that it was made for.

    Attributes:
        counter: Counts passes.
        progress: Shows how far the work has come.
    """

    counter: PassCounter = field(default_factory=NoCounter)
    progress: Progress = no_progress

    def forward(self, examples: int) -> None:
        """Count forward passes."""
        self.counter.forward(examples)

    def backward(self, examples: int) -> None:
        """Count backward passes."""
        self.counter.backward(examples)

    def __call__(self, done: int, total: int) -> None:
        """Report how far the work has come."""
        self.progress(done, total)


@dataclass
class DictionaryBench:
    """Kept beside a model.

    Attributes:
        relay: Told of what shared work costs.
        evaluations: Data of tasks at places.
        sources: Training activations at places.
        made: Dictionaries that methods made, by what fixes them.
        costs: What making them took, by the same.
        prescored: Scores of a pass over many dictionaries, by cell, waiting for their record.
    """

    relay: Relay = field(default_factory=Relay)
    evaluations: dict[Hashable, Evaluation] = field(default_factory=dict)
    sources: dict[Hashable, ActivationSource] = field(default_factory=dict)
    made: dict[str, Dictionary] = field(default_factory=dict)
    costs: dict[str, Cost] = field(default_factory=dict)
    prescored: dict[str, Scores] = field(default_factory=dict)

    def forget_data(self) -> None:
        """Let go of data and activations; they are prepared again, for batches of another size."""
        self.evaluations.clear()
        self.sources.clear()
