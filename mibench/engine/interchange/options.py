"""What an interchange intervention is, and how many are run at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from mibench.core.errors import UsageError
from mibench.core.sites import Site

Edit = Callable[[Tensor, Tensor], Tensor]
"""From base and source activations, ``[rows, n_pos, width]`` each, those that the base run goes on with.

They have the type in which the model sums, and so has the result. ``n_pos`` is the number of tokens of the position;
rows with other numbers of tokens come in another call.
"""


@dataclass(frozen=True)
class SiteEdit:
    """What is done at one site."""

    site: Site
    edit: Edit


Intervention = tuple[SiteEdit, ...]
"""Edits made in one run, in the order of the network: the base of a later one is what earlier ones left."""


@dataclass(frozen=True, kw_only=True)
class InterchangeOptions:
    """How interventions are run and judged.

    Attributes:
        batch_size: Rows a batch, at most.
        batch_tokens: Tokens computed at once, at most (a single row may have more); sets peak memory.
        new_tokens: Tokens generated to judge an answer; None: it is right if greedy decoding gives an accepted one.
        decode: Text of generated ids; needed with ``new_tokens``.
        accepts: Is a text right, given the causal model's output? Needed with ``new_tokens``.
        cache_bytes: Up to so much memory, base runs are kept for training; beyond, each batch runs its bases again.
        keep_layers: Layers at whose sites training edits; of others nothing is kept. None: all.
    """

    batch_size: int = 20
    batch_tokens: int = 1024
    new_tokens: int | None = None
    decode: Callable[[Sequence[int]], str] | None = None
    accepts: Callable[[str, Any], bool] | None = None
    cache_bytes: int = 4 << 30
    keep_layers: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if min(self.batch_size, self.batch_tokens, 1 if self.new_tokens is None else self.new_tokens) < 1:
            raise UsageError(
                "Batches and generated texts need at least one row or token.",
                why=f"{self.batch_size} rows, {self.batch_tokens} tokens and {self.new_tokens} new ones are asked for.",
                do="Give numbers from 1 on.",
            )
        if self.new_tokens is not None and (self.decode is None or self.accepts is None):
            raise UsageError(
                "Generated answers cannot be judged.",
                why="The text of generated ids and what is right about it are not given.",
                do="Give decode and accepts with new_tokens.",
            )
