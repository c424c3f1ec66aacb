"""What every family of the SAE track is: data prepared once, then any number of dictionaries scored on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pandas as pd

from mibench.artifacts.dictionaries.dictionary import Dictionary, Place
from mibench.core.specs import Convention, ModelRef
from mibench.engine.activations.source import ActivationSource
from mibench.engine.dictionaries.coder import Coder
from mibench.engine.meter import NoCounter, PassCounter, Progress, no_progress
from mibench.engine.model import LanguageModel
from mibench.records.record import MetricValue
from mibench.tasks.encode import OffsetEncoder

NO_TEXT = "none"
"""Digest of nulls that cannot be trained."""


class Nulls(Protocol):
    """Dictionaries that learned nothing about single features, to compare with."""

    @property
    def digest(self) -> str:
        """sha256 of what fixes them all, in the digest of an evaluation that asks for one; no model is run for it.

        ``NO_TEXT`` where there is nothing to train them on.
        """
        ...

    def frozen(self, d_sae: int, l0: float) -> Coder | str:
        """A dictionary with a random, never trained decoder, as wide and about as sparse, or why there is none."""
        ...


@dataclass(frozen=True)
class Text:
    """The text that activations are read on.

    Attributes:
        corpus: Reference of a corpus.
        context: Tokens of a context, BOS included.
        bos: Whether each context begins with a BOS token. It is not scored.
    """

    corpus: str
    context: int = 128
    bos: bool = True


@dataclass(frozen=True)
class Network:
    """A model with what names it.

    Attributes:
        model: The model.
        ref: Its name, digest, dtype and attention kernel.
        encoder: Its tokenizer; None: it has none.
    """

    model: LanguageModel
    ref: ModelRef
    encoder: OffsetEncoder | None


@dataclass(frozen=True)
class Ground:
    """What a family prepares its data on.

    Attributes:
        place: Where the dictionaries read and write.
        text: The text.
        network: The model; None for tasks that need none.
        split: Split that is evaluated.
        limit: First so many evaluated examples (contexts of a corpus; prompts of each set); None: the task's own.
        seed: Of the scoring's own draws.
        convention: Whose definitions.
        cache: Folder of activation stores; None: activations are not kept on disk.
        batch_tokens: Tokens of a forward pass, at most.
        nulls: Dictionaries to compare with; None: there are none, and what needs them has no floor.
        counter: Counts passes.
        progress: Shows how far preparing has come.
        words: Words of each concept and split, at most, where concepts are made of words; None: the task's own.
    """

    place: Place
    text: Text
    network: Network | None
    split: str = "test"
    limit: int | None = None
    seed: int = 0
    convention: Convention = Convention.MIBENCH
    cache: Path | None = None
    batch_tokens: int = 2048
    nulls: Nulls | None = None
    counter: PassCounter = field(default_factory=NoCounter)
    progress: Progress = no_progress
    words: int | None = None

    @property
    def nulls_digest(self) -> str:
        """Digest of the nulls; ``NO_TEXT`` where there are none."""
        return NO_TEXT if self.nulls is None else self.nulls.digest


@dataclass(frozen=True)
class Subject:
    """A dictionary that is scored.

    Attributes:
        dictionary: As data.
        coder: The same, ready to compute.
    """

    dictionary: Dictionary
    coder: Coder


@dataclass(frozen=True)
class Scores:
    """What a dictionary came to.

    Attributes:
        tables: Tables by name; what the metrics are computed from is in them.
        metrics: Numbers by name; one that is undefined or was left out is null with the reason.
    """

    tables: Mapping[str, pd.DataFrame]
    metrics: dict[str, MetricValue]


class Evaluation(Protocol):
    """Data of one task at one place, prepared lazily and once for all dictionaries.

    A family's module has ``prepare(settings, ground) -> Evaluation``.
    """

    @property
    def digest(self) -> str:
        """sha256 of the data and seeds that fix the numbers; cheap: no model is run for it."""
        ...

    @property
    def n_examples(self) -> int:
        """Evaluated examples."""
        ...

    @property
    def source(self) -> ActivationSource | None:
        """Training activations of the task's own (generated data); None: methods train on the ground's text."""
        ...

    def score(self, subjects: Sequence[Subject], progress: Progress = no_progress) -> list[Scores]:
        """Score dictionaries in one pass over the data, in order.

        Raises:
            MibenchError: The data cannot be used with this model.
        """
        ...
