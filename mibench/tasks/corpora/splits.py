"""Which split a document belongs to: fixed by its text, so that nothing about it can be chosen."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import accumulate

TEST = 0.15
"""Share of the characters that is test."""
VALIDATION = 0.05
"""Share that is validation; the rest is train."""


def text_key(text: str) -> bytes:
    """Return the sha256 of a text. Half of a surrogate pair, which no UTF-8 can hold, is hashed as it stands."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def by_size(sizes: Sequence[int]) -> list[str]:
    """Return the split of each document, by the characters of those before it.

    A document is test if less than 15 % of all characters come before it, validation if less than 20 % do, else
    train; one that straddles a border belongs to the earlier split. Each split gets at least one document.

    Args:
        sizes: Characters of the documents, ordered by hash; at least three documents.
    """
    total = sum(sizes)
    before = [done - size for done, size in zip(accumulate(sizes), sizes, strict=True)]
    test = min(sum(done < TEST * total for done in before), len(sizes) - 2)
    seen = sum(done < (TEST + VALIDATION) * total for done in before)
    seen = min(max(seen, test + 1), len(sizes) - 1)
    return ["test"] * test + ["validation"] * (seen - test) + ["train"] * (len(sizes) - seen)


def by_hash(key: bytes) -> str:
    """Return the split of one document of an unknown number, by its hash alone: 15 %, 5 % and 80 % of documents."""
    share = int.from_bytes(key[:8], "big") / 2**64
    if share < TEST:
        return "test"
    return "validation" if share < TEST + VALIDATION else "train"
