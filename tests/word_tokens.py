"""A tokenizer of whole words, as models with a known mechanism have."""

from __future__ import annotations

import re


class WordTokens:
    """A word is a token, whatever it is made of; ids are those of ``words``, the first of which is BOS."""

    bos_id = 0

    def __init__(self, words: tuple[str, ...]) -> None:
        self.ids = {word: number for number, word in enumerate(words)}

    def encode(self, text: str) -> list[int]:
        return [self.ids[word] for word in text.split()]

    def offsets(self, text: str) -> list[tuple[int, int]]:
        return [found.span() for found in re.finditer(r"\S+", text)]
