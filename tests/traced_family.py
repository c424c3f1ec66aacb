"""Dictionaries with known latents at the embedding of a tiny model, for the families that trace latents in text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from core_family import SAE, Letters, language_model
from core_family import ground as core_ground

from mibench.artifacts.dictionaries.dictionary import Dictionary, Place, Rule
from mibench.core.hook_points import HookKind, HookPoint
from mibench.tracks.sae.evaluation import Ground

EMBEDDING = Place("tiny", HookPoint(0, HookKind.RESIDUAL_PRE))


class Readable(Letters):
    """The letters, with a way back."""

    def decode(self, ids: Any) -> str:
        return "".join("|" if one == 1 else LETTERS.get(int(one), "?") for one in ids)


LETTERS = {Letters().encode(letter)[0]: letter for letter in "abcdefghijklm "}


def embeddings() -> np.ndarray:
    return language_model().hf.get_input_embeddings().weight.numpy()


def detectable() -> list[str]:
    """Letters whose embedding is nearest to itself among all letters', so that one latent can detect them."""
    ids = list(LETTERS)
    dots = embeddings()[ids] @ embeddings()[ids].T
    return [LETTERS[one] for place, one in enumerate(ids) if dots[place].argmax() == place]


def detectors(letters: str, silent: int = 0, place: Place = EMBEDDING) -> Dictionary:
    """A dictionary with one latent for each letter, and some that are never active."""
    ids, table = list(LETTERS), embeddings()
    columns, biases = [], []
    for letter in letters:
        own = Letters().encode(letter)[0]
        dots = table[ids] @ table[own]
        highest = max(dot for one, dot in zip(ids, dots, strict=True) if one != own)
        columns.append(table[own])
        biases.append(-(highest + dots[ids.index(own)]) / 2)
    width = table.shape[1]
    w_enc = np.stack([*columns, *[np.zeros(width)] * silent], axis=1)
    tensors = {
        "w_enc": w_enc,
        "b_enc": np.array([*biases, *[-1.0] * silent]),
        "w_dec": np.eye(width)[np.arange(w_enc.shape[1]) % width],
        "b_dec": np.zeros(width),
    }
    arrays = {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in tensors.items()}
    return Dictionary(place, "relu", Rule("relu", pre_bias=False), arrays)


def ground(folder: Path, place: Place = EMBEDDING, **changes: Any) -> Ground:
    made = core_ground(folder, place, **changes)
    if made.network is None:
        return made
    network = type(made.network)(made.network.model, made.network.ref, Readable())
    return type(made)(**{**made.__dict__, "network": network})


__all__ = ["EMBEDDING", "SAE", "Readable", "detectable", "detectors", "embeddings", "ground"]
