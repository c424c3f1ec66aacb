"""Pairs in batches of equal length: no padding, so that every position is real and results are exact."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mibench.tasks.encode import EncodedPair


@dataclass(frozen=True)
class PairBatch:
    """Pairs of one length.

    Attributes:
        rows: Where the pairs stand in the list they came from.
        clean: Token ids, ``[batch, pos]``.
        counterfactual: Token ids, ``[batch, pos]``.
        pairs: The pairs themselves, for their answers.
        shared: Positions at the start in which every pair's two prompts agree; at least two positions are left over.
    """

    rows: tuple[int, ...]
    clean: Tensor
    counterfactual: Tensor
    pairs: tuple[EncodedPair, ...]
    shared: int

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def n_pos(self) -> int:
        """Number of positions."""
        return int(self.clean.shape[1])

    def metric(self, logits: Tensor) -> Tensor:
        """The metric of each pair, ``[batch]``, from last-position ``logits`` ``[batch, vocab]``.

        Logit difference: logit of the correct answer minus that of the incorrect one. Probability difference: the
        summed probability of the correct answers minus that of the incorrect ones.
        """
        return torch.stack([_difference(row, pair) for row, pair in zip(logits, self.pairs, strict=True)])


def _difference(logits: Tensor, pair: EncodedPair) -> Tensor:
    values = logits.softmax(-1) if pair.metric == "prob_diff" else logits
    return values[list(pair.correct)].sum() - values[list(pair.incorrect)].sum()


def batches(pairs: Sequence[EncodedPair], batch_size: int, device: torch.device | str = "cpu") -> Iterator[PairBatch]:
    """Yield batches of pairs of equal length.

    Within a length, pairs are ordered by their first difference, so that batches share long prefixes.

    Args:
        pairs: Encoded pairs, in any order.
        batch_size: Largest number of pairs in a batch.
        device: Where the token ids go.

    Yields:
        Batches; ``rows`` says where each pair belongs.
    """
    order = sorted(range(len(pairs)), key=lambda row: (pairs[row].length, shared_prefix(pairs[row]), row))
    start = 0
    while start < len(order):
        length = pairs[order[start]].length
        chunk = [row for row in order[start : start + batch_size] if pairs[row].length == length]
        start += len(chunk)
        yield _batch([pairs[row] for row in chunk], chunk, device)


def n_batches(pairs: Sequence[EncodedPair], batch_size: int) -> int:
    """How many batches ``batches`` yields."""
    counts: dict[int, int] = {}
    for pair in pairs:
        counts[pair.length] = counts.get(pair.length, 0) + 1
    return sum(-(-count // batch_size) for count in counts.values())


def shared_prefix(pair: EncodedPair) -> int:
    """Leading positions in which clean and counterfactual agree, leaving at least two positions over.

    Two, because matrix products of one row take another path in BLAS and lose digits.
    """
    first = next((i for i, (a, b) in enumerate(zip(pair.clean, pair.counterfactual, strict=True)) if a != b), None)
    return max(0, min(pair.length if first is None else first, pair.length - 2))


def _batch(pairs: list[EncodedPair], rows: list[int], device: torch.device | str) -> PairBatch:
    return PairBatch(
        rows=tuple(rows),
        clean=torch.tensor([pair.clean for pair in pairs], device=device),
        counterfactual=torch.tensor([pair.counterfactual for pair in pairs], device=device),
        pairs=tuple(pairs),
        shared=min(shared_prefix(pair) for pair in pairs),
    )
