"""A word in a prompt, with the token at which it is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from mibench.core.errors import DataError
from mibench.core.hashing import digest
from mibench.tasks.encode import OffsetEncoder

SplitName = Literal["train", "validation", "test"]
SLOT = "{word}"


@dataclass(frozen=True)
class WordPrompt:
    """A word in a prompt that ends at its last token: what comes after cannot change what is read there.

    Attributes:
        word: The word.
        concept: What is told from it: its first letter, or its kind.
        split: Its use; all prompts of a word have the same.
        ids: Token ids up to the word's last token, which is the one that is read.
    """

    word: str
    concept: str
    split: SplitName
    ids: tuple[int, ...]


def last_token(text: str, end: int, encoder: OffsetEncoder) -> int:
    """Position of the token that has the character before ``end``, BOS not counted.

    Raises:
        DataError: No token has it.
    """
    for position, (first, after) in enumerate(encoder.offsets(text)):
        if first < end <= after:
            return position
    raise DataError(
        f"No token of {text[-60:]!r} has character {end - 1}.",
        why="The tokenizer leaves it out.",
        do="Use another tokenizer, or another template.",
    )


def is_one_token(text: str, start: int, end: int, encoder: OffsetEncoder) -> bool:
    """Whether one token has all characters from ``start`` to before ``end``, and no letter after them."""
    return any(first <= start and after == end for first, after in encoder.offsets(text))


def ids_up_to(text: str, end: int, encoder: OffsetEncoder, *, bos: bool) -> tuple[int, ...]:
    """Token ids up to the one that has the character before ``end``.

    Raises:
        DataError: No token has it.
    """
    start = (encoder.bos_id,) if bos and encoder.bos_id is not None else ()
    return (*start, *encoder.encode(text)[: last_token(text, end, encoder) + 1])


def split_of(words: Sequence[str], seed: int, source: str) -> dict[str, SplitName]:
    """Give words a split, in the order of hashes: 60 % to train, 20 % to validation, 20 % to test.

    Args:
        words: Different words of one concept.
        seed: Another seed, other splits.
        source: Of which data.
    """
    order = by_hash(words, seed, source)
    ends: tuple[tuple[int, SplitName], ...] = ((6, "train"), (8, "validation"), (10, "test"))
    return {word: next(name for end, name in ends if 10 * place < end * len(order)) for place, word in enumerate(order)}


def by_hash(words: Sequence[str], seed: int, source: str) -> list[str]:
    """Words in the order of the sha256 of seed, source and word."""
    return sorted(words, key=lambda word: digest([seed, source, word]))


def prompts_digest(prompts: Sequence[WordPrompt]) -> str:
    """sha256 of prompts, in order."""
    return digest([asdict(prompt) for prompt in prompts])
