"""Sums over the tokens of each context, in float64, from which the core family's metrics follow; batch by batch."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mibench.engine.activations.store import BlockBatch
from mibench.engine.dictionaries.coder import Coder
from mibench.metrics.sae.core_tables import CONTEXT_COLUMNS, DOCUMENT, LEGACY

MAX_LATENTS = 2**26
"""Latents of all tokens that exist at a time."""
_OF_SUBJECT = ("squared_error", "squared_output", "dot", "output_norm", "norm_ratio", "cosine", "active", "absolute",
               "latent_sum", "ordinary_error", LEGACY)  # fmt: skip


def add_by_context(sums: Tensor, context: Tensor, values: Tensor) -> None:
    """Add to the sums of contexts what their tokens have, one token after the other, whatever the device.

    Args:
        sums: Changed in place, ``[contexts, numbers]``.
        context: The context of each token, ascending, ``[tokens]``.
        values: What is added, ``[tokens, numbers]``.
    """
    rows, lengths = context.unique_consecutive(return_counts=True)  # type: ignore[no-untyped-call]
    if len(rows):
        # Of two dimensions, each segment is summed in order by one thread also on a graphics card, where adding by
        # index would be by atomic adds, in any order.
        sums[rows] += torch.segment_reduce(values, "sum", lengths=lengths, initial=0)


class TargetSums:
    """What is known of the activations that are to be reconstructed, whatever the dictionary.

    Attributes:
        tokens: Scored tokens of each context, ``[contexts]``.
        pool: Activations of some scored tokens, ``[pool, d_out]``.

    Args:
        scored: Whether a token is scored, bool ``[contexts, pos]``.
        picked: Which scored tokens go into the pool, counted over all contexts, ascending.
        width: Entries of an activation.
        device: Where the sums are.
        limit: Norm above which a token has a massive activation.
    """

    def __init__(
        self, scored: np.ndarray, picked: np.ndarray, width: int, device: torch.device, limit: float = math.inf
    ) -> None:
        n, self._limit = len(scored), limit
        self.tokens = scored.sum(1)
        self._starts, self._picked = np.concatenate([[0], self.tokens.cumsum()]), picked
        self._vectors = torch.zeros(n, width, dtype=torch.float64, device=device)
        self._ordinary_vectors = torch.zeros_like(self._vectors)
        self._numbers = torch.zeros(n, 4, dtype=torch.float64, device=device)
        self._pool: list[Tensor] = []

    def add(self, batch: BlockBatch, targets: Tensor, context: Tensor) -> None:
        """Take the scored activations ``[tokens, d_out]`` of a batch, and the context of each, ``[tokens]``."""
        wide = targets.to(torch.float64)
        squares = wide.square().sum(-1)
        norms = squares.sqrt()
        kept = (norms <= self._limit).to(torch.float64)
        add_by_context(self._vectors, context, wide)
        add_by_context(self._ordinary_vectors, context, wide * kept[:, None])
        add_by_context(self._numbers, context, torch.stack([squares, norms, kept, squares * kept], 1))
        low, high = self._starts[batch.rows.start], self._starts[batch.rows.stop]
        here = self._picked[(self._picked >= low) & (self._picked < high)] - low
        self._pool.append(targets[torch.from_numpy(here).to(targets.device)])

    @property
    def pool(self) -> Tensor:
        """The activations that were picked, ``[pool, d_out]``."""
        return torch.cat(self._pool)

    @property
    def mean(self) -> Tensor:
        """Mean of all scored activations, float64 ``[d_out]``."""
        return self._vectors.sum(0) / max(1, int(self.tokens.sum()))

    def columns(self) -> dict[str, np.ndarray]:
        """Columns of the table of contexts that are the same for all dictionaries."""
        squares, norms, ordinary, ordinary_squares = self._numbers.T.contiguous()
        found = {
            "squared_deviation": _spread(squares, self._vectors, torch.from_numpy(self.tokens).to(squares)),
            "squared_target": squares,
            "target_norm": norms,
            "ordinary": ordinary,
            "ordinary_deviation": _spread(ordinary_squares, self._ordinary_vectors, ordinary),
            "ordinary_target": ordinary_squares,
        }
        counts = {"tokens": self.tokens, "entries": self.tokens * self._vectors.shape[1]}
        return counts | {name: values.cpu().numpy() for name, values in found.items()}


def _spread(squares: Tensor, vectors: Tensor, counts: Tensor) -> Tensor:
    """Squared distance of each context's activations to the mean of all, ``[contexts]``."""
    mean = vectors.sum(0) / counts.sum().clamp(min=1)
    spread = squares - 2 * (vectors @ mean) + counts * mean.square().sum()
    # Of one constant activation, rounding may leave less than nothing.
    return spread.clamp(min=0)


