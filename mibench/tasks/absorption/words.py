"""Words of one token from a model's own vocabulary, each with its first letter, in prompts that spell examples."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from mibench.core.errors import DataError, UsageError
from mibench.core.hashing import digest
from mibench.tasks.absorption.prompts import SLOT, WordPrompt, by_hash, ids_up_to, is_one_token, split_of
from mibench.tasks.absorption.settings import LetterSettings
from mibench.tasks.encode import OffsetEncoder

SOURCE = "first-letter"
LETTER = "{letter}"


@runtime_checkable
class VocabularyEncoder(OffsetEncoder, Protocol):
    """A tokenizer whose vocabulary can be looked through."""

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ``ids``."""


def letter_prompts(
    encoder: OffsetEncoder, vocab_size: int, settings: LetterSettings, *, bos: bool
) -> tuple[WordPrompt, ...]:
    """Return prompts for words of each letter, letter after letter.

    Args:
        encoder: The model's tokenizer.
        vocab_size: Ids to look through.
        settings: Which words and prompts.
        bos: Whether a prompt begins with BOS.

    Raises:
        UsageError: The tokenizer's vocabulary cannot be looked through, or the template has no such places.
        DataError: No letter has enough words.
    """
    if not isinstance(encoder, VocabularyEncoder):
        raise UsageError(
            "First letters need a tokenizer whose vocabulary can be read.",
            why="Words are taken from it.",
            do="Use a model with a tokenizer of its own.",
        )
    head = _head(settings.example)
    words = {
        letter: by_hash(found, settings.split_seed, SOURCE)
        for letter, found in _candidates(encoder, vocab_size, settings.least_length).items()
    }
    chosen = {letter: _chosen(found, head, encoder, settings.words) for letter, found in sorted(words.items())}
    chosen = {letter: found for letter, found in chosen.items() if len(found) >= max(settings.least_words, 5)}
    if not chosen:
        why = f"No letter begins {settings.least_words} words that are one token of it."
        raise DataError("The tokenizer has too few words.", why=why, do="Lower least_words, or use another model.")
    seed = settings.split_seed
    splits = {word: split for found in chosen.values() for word, split in split_of(found, seed, SOURCE).items()}
    train = [word for word, split in splits.items() if split == "train"]
    texts = {word: _examples(word, train, settings) + head + word for word in splits}
    return tuple(
        WordPrompt(word, word[0], split, ids_up_to(texts[word], len(texts[word]), encoder, bos=bos))
        for word, split in splits.items()
    )


def _head(example: str) -> str:
    """What stands before the word in the template."""
    before, _, after = example.partition(SLOT)
    if SLOT in after or LETTER in before or after.count(LETTER) != 1:
        raise UsageError(
            f"{example[:80]!r} is no template of an example.",
            why=f"It has to have {SLOT} and then {LETTER}, once each.",
            do="Write one such as ' {word}: {letter}\\n'.",
        )
    return before


def _examples(word: str, train: Sequence[str], settings: LetterSettings) -> str:
    """Examples drawn for a word, which is not one of them."""
    others = [other for other in train if other != word]
    generator = np.random.default_rng(int(digest([settings.split_seed, "examples", word])[:16], 16))
    drawn = generator.choice(len(others), size=min(settings.examples, len(others)), replace=False)
    said = [settings.example.replace(SLOT, others[one]).replace(LETTER, others[one][0].upper()) for one in drawn]
    return "".join(said)


def _candidates(encoder: VocabularyEncoder, vocab_size: int, least_length: int) -> dict[str, list[str]]:
    """Different lower-case words in the vocabulary, by letter."""
    pattern, found = re.compile(rf"[a-z]{{{max(1, least_length)},}}"), defaultdict(set)
    for token in range(vocab_size):
        text = encoder.decode([token]).strip()
        if pattern.fullmatch(text):
            found[text[0]].add(text)
    return {letter: sorted(words) for letter, words in found.items()}


def _chosen(words: Sequence[str], head: str, encoder: OffsetEncoder, count: int) -> list[str]:
    """The first words that are one token after the head of the template."""

    def whole() -> Iterator[str]:
        for word in words:
            if is_one_token(head + word, len(head), len(head + word), encoder):
                yield word

    return [word for _, word in zip(range(count), whole(), strict=False)]
