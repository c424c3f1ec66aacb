"""Which tokens a position is, row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

import torch
from torch import Tensor

from mibench.core.errors import DataError
from mibench.tasks.interchange import EncodedInterchange, Ids


class Tokens:
    """Tokens of one position in a list of prompts, numbered through: those of the first row, of the second, and so on.

    Attributes:
        of: Token indices by row.
        counts: How many, by row.
        starts: Number of each row's first.
        total: How many in all.
    """

    def __init__(self, of: Sequence[Ids]) -> None:
        self.of = tuple(of)
        self.counts = [len(one) for one in self.of]
        *self.starts, self.total = accumulate(self.counts, initial=0)

    @property
    def flat(self) -> Tensor:
        """Token indices, ``[total]``."""
        return torch.tensor([token for one in self.of for token in one])

    def numbers(self, rows: Sequence[int]) -> Tensor:
        """Numbers of the tokens of rows that have equally many, ``[rows, n_pos]``."""
        first = torch.tensor([self.starts[row] for row in rows])
        return first[:, None] + torch.arange(self.counts[rows[0]])

    def indices(self, rows: Sequence[int]) -> Tensor:
        """Token indices of rows that have equally many, ``[rows, n_pos]``."""
        return torch.tensor([self.of[row] for row in rows])

    def first(self, row: int) -> int:
        """The earliest token of a row."""
        return min(self.of[row])

    def groups(self, rows: Sequence[int]) -> list[list[int]]:
        """Places in ``rows``, those of rows with equally many tokens together."""
        found: dict[int, list[int]] = {}
        for place, row in enumerate(rows):
            found.setdefault(self.counts[row], []).append(place)
        return list(found.values())


def tokens_of(rows: Sequence[EncodedInterchange], position: str) -> tuple[Tokens, Tokens]:
    """Tokens of a position in the base and in the source prompts.

    Raises:
        DataError: A row lacks the position, has tokens outside its prompt, or not as many on both sides.
    """
    for row in rows:
        base = _checked(row, row.base_positions, position, len(row.base))
        source = _checked(row, row.source_positions, position, len(row.source))
        if len(base) != len(source):
            raise DataError(
                f"Position '{position}' of row {row.id} has {len(base)} and {len(source)} tokens in base and source.",
                why="An interchange puts each token's activation in the place of one other.",
                do="Leave such rows out, or choose a position with one token.",
            )
    return Tokens([row.base_positions[position] for row in rows]), Tokens(
        [row.source_positions[position] for row in rows]
    )


def _checked(row: EncodedInterchange, positions: Mapping[str, Ids], name: str, length: int) -> Ids:
    found = positions.get(name, ())
    if not found or not all(0 <= token < length for token in found):
        raise DataError(
            f"Row {row.id} has no usable position '{name}'.",
            why=f"Its tokens are {list(found)} in a prompt of {length} tokens."
            if found
            else "The row does not name it.",
            do=f"Choose one of {', '.join(positions) or 'none'}, or correct the row.",
        )
    return found
