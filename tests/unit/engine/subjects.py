"""What the engine is tested on: tiny models beside their naive doubles, and pairs of several lengths."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from naive import NaiveModel
from tiny_models import VOCAB, tiny_model
from torch import Tensor

from mibench.core.specs import Ablation
from mibench.engine.base import Constants, constants_for
from mibench.engine.model import LanguageModel
from mibench.graph.graph import BoolArray
from mibench.tasks.encode import EncodedPair

LENGTHS_AND_SHARED = ((7, 0), (7, 3), (7, 6), (10, 5), (10, 6), (6, 6))
"""Prompt lengths, and tokens that both prompts begin with; the last pair is a control of equal prompts."""


@dataclass(frozen=True)
class Subject:
    """One model twice: under test and naive."""

    engine: LanguageModel
    naive: NaiveModel


@cache
def subject(name: str) -> Subject:
    """A tiny model of ``tiny_models.MAKERS``."""
    hf = tiny_model(name)
    return Subject(LanguageModel(hf), NaiveModel(hf))


def make_pairs(metric: Any = "logit_diff", seed: int = 0) -> list[EncodedPair]:
    """Pairs of several lengths and prefixes, not in order of length."""
    rng = np.random.default_rng(seed)
    made = []
    for row, (length, shared) in enumerate(LENGTHS_AND_SHARED):
        clean = rng.integers(0, VOCAB, length)
        other = clean.copy()
        other[shared:] = (clean[shared:] + rng.integers(1, VOCAB, length - shared)) % VOCAB
        answers = rng.permutation(VOCAB)[:5].tolist()
        count = (1, 1) if metric == "logit_diff" else (2, 3)
        made.append(
            EncodedPair(
                id=f"pair-{row}",
                clean=tuple(clean.tolist()),
                counterfactual=tuple(other.tolist()),
                correct=tuple(answers[: count[0]]),
                incorrect=tuple(answers[count[0] : sum(count)]),
                metric=metric,
            )
        )
    return [made[row] for row in (3, 0, 5, 1, 4, 2)]


def both_constants(
    one: Subject, ablation: Ablation, pairs: list[EncodedPair], length: int | None = None
) -> tuple[Constants | None, Tensor | None]:
    """The constants of an ablation for the engine, and those that the naive model finds by itself."""
    length = length or max(pair.length for pair in pairs)
    engine = constants_for(one.engine, ablation, pairs, batch_size=2)
    if ablation is Ablation.COUNTERFACTUAL:
        return engine, None
    if ablation is Ablation.ZERO:
        return engine, torch.zeros(one.naive.n_sources, length, one.naive.d_model, dtype=torch.float64)
    return engine, one.naive.means(pairs, length, positional=ablation is Ablation.MEAN_POSITIONAL)


def random_edges(one: Subject, share: float, seed: int) -> BoolArray:
    """Each real edge with probability ``share``, bool ``[n_sources, n_destinations]``."""
    graph = one.engine.graph
    return np.asarray(np.random.default_rng(seed).random(graph.shape) < share) & graph.real_mask
