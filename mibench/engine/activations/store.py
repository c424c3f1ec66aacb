"""Activations of a text at hook points, computed once and kept on disk, or computed anew each time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from mibench.core.errors import DataError, UsageError
from mibench.core.hashing import digest
from mibench.core.hook_points import HookPoint
from mibench.engine.activations.capture import Found
from mibench.engine.activations.chunk_files import ChunkFiles
from mibench.engine.activations.request import StoreRequest
from mibench.engine.activations.shuffle import Piece, pieces
from mibench.engine.activations.source import Activations
from mibench.engine.activations.streaming import compute

__all__ = ["BlockBatch", "StoreRequest", "StoredActivations", "open_store"]


@dataclass(frozen=True)
class BlockBatch:
    """Contexts one after the other, with their activations.

    Attributes:
        rows: Which contexts of the text.
        ids: Token ids ``[batch, context]``.
        scored: Whether a token counts, ``[batch, context]``.
        inputs: What a dictionary reads, ``[batch, context, d_in]``; also of tokens that do not count.
        targets: What it reconstructs, ``[batch, context, d_out]``; the same tensor where it is what it reads.
    """

    rows: slice
    ids: Tensor
    scored: Tensor
    inputs: Tensor
    targets: Tensor


class StoredActivations:
    """The activations of a request: in order for evaluation, shuffled for training. It is an `ActivationSource`.

    Numbers are in the model's ``accumulate`` type, on its device, and are the same bits whether they were stored or
    come from the running model; so is the order of shuffled batches. At most eight chunks are held in memory.
    """

    def __init__(self, request: StoreRequest) -> None:
        request.check()
        self.request = request
        self._files = None if request.folder is None else ChunkFiles(request, request.folder)

    @property
    def n_tokens(self) -> int:
        """Activations of one epoch: tokens that count."""
        return self.request.blocks.n_scored

    @property
    def d_in(self) -> int:
        """Entries of what a dictionary reads."""
        return self.request.widths[self.request.place.hook]

    @property
    def d_out(self) -> int:
        """Entries of what it reconstructs."""
        return self.request.widths[self.request.place.target]

    @cached_property
    def digest(self) -> str:
        """sha256 of what fixes the activations and their order."""
        place = self.request.place
        return digest({"store": self.request.key, "hook": place.hook.name, "output": place.target.name})

    def fill(self) -> None:
        """Compute and store what is not stored yet; of what is there, check every chunk. Nothing without a folder.

        Raises:
            StoreError: There is too little room, or a file cannot be written.
            ModelError: Some activations are not finite.
        """
        if self._files is not None:
            for chunk in range(self.request.n_chunks):
                self._chunk(chunk)

    def passes(self, batch_blocks: int | None = None) -> Iterator[BlockBatch]:
        """Yield all contexts in order.

        Args:
            batch_blocks: Contexts of a batch, at most; None: those of a forward pass. The last batch of a chunk may
                have fewer.

        Raises:
            UsageError: ``batch_blocks`` is below 1.
            StoreError: There is too little room, or a file cannot be written.
            ModelError: Some activations are not finite.
        """
        request = self.request
        step = max(1, request.batch_tokens // request.blocks.context) if batch_blocks is None else batch_blocks
        if step < 1:
            raise UsageError(
                f"Batches of {step} contexts are not possible.", why="It is below 1.", do="Give 1 or more."
            )
        for chunk in range(request.n_chunks):
            found, rows = self._chunk(chunk), request.rows(chunk)
            for start in range(rows.start, rows.stop, step):
                yield self._batch(found, rows, slice(start, min(start + step, rows.stop)))

    def batches(self, size: int, seed: int, *, skip: int = 0) -> Iterator[Activations]:
        """Yield shuffled batches without end; see `ActivationSource` and :mod:`mibench.engine.activations.shuffle`.

        Args:
            size: Tokens a batch; an incomplete one at the end of an epoch is left out.
            seed: Of the shuffles, not negative.
            skip: Batches to leave out at the start; at most one window of eight chunks is read for nothing.

        Raises:
            UsageError: A number is too small.
            DataError: There are fewer tokens than a batch has.
        """
        if size < 1 or seed < 0 or skip < 0:
            why = f"size is {size}, seed {seed}, skip {skip}."
            raise UsageError(
                "Such batches are not possible.", why=why, do="Give a size of 1 or more, nothing negative."
            )
        if size > self.n_tokens:
            why = f"There are {self.n_tokens} tokens, and a batch has {size}."
            raise DataError("There is too little text to train on.", why=why, do="Use more text, or smaller batches.")
        return self._endless(size, seed, skip)

    def _endless(self, size: int, seed: int, skip: int) -> Iterator[Activations]:
        epoch, first = divmod(skip, self.n_tokens // size)
        while True:
            yield from self._epoch(size, pieces(self._sizes, seed, epoch, first * size))
            epoch, first = epoch + 1, 0

    def _epoch(self, size: int, windows: Iterator[Piece]) -> Iterator[Activations]:
        """Yield the full batches of windows that follow each other."""
        held: list[dict[HookPoint, Tensor]] = []
        count = 0
        for window in windows:
            tokens = torch.from_numpy(window.tokens).to(self.request.model.device)
            values, place = self._window(window.chunks), 0
            while place < len(tokens):
                taken = tokens[place : place + size - count]
                held.append({point: tensor[taken] for point, tensor in values.items()})
                place, count = place + len(taken), count + len(taken)
                if count == size:
                    yield self._joined(held)
                    held, count = [], 0
            # Without this, two windows would be held while the next one is made.
            del values

    def _window(self, chunks: tuple[int, ...]) -> dict[HookPoint, Tensor]:
        """Return the scored activations of chunks, ``[tokens, width]`` by hook point."""
        model, sizes = self.request.model, self._sizes
        total = sum(sizes[chunk] for chunk in chunks)
        made = {
            point: torch.empty((total, width), dtype=model.dtype, device=model.device)
            for point, width in self.request.widths.items()
        }
        start = 0
        for chunk in chunks:
            scored = torch.from_numpy(self.request.blocks.scored[self.request.rows(chunk)]).to(model.device)
            for point, values in self._chunk(chunk).items():
                made[point][start : start + sizes[chunk]] = values[scored]
            start += sizes[chunk]
        return made

    def _joined(self, held: list[dict[HookPoint, Tensor]]) -> Activations:
        place = self.request.place
        inputs = self._wide(torch.cat([part[place.hook] for part in held]))
        if place.target == place.hook:
            return Activations(inputs, inputs)
        return Activations(inputs, self._wide(torch.cat([part[place.target] for part in held])))

    def _batch(self, found: Found, chunk: slice, rows: slice) -> BlockBatch:
        """Return contexts of a chunk that has those of ``chunk``."""
        place, blocks, device = self.request.place, self.request.blocks, self.request.model.device
        inner = slice(rows.start - chunk.start, rows.stop - chunk.start)
        inputs = self._wide(found[place.hook][inner])
        targets = inputs if place.target == place.hook else self._wide(found[place.target][inner])
        ids = torch.from_numpy(blocks.ids[rows]).to(device, torch.long)
        return BlockBatch(rows, ids, torch.from_numpy(blocks.scored[rows]).to(device), inputs, targets)

    def _wide(self, values: Tensor) -> Tensor:
        return values.to(self.request.model.accumulate)

    def _chunk(self, chunk: int) -> Found:
        """Return the activations of a chunk, from disk if it is there and whole, else from the model."""
        files = self._files
        if files is None:
            return compute(self.request, chunk)
        stored = files.load(chunk)
        if stored is not None:
            return stored
        found = compute(self.request, chunk)
        self.request.progress(files.save(chunk, found), self.request.n_chunks)
        return found

    @cached_property
    def _sizes(self) -> list[int]:
        """Scored tokens of each chunk."""
        starts = np.arange(self.request.n_chunks) * self.request.chunk_blocks
        return [int(size) for size in np.add.reduceat(self.request.blocks.scored.sum(1), starts)]


def open_store(request: StoreRequest) -> StoredActivations:
    """Return the activations of a request; the model is run when they are first used.

    Raises:
        DataError: The model cannot be given this text, or has no such hook point.
    """
    return StoredActivations(request)
