"""A tiny model, a text and dictionaries for the core family of the SAE track."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tiny_models import VOCAB, tiny_model

from mibench.artifacts.dictionaries.dictionary import Dictionary, Place, Rule
from mibench.core.hook_points import HookKind, HookPoint
from mibench.core.specs import ModelRef
from mibench.engine.dictionaries.coder import Coder
from mibench.engine.model import LanguageModel
from mibench.tasks.sae.core import CoreTask
from mibench.tracks.sae.core import CoreEvaluation, prepare
from mibench.tracks.sae.evaluation import Ground, Network, Subject, Text

BOS = 1
CONTEXT = 8
SAE = Place("tiny", HookPoint(1))
TRANSCODER = Place("tiny", HookPoint(1, HookKind.MLP_IN), HookPoint(1, HookKind.MLP_OUT))
SETTINGS = CoreTask(tokens=150, ce_tokens=60, pool=16)


class Letters:
    """A tokenizer of single characters."""

    bos_id = BOS

    def encode(self, text: str) -> list[int]:
        return [2 + ord(letter) % (VOCAB - 2) for letter in text]

    def offsets(self, text: str) -> list[tuple[int, int]]:
        return [(place, place + 1) for place in range(len(text))]


@cache
def language_model(name: str = "llama", dtype: torch.dtype = torch.float64) -> LanguageModel:
    return LanguageModel(tiny_model(name, dtype))


def write_text(folder: Path, documents: int = 140) -> str:
    """A corpus of short random documents; its reference."""
    rng = np.random.default_rng(5)
    words = ["".join(rng.choice(list("abcdefghij klm"), 5 + int(rng.integers(20)))) for _ in range(documents)]
    path = folder / "text.txt"
    path.write_text("\f".join(words))
    return str(path)


def ground(folder: Path, place: Place = SAE, model: LanguageModel | None = None, **changes: Any) -> Ground:
    """Where the family works: contexts of 8 tokens of the test split."""
    network = Network(model or language_model(), ModelRef(name="tiny", digest="0" * 64, dtype="float64"), Letters())
    made = Ground(place, Text(write_text(folder), context=CONTEXT), network, batch_tokens=24)
    return replace(made, **changes)


def evaluation(folder: Path, settings: CoreTask = SETTINGS, **changes: Any) -> CoreEvaluation:
    return prepare(settings, ground(folder, **changes))


def subject(dictionary: Dictionary, dtype: torch.dtype = torch.float64) -> Subject:
    return Subject(dictionary, Coder(dictionary, device=torch.device("cpu"), dtype=dtype))


def linear(w_enc: np.ndarray, w_dec: np.ndarray, b_dec: np.ndarray, place: Place = SAE) -> Dictionary:
    """A dictionary whose latents are ``x @ w_enc``."""
    tensors = {"w_enc": w_enc, "w_dec": w_dec, "b_dec": b_dec, "b_enc": np.zeros(w_enc.shape[1])}
    arrays = {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in tensors.items()}
    return Dictionary(place, "identity", Rule("linear", pre_bias=False), arrays)


def identity(width: int = 16, place: Place = SAE) -> Dictionary:
    return linear(np.eye(width), np.eye(width), np.zeros(width), place)


def constant(value: np.ndarray, place: Place = SAE) -> Dictionary:
    """A dictionary that reconstructs the same for every token: its decoder is zero."""
    zeros = np.zeros((len(value), 4))
    return linear(zeros, zeros.T, value, place)
