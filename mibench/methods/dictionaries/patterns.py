"""Which latents are on at which tokens, and products of sparse latents with matrices."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

DENSE_SHARE = 0.1
"""Share of entries from which a dense product is faster than a sparse one, as measured at d = 576, width = 2048."""


@dataclass(frozen=True, eq=False)
class Pattern:
    """Entries of a matrix ``[tokens, width]``, row by row.

    Attributes:
        columns: Latent of each entry, ``[n]``.
        starts: First entry of each token, and n, ``[tokens + 1]``.
        width: Number of latents.
    """

    columns: Tensor
    starts: Tensor
    width: int

    @classmethod
    def where(cls, mask: Tensor) -> Pattern:
        """The entries at which a mask ``[tokens, width]`` is true."""
        rows, columns = mask.nonzero(as_tuple=True)
        return cls(columns, _starts(rows, len(mask)), mask.shape[1])

    @classmethod
    def each(cls, columns: Tensor, width: int) -> Pattern:
        """The same number of entries for every token: ``columns [tokens, k]``."""
        tokens, k = columns.shape
        return cls(columns.flatten(), torch.arange(tokens + 1, device=columns.device) * k, width)

    @property
    def tokens(self) -> int:
        """Number of tokens."""
        return len(self.starts) - 1

    @cached_property
    def rows(self) -> Tensor:
        """Token of each entry, ``[n]``."""
        return torch.arange(self.tokens, device=self.starts.device).repeat_interleave(self.starts.diff())

    @cached_property
    def places(self) -> Tensor:
        """Place of each entry in the flattened matrix, ``[n]``."""
        return self.rows * self.width + self.columns

    @property
    def is_dense(self) -> bool:
        """Whether dense products are faster."""
        return len(self.columns) > DENSE_SHARE * self.tokens * self.width

    @cached_property
    def _by_column(self) -> tuple[Tensor, Tensor, Tensor]:
        """Order of the entries by latent, their tokens, and the first of each latent."""
        sorted_columns, order = self.columns.sort(stable=True)
        return order, self.rows[order], _starts(sorted_columns, self.width)

    def matrix(self, values: Tensor) -> Tensor:
        """The matrix ``[tokens, width]`` with these values ``[n]``, zero elsewhere."""
        flat = values.new_zeros(self.tokens * self.width).index_copy(0, self.places, values)
        return flat.view(self.tokens, self.width)

    def between(self, first: int, end: int) -> tuple[Pattern, Tensor]:
        """The entries of latents ``first`` to ``end``, counted from ``first``, and which entries those are."""
        inside = ((self.columns >= first) & (self.columns < end)).nonzero().flatten()
        starts = torch.searchsorted(inside, self.starts)
        return Pattern(self.columns[inside] - first, starts, end - first), inside

    def times(self, values: Tensor, table: Tensor) -> Tensor:
        """The matrix with these values times ``table [width, d]``: ``[tokens, d]``. Gradients to the values only."""
        if self.is_dense:
            return self.matrix(values) @ table.detach()
        return _bags(self.columns, self.starts, values, table.detach())

    @torch.no_grad()
    def transposed_times(self, values: Tensor, table: Tensor) -> Tensor:
        """The transposed matrix with these values times ``table [tokens, d]``: ``[width, d]``. No gradients."""
        if self.is_dense:
            return self.matrix(values).T @ table
        order, rows, starts = self._by_column
        return _bags(rows, starts, values[order], table)


def _starts(sorted_places: Tensor, count: int) -> Tensor:
    return torch.searchsorted(sorted_places, torch.arange(count + 1, device=sorted_places.device))


def _bags(places: Tensor, starts: Tensor, values: Tensor, table: Tensor) -> Tensor:
    return embedding_bag(places, table, starts, per_sample_weights=values, mode="sum", include_last_offset=True)
