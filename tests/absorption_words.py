"""Words and a model that reads them, whose embeddings are planted: each is a letter's direction plus the word's own."""

from __future__ import annotations

import numpy as np
import torch
from offset_pieces import OffsetPieces
from tiny_models import tiny_model

from mibench.artifacts.dictionaries.dictionary import Dictionary, Place, Rule
from mibench.core.hook_points import HookKind, HookPoint
from mibench.engine.dictionaries.coder import Coder
from mibench.engine.model import LanguageModel
from mibench.tasks.absorption.settings import AbsorptionRule, LetterSettings
from mibench.tracks.sae.evaluation import Ground, Network, Subject, Text

LETTERS = "abcdef"
WORDS = [
    letter + "".join(chr(ord("k") + (number >> bit & 1)) for bit in range(5))
    for letter in LETTERS
    for number in range(20)
]
WIDTH = 160
PLACE = Place("planted", HookPoint(0, HookKind.RESIDUAL_PRE))
SETTINGS = LetterSettings(words=20, least_words=10, rule=AbsorptionRule(strengths=(1.0,), least_concepts=2))
LETTER, WORD = 2.0, 1.0
"""How much of each is in a word's embedding."""


class Vocabulary(OffsetPieces):
    """The small tokenizer with a vocabulary that is known beforehand."""

    def __init__(self) -> None:
        super().__init__()
        pieces = (
            [f" {word}" for word in WORDS] + [f" {letter.upper()}" for letter in LETTERS] + [":", "\n", " the", "of"]
        )
        self.ids = {piece: place + 1 for place, piece in enumerate(pieces)}
        self.pieces = ["<s>", *pieces]

    def encode(self, text: str) -> list[int]:
        return [self.ids[piece] for piece in self.pattern.findall(text)]

    def decode(self, ids) -> str:
        return "".join(self.pieces[one] for one in ids)


def directions() -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal directions of letters and of words."""
    turned = np.linalg.qr(np.random.default_rng(0).normal(size=(WIDTH, WIDTH)))[0]
    return turned[: len(LETTERS)], turned[len(LETTERS) : len(LETTERS) + len(WORDS)]


def network() -> Network:
    """A model whose stream before the first layer is what was planted."""
    encoder = Vocabulary()
    hf = tiny_model("llama", torch.float64, vocab_size=len(encoder.pieces), hidden_size=WIDTH)
    letters, words = directions()
    with torch.no_grad():
        for number, word in enumerate(WORDS):
            planted = LETTER * letters[LETTERS.index(word[0])] + WORD * words[number]
            hf.get_input_embeddings().weight[encoder.ids[f" {word}"]] = torch.from_numpy(planted)
    return Network(LanguageModel(hf), None, encoder)


def ground(**changes) -> Ground:
    """The planted place."""
    return Ground(**({"place": PLACE, "text": Text("none"), "network": network()} | changes))


def dictionary(absorbed=(), *, scale=None, order=None) -> Dictionary:
    """A latent for each letter, and one for each word.

    Args:
        absorbed: Words on which the letter's latent is silent, and whose own latent writes the letter too.
        scale: Factor of each latent, undone in the decoder.
        order: Order of the latents.
    """
    letters, words = directions()
    taken = np.array([word in absorbed for word in WORDS])
    of = np.array([LETTERS.index(word[0]) for word in WORDS])
    encoder = np.concatenate([letters, words])
    # A word that is absorbed takes more from its letter's latent than the letter gives.
    for number in np.flatnonzero(taken):
        encoder[of[number]] -= 2 * LETTER / WORD * words[number]
    decoder = np.concatenate([letters, words + LETTER / WORD * taken[:, None] * letters[of]])
    scale = np.ones(len(decoder)) if scale is None else scale
    order = np.arange(len(decoder)) if order is None else order
    tensors = {
        "w_enc": (encoder * scale[:, None])[order].T,
        "b_enc": -0.1 * scale[order],
        "w_dec": (decoder / scale[:, None])[order],
        "b_dec": np.zeros(WIDTH),
    }
    arrays = {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in tensors.items()}
    return Dictionary(PLACE, "relu", Rule("relu", pre_bias=False), arrays)


def subject(found: Dictionary) -> Subject:
    """Ready to compute."""
    return Subject(found, Coder(found, device=torch.device("cpu"), dtype=torch.float64))
