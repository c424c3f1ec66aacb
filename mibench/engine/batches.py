"""Pairs in batches: of equal length, or padded on the right.

Equal lengths are the default: every position is real. Padding on the right needs no mask, since causal attention
never looks there; it only has to be left out where positions are summed or read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mibench.tasks.encode import EncodedPair

MAX_TOKENS = 512
"""Tokens of a batch, by default: from about 250 on a laptop's matrix products run at full speed."""


@dataclass(frozen=True)
class PairBatch:
    """Pairs that are run together.

    Attributes:
        rows: Where the pairs stand in the list they came from.
        clean: Token ids, ``[batch, pos]``, padded on the right with id 0.
        counterfactual: Token ids, ``[batch, pos]``, likewise.
        pairs: The pairs themselves, for their answers.
        shared: Positions at the start in which every pair's two prompts agree; at least two positions are left over.
        last: Each pair's last real position, ``[batch]``.
    """

    rows: tuple[int, ...]
    clean: Tensor
    counterfactual: Tensor
    pairs: tuple[EncodedPair, ...]
    shared: int
    last: Tensor

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def n_pos(self) -> int:
        """Number of positions."""
        return int(self.clean.shape[1])

    @property
    def real(self) -> Tensor:
        """Which positions are not padding, bool ``[batch, pos]``."""
        return torch.arange(self.n_pos, device=self.last.device) <= self.last[:, None]

    def metric(self, logits: Tensor) -> Tensor:
        """The metric of each pair, ``[batch]``, from last-position ``logits`` ``[batch, vocab]``.

        Logit difference: logit of the correct answer minus that of the incorrect one. Probability difference: the
        summed probability of the correct answers minus that of the incorrect ones. 16-bit logits are widened first.
        """
        wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
        return torch.stack([_difference(row, pair) for row, pair in zip(wide, self.pairs, strict=True)])


def _difference(logits: Tensor, pair: EncodedPair) -> Tensor:
    values = logits.softmax(-1) if pair.metric == "prob_diff" else logits
    return values[list(pair.correct)].sum() - values[list(pair.incorrect)].sum()


@dataclass(frozen=True, kw_only=True)
class Batching:
    """How pairs are put into batches; changes only rounding, memory and speed.

    Attributes:
        batch_size: Pairs a batch, at most.
        padded: Let a batch hold several lengths, padded on the right; by default its pairs have one length.
        batch_tokens: Tokens a batch, at most (a single pair may be longer); sets peak memory.
    """

    batch_size: int = 20
    padded: bool = False
    batch_tokens: int = MAX_TOKENS

    def batches(self, pairs: Sequence[EncodedPair], device: torch.device | str = "cpu") -> Iterator[PairBatch]:
        """Yield pairs in batches; ``rows`` says where each pair belongs.

        They are ordered by length, and within a length by their first difference, so that batches share long
        prefixes.

        Args:
            pairs: Encoded pairs, in any order.
            device: Where the token ids go.
        """
        for chunk in self._chunks(pairs):
            yield _batch([pairs[row] for row in chunk], chunk, device)

    def n_batches(self, pairs: Sequence[EncodedPair]) -> int:
        """How many batches ``batches`` yields."""
        return sum(1 for _ in self._chunks(pairs))

    def _chunks(self, pairs: Sequence[EncodedPair]) -> Iterator[list[int]]:
        order = sorted(range(len(pairs)), key=lambda row: (pairs[row].length, shared_prefix(pairs[row]), row))
        chunk: list[int] = []
        for row in order:
            length = pairs[row].length
            full = len(chunk) >= self.batch_size or (len(chunk) + 1) * length > self.batch_tokens
            if chunk and (full or (not self.padded and pairs[chunk[0]].length != length)):
                yield chunk
                chunk = []
            chunk.append(row)
        if chunk:
            yield chunk


def batches(pairs: Sequence[EncodedPair], batch_size: int, device: torch.device | str = "cpu") -> Iterator[PairBatch]:
    """Yield pairs in batches of equal length; see ``Batching``."""
    return Batching(batch_size=batch_size).batches(pairs, device)


def shared_prefix(pair: EncodedPair) -> int:
    """Leading positions in which clean and counterfactual agree, leaving at least two positions over.

    Two, because matrix products of one row take another path in BLAS and lose digits.
    """
    first = next((i for i, (a, b) in enumerate(zip(pair.clean, pair.counterfactual, strict=True)) if a != b), None)
    return max(0, min(pair.length if first is None else first, pair.length - 2))


def _batch(pairs: list[EncodedPair], rows: list[int], device: torch.device | str) -> PairBatch:
    longest = max(pair.length for pair in pairs)
    return PairBatch(
        rows=tuple(rows),
        clean=torch.tensor([_padded(pair.clean, longest) for pair in pairs], device=device),
        counterfactual=torch.tensor([_padded(pair.counterfactual, longest) for pair in pairs], device=device),
        pairs=tuple(pairs),
        shared=min(shared_prefix(pair) for pair in pairs),
        last=torch.tensor([pair.length - 1 for pair in pairs], device=device),
    )


def _padded(ids: Sequence[int], length: int) -> list[int]:
    return [*ids, *[0] * (length - len(ids))]
