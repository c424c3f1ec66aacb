"""A text in two halves that share no document where that can be: one to fit on, one held out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mibench.core.errors import DataError
from mibench.core.hashing import array_digest, digest
from mibench.tasks.corpora.blocks import TokenBlocks


@dataclass(frozen=True)
class Halves:
    """Contexts of the two halves.

    Attributes:
        fit: What is fitted, chosen or explained on.
        held: What is held out.
    """

    fit: slice
    held: slice


def text_digest(blocks: TokenBlocks) -> str:
    """sha256 of a text that is halved: its tokens, and where its documents end."""
    return digest({"blocks": blocks.digest, "documents": array_digest(blocks.document)})


def halves(blocks: TokenBlocks) -> Halves:
    """Split contexts where a document ends, as near to the middle as can be.

    A context in which that document ends and the next begins is in neither half. Where no document ends in the middle
    half of the contexts, the split is in the middle, and one document is in both halves.

    Raises:
        DataError: There are fewer than four contexts.
    """
    n = len(blocks)
    if n < 4:
        why = f"There are {n}, and two halves are needed."
        raise DataError("There are too few contexts.", why=why, do="Use more text, or a higher --limit.")
    first, last = blocks.document[:, 0], blocks.document[:, -1]
    # A context begins with another document than the one before ended with, or changes inside.
    begins = np.flatnonzero(np.concatenate([[False], last[1:] != last[:-1]]))
    near = begins[np.abs(begins - n / 2) <= n / 4]
    if not len(near):
        return Halves(slice(0, n // 2), slice(n // 2, n))
    border = int(near[np.argmin(np.abs(near - n / 2))])
    mixed = bool(first[border] == last[border - 1])
    held = border + mixed
    return Halves(slice(0, border), slice(held, n)) if held < n else Halves(slice(0, n // 2), slice(n // 2, n))