class SubjectSums:
    """What is summed for one dictionary.

    Attributes:
        active_tokens: Tokens on which each latent is active, ``[latents]``.
        activation: Sum of each latent over tokens, float64 ``[latents]``.
        largest: Largest value of each latent where it is active, ``[latents]``; −∞ where it never is.

    Args:
        coder: The dictionary.
        n_contexts: Number of contexts.
        legacy: Whether `LEGACY` is summed; each batch then stands for itself.
        limit: Norm above which a token has a massive activation.
    """

    def __init__(self, coder: Coder, n_contexts: int, *, legacy: bool = False, limit: float = math.inf) -> None:
        device, d_sae, self._limit = coder.decoder.device, coder.d_sae, limit
        self._coder, self._legacy = coder, legacy
        self._names = _OF_SUBJECT if legacy else _OF_SUBJECT[:-1]
        self._sums = torch.zeros(n_contexts, len(self._names), dtype=torch.float64, device=device)
        self.active_tokens = torch.zeros(d_sae, dtype=torch.int64, device=device)
        self.activation = torch.zeros(d_sae, dtype=torch.float64, device=device)
        self.largest = torch.full((d_sae,), -torch.inf, dtype=coder.decoder.dtype, device=device)

    def add(self, inputs: Tensor, targets: Tensor, context: Tensor) -> None:
        """Take scored activations ``[tokens, d_in]`` and ``[tokens, d_out]``, and the context of each, ``[tokens]``."""
        centre = targets.to(torch.float64).mean(0) if self._legacy and len(targets) else None
        size, parts = max(1, MAX_LATENTS // self._coder.d_sae), []
        for start in range(0, len(inputs), size):
            part = slice(start, start + size)
            latents = self._coder.encode(inputs[part])
            output = self._coder.decode(latents, inputs[part]).to(torch.float64)
            target = targets[part].to(torch.float64)
            found = _per_token(target, output, latents, centre)
            ordinary = target.square().sum(-1).sqrt() <= self._limit
            found["ordinary_error"] = found["squared_error"] * ordinary
            parts.append(torch.stack([found[name] for name in self._names], 1))
            self._add_latents(latents)
        if parts:
            # All at once: a context may go over the end of a part, and its sum is not to depend on where.
            add_by_context(self._sums, context, torch.cat(parts))

    def _add_latents(self, latents: Tensor) -> None:
        active = latents != 0
        self.active_tokens += active.sum(0)
        self.activation += latents.sum(0, dtype=torch.float64)
        highest = latents.masked_fill(~active, -torch.inf).amax(0)
        self.largest = torch.maximum(self.largest, highest)

    def table(self, targets: TargetSums, documents: np.ndarray) -> pd.DataFrame:
        """Return the table of contexts; ``documents`` ``[contexts]`` says which each is of."""
        columns = (
            {DOCUMENT: documents}
            | targets.columns()
            | dict(zip(self._names, self._sums.T.contiguous().cpu().numpy(), strict=True))
        )
        names = [*CONTEXT_COLUMNS, LEGACY] if self._legacy else CONTEXT_COLUMNS
        rows = {"context": np.arange(len(targets.tokens))} | {name: columns[name] for name in names}
        return pd.DataFrame(rows)


def _per_token(target: Tensor, output: Tensor, latents: Tensor, centre: Tensor | None) -> dict[str, Tensor]:
    """Everything that is summed, of each token, float64 ``[tokens]``."""
    error, squared_output = (target - output).square().sum(-1), output.square().sum(-1)
    dot, norm, output_norm = (target * output).sum(-1), target.square().sum(-1).sqrt(), squared_output.sqrt()
    found = {
        "squared_error": error,
        "squared_output": squared_output,
        "dot": dot,
        "output_norm": output_norm,
        "norm_ratio": _or_zero(output_norm, norm),
        "cosine": _or_zero(dot, norm * output_norm),
        "active": (latents != 0).sum(-1).to(torch.float64),
        "absolute": latents.abs().sum(-1, dtype=torch.float64),
        "latent_sum": latents.sum(-1, dtype=torch.float64),
    }
    if centre is not None:
        found[LEGACY] = 1 - _or_zero(error, (target - centre).square().sum(-1))
    return found


def _or_zero(top: Tensor, bottom: Tensor) -> Tensor:
    return torch.where(bottom > 0, top / bottom.where(bottom > 0, 1.0), 0.0)


def groups(batches: Iterator[BlockBatch], size: int) -> Iterator[BlockBatch]:
    """Yield the same contexts in batches of exactly ``size``, the last one perhaps smaller."""
    held: list[BlockBatch] = []
    for batch in batches:
        start = 0
        while start < len(batch.ids):
            room = size - sum(len(part.ids) for part in held)
            held.append(_part(batch, start, min(start + room, len(batch.ids))))
            start += room
            if sum(len(part.ids) for part in held) == size:
                yield _joined(held)
                held = []
    if held:
        yield _joined(held)


def _part(batch: BlockBatch, start: int, stop: int) -> BlockBatch:
    first, here = batch.rows.start, slice(start, stop)
    rows = slice(first + start, first + stop)
    return BlockBatch(rows, batch.ids[here], batch.scored[here], batch.inputs[here], batch.targets[here])


def _joined(parts: list[BlockBatch]) -> BlockBatch:
    rows = slice(parts[0].rows.start, parts[-1].rows.stop)
    ids, scored, inputs, targets = (
        torch.cat([getattr(part, name) for part in parts]) for name in ("ids", "scored", "inputs", "targets")
    )
    return BlockBatch(rows, ids, scored, inputs, targets)
