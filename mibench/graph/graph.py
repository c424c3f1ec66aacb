"""The computation graph of a transformer as two integers and index arithmetic; no object per edge.

Names and index order are MIB's (Mueller et al. 2025). Sources (rows): ``input``, then per layer its heads
``a{L}.h{H}`` and its MLP ``m{L}``. Destinations (columns): per layer the slots ``a{L}.h{H}<q>``, ``<k>``, ``<v>``
(all heads of one slot together), then ``m{L}``; last ``logits``. With grouped-query attention every query head has
its own k and v slot.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mibench.core.errors import ArtifactError, UsageError
from mibench.core.names import did_you_mean

SLOTS = "qkv"
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Graph:
    """Nodes and edges of a model with ``n_layers`` blocks of ``n_heads`` heads and one MLP.

    Attributes:
        n_layers: Number of blocks.
        n_heads: Query heads a block.
        parallel: Attention and MLP of a block read the same residual stream (GPT-NeoX, Pythia).
    """

    n_layers: int
    n_heads: int
    parallel: bool = False

    def __post_init__(self) -> None:
        if not (0 < self.n_layers <= 4096 and 0 < self.n_heads <= 4096):
            raise ArtifactError(
                "This graph cannot exist.",
                why=f"It has {self.n_layers} layers and {self.n_heads} heads.",
                do="Give positive numbers of layers and heads.",
            )

    @property
    def n_sources(self) -> int:
        """Number of source nodes (rows), 1 + L (H + 1)."""
        return 1 + self.n_layers * (self.n_heads + 1)

    @property
    def n_destinations(self) -> int:
        """Number of destination slots (columns), L (3 H + 1) + 1."""
        return self.n_layers * (3 * self.n_heads + 1) + 1

    @property
    def shape(self) -> tuple[int, int]:
        """``(n_sources, n_destinations)``."""
        return self.n_sources, self.n_destinations

    @cached_property
    def n_edges(self) -> int:
        """Number of real edges."""
        return int(self.sources_before.sum())

    @cached_property
    def sources_before(self) -> IntArray:
        """How many sources each destination can read, ``[n_destinations]``; they are the first so many rows."""
        heads, width = self.n_heads, self.n_heads + 1
        before = np.empty(self.n_destinations, dtype=np.int64)
        for layer in range(self.n_layers):
            start = self.layer_column(layer)
            before[start : start + 3 * heads] = 1 + layer * width
            before[start + 3 * heads] = 1 + layer * width + (0 if self.parallel else heads)
        before[-1] = self.n_sources
        return before

    @cached_property
    def real_mask(self) -> BoolArray:
        """Which (source, destination) pairs are edges, bool ``[n_sources, n_destinations]``."""
        mask: BoolArray = np.arange(self.n_sources)[:, None] < self.sources_before[None, :]
        mask.setflags(write=False)
        return mask

    @cached_property
    def destination_node(self) -> IntArray:
        """The source row of the node that each destination slot belongs to, ``[n_destinations]``; logits: -1."""
        columns = np.arange(self.n_destinations - 1)
        layer, inside = np.divmod(columns, 3 * self.n_heads + 1)
        is_mlp = inside == 3 * self.n_heads
        row = 1 + layer * (self.n_heads + 1) + np.where(is_mlp, self.n_heads, inside % self.n_heads)
        return np.append(row, -1)

    def head_row(self, layer: int, head: int) -> int:
        """Row of head ``head`` of layer ``layer``."""
        return 1 + layer * (self.n_heads + 1) + head

    def mlp_row(self, layer: int) -> int:
        """Row of the MLP of layer ``layer``."""
        return 1 + layer * (self.n_heads + 1) + self.n_heads

    def layer_column(self, layer: int) -> int:
        """First column of layer ``layer``: its q slots; then k, v, and the MLP."""
        return layer * (3 * self.n_heads + 1)

    def mlp_column(self, layer: int) -> int:
        """Column of the MLP of layer ``layer``."""
        return self.layer_column(layer) + 3 * self.n_heads

    @cached_property
    def source_names(self) -> list[str]:
        """Names of the rows, in order."""
        names = ["input"]
        for layer in range(self.n_layers):
            names += [f"a{layer}.h{head}" for head in range(self.n_heads)] + [f"m{layer}"]
        return names

    @cached_property
    def destination_names(self) -> list[str]:
        """Names of the columns, in order."""
        names: list[str] = []
        for layer in range(self.n_layers):
            names += [f"a{layer}.h{head}<{slot}>" for slot in SLOTS for head in range(self.n_heads)]
            names.append(f"m{layer}")
        return [*names, "logits"]

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.source_names)}

    @cached_property
    def _columns(self) -> dict[str, int]:
        return {name: column for column, name in enumerate(self.destination_names)}

    def source_index(self, name: str) -> int:
        """Return the row of a source.

        Raises:
            UsageError: This graph has no such source.
        """
        return _look_up(self._rows, name, "source node")

    def destination_index(self, name: str) -> int:
        """Return the column of a destination.

        Raises:
            UsageError: This graph has no such destination.
        """
        return _look_up(self._columns, name, "destination")

    def edge_index(self, name: str) -> tuple[int, int]:
        """Return row and column of the edge ``source->destination``.

        Raises:
            UsageError: This graph has no such edge.
        """
        source, arrow, destination = name.partition("->")
        if not arrow:
            raise UsageError(f"'{name}' is not an edge.", why="An edge is written source->destination.", do="Fix it.")
        row, column = self.source_index(source), self.destination_index(destination)
        if not self.real_mask[row, column]:
            raise UsageError(f"'{name}' is not an edge.", why=f"{destination} does not read {source}.", do="Remove it.")
        return row, column

    def edge_names(self) -> list[str]:
        """Names of all real edges, row by row."""
        sources, destinations = self.source_names, self.destination_names
        rows, columns = np.nonzero(self.real_mask)
        return [f"{sources[r]}->{destinations[c]}" for r, c in zip(rows.tolist(), columns.tolist(), strict=True)]


def _look_up(table: dict[str, int], name: str, kind: str) -> int:
    if name not in table:
        raise UsageError(f"Unknown {kind} '{name}'.", why="This graph does not have it.", do=did_you_mean(name, table))
    return table[name]
