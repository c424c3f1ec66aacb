"""A word-level tokenizer as the two files that transformers reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from mibench.planted.words import BOS

UNKNOWN = "<unk>"
"""Stands for every word that a program does not have; last in the vocabulary."""


def tokenizer_files(words: Sequence[str], *, longest: int) -> dict[str, str]:
    """Return the text of ``tokenizer.json`` and ``tokenizer_config.json``.

    Args:
        words: The vocabulary: ``<s>`` first, ``<unk>`` last.
        longest: Most tokens that the model reads.
    """
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BOS,
        "unk_token": UNKNOWN,
        "model_max_length": longest,
        "clean_up_tokenization_spaces": False,
    }
    return {"tokenizer.json": _text(_tokenizer(words)), "tokenizer_config.json": _text(config)}


def _tokenizer(words: Sequence[str]) -> dict[str, Any]:
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_special(words.index(token), token) for token in (BOS, UNKNOWN)],
        "normalizer": None,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": None,
        "decoder": None,
        "model": {
            "type": "WordLevel",
            "vocab": {word: place for place, word in enumerate(words)},
            "unk_token": UNKNOWN,
        },
    }


def _special(place: int, token: str) -> dict[str, Any]:
    plain = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": place, "content": token, **plain, "special": True}


def _text(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
