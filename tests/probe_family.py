"""A tiny model, its tokenizer and dictionaries for the families that probe."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import torch
from tiny_models import VOCAB, tiny_model

from mibench.artifacts.dictionaries.dictionary import Dictionary, Place, Rule
from mibench.core.hook_points import HookKind, HookPoint
from mibench.core.specs import ModelRef
from mibench.engine.dictionaries.coder import Coder
from mibench.engine.model import LanguageModel
from mibench.tracks.sae.evaluation import Ground, Network, Subject, Text

BOS = 1
WIDTH = 16
SAE = Place("tiny", HookPoint(1))
TRANSCODER = Place("tiny", HookPoint(1, HookKind.MLP_IN), HookPoint(1, HookKind.MLP_OUT))


class Letters:
    """A tokenizer of single characters."""

    bos_id = BOS

    def encode(self, text: str) -> list[int]:
        return [2 + ord(letter) % (VOCAB - 2) for letter in text]

    def offsets(self, text: str) -> list[tuple[int, int]]:
        return [(place, place + 1) for place in range(len(text))]


class Nulls:
    """Gives the same null dictionary for every width, and counts how often it is asked."""

    def __init__(self, place: Place = SAE, digest: str = "n" * 64) -> None:
        self.place, self.digest = place, digest
        self.asked: list[tuple[int, float]] = []

    def frozen(self, d_sae: int, l0: float) -> Coder | str:
        self.asked.append((d_sae, l0))
        return subject(random_dictionary(d_sae, seed=9, place=self.place)).coder


@cache
def language_model() -> LanguageModel:
    return LanguageModel(tiny_model("llama", torch.float64))


def ground(place: Place = SAE, **changes: Any) -> Ground:
    """Where the families work."""
    ref = ModelRef(name="tiny", digest="0" * 64, dtype="float64")
    return replace(Ground(place, Text("none"), Network(language_model(), ref, Letters()), batch_tokens=512), **changes)


def random_dictionary(width: int = 24, seed: int = 0, place: Place = SAE) -> Dictionary:
    """A random ReLU dictionary."""
    rng = np.random.default_rng(seed)
    tensors = {
        "w_enc": rng.normal(size=(WIDTH, width)),
        "b_enc": rng.normal(size=width) - 1.0,
        "w_dec": rng.normal(size=(width, WIDTH)),
        "b_dec": np.zeros(WIDTH),
    }
    arrays = {name: array.astype(np.float32) for name, array in tensors.items()}
    return Dictionary(place, "relu", Rule("relu", pre_bias=False), arrays)


def identity() -> Dictionary:
    """Latents are the entries of the activation."""
    eye, zeros = np.eye(WIDTH, dtype=np.float32), np.zeros(WIDTH, dtype=np.float32)
    tensors = {"w_enc": eye, "w_dec": eye, "b_enc": zeros, "b_dec": zeros}
    return Dictionary(SAE, "identity", Rule("linear", pre_bias=False), tensors)


def subject(dictionary: Dictionary) -> Subject:
    return Subject(dictionary, Coder(dictionary, device=torch.device("cpu"), dtype=torch.float64))
