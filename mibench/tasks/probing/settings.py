"""Settings of the tasks that probe: which sets, how much of them, and how they are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Pool = Literal["mean", "last", "max"]
"""What is taken of the tokens of a text, BOS left out: the mean of each feature, its last value, or its largest."""

Collection = Literal["shipped", "sae-probes"]


@dataclass(frozen=True)
class ProbingSettings:
    """k-sparse probing.

    Attributes:
        collection: Where the labelled sets come from.
        sets: Names of the sets; none: all of the collection.
        rows: Texts of each set, at most, balanced.
        max_tokens: Tokens of a text that are read, BOS included; the rest is cut off.
        pool: What is taken of the tokens.
        ks: Numbers of latents that a probe reads.
        strengths: Candidates of C.
        split_seed: Of the split; part of the task, so that test texts stay test texts.
    """

    collection: Collection = "shipped"
    sets: tuple[str, ...] = ()
    rows: int = 640
    max_tokens: int = 64
    pool: Pool = "mean"
    ks: tuple[int, ...] = (1, 2, 5)
    strengths: tuple[float, ...] = (0.0001, 0.001, 0.01, 0.1, 1.0, 10.0)
    split_seed: int = 0


@dataclass(frozen=True)
class CrossedAttribute:
    """Texts of several classes, half of each with and half without something else.

    Attributes:
        source: Name of the texts.
        main: Attribute with the classes.
        other: Attribute with two values.
        pairs: Pairs of classes, for SCR.
    """

    source: str
    main: str
    other: str
    pairs: tuple[tuple[str, str], ...]


REVIEWS = CrossedAttribute("reviews", "topic", "sentiment", (("book", "phone"), ("restaurant", "film")))
BIOS = CrossedAttribute("bios", "profession", "gender", (("nurse", "programmer"), ("chef", "lawyer")))


@dataclass(frozen=True)
class AblationSettings:
    """SCR or TPP.

    Attributes:
        kind: Which.
        sets: Texts.
        ns: Numbers of latents that are ablated.
        max_tokens: Tokens of a text that are read, BOS included.
        steps: Training steps of a probe.
        split_seed: Of the split.
    """

    kind: Literal["scr", "tpp"]
    sets: tuple[CrossedAttribute, ...] = (REVIEWS, BIOS)
    ns: tuple[int, ...] = (2, 5, 10, 20, 50, 100, 500)
    max_tokens: int = 64
    steps: int = 5000
    split_seed: int = 0
