"""Which activations are wanted: the model, the text and the hook points, and how they lie in chunks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from mibench.artifacts.dictionaries.dictionary import Place
from mibench.core.errors import DataError
from mibench.core.files import MIB
from mibench.core.hashing import digest
from mibench.core.hook_points import HookPoint
from mibench.core.specs import ModelRef
from mibench.engine.activations.capture import width_of
from mibench.engine.meter import NoCounter, PassCounter, Progress, no_progress
from mibench.engine.model import LanguageModel
from mibench.tasks.corpora.blocks import TokenBlocks

FORMAT = 1
"""Raised when what is in a store changes."""
CHUNK_BYTES = 32 * MIB


def silent(message: str) -> None:
    """Say nothing."""


@dataclass(frozen=True, eq=False)
class StoreRequest:
    """Which activations, and how to get them.

    Attributes:
        model: The model.
        ref: Its name, digest, dtype and attention kernel.
        blocks: The text.
        place: What is read, and what is reconstructed.
        folder: Folder of stores; None: nothing is kept, and each use runs the model.
        batch_tokens: Tokens of a forward pass, at most.
        counter: Counts passes.
        progress: Told how many chunks are on disk, each time that one was added.
        max_bytes: Size that the store may have; None: what the disk has.
        chunk_bytes: Size of a chunk, about. The order of shuffled batches depends on it.
        say: Told in a sentence what a user should know, such as that a damaged chunk is made again.
    """

    model: LanguageModel
    ref: ModelRef
    blocks: TokenBlocks
    place: Place
    folder: Path | None = None
    batch_tokens: int = 2048
    counter: PassCounter = field(default_factory=NoCounter)
    progress: Progress = no_progress
    max_bytes: int | None = None
    chunk_bytes: int = CHUNK_BYTES
    say: Callable[[str], None] = silent

    @property
    def points(self) -> tuple[HookPoint, ...]:
        """Hook points that are read, each once, in their own order."""
        return tuple(sorted({self.place.hook, self.place.target}))

    @cached_property
    def widths(self) -> dict[HookPoint, int]:
        """Entries of an activation at each."""
        return {point: width_of(self.model, point) for point in self.points}

    @cached_property
    def key(self) -> str:
        """sha256 of all that fixes what is stored."""
        return digest(
            {
                "format": FORMAT,
                "model": self.ref.digest,
                "dtype": self.ref.dtype,
                "attention": self.ref.attention,
                "points": [point.name for point in self.points],
                "blocks": self.blocks.digest,
                "context": self.blocks.context,
                "bos": self.blocks.bos,
                "chunk": self.chunk_blocks,
            }
        )

    @property
    def block_bytes(self) -> int:
        """Size of the activations of one context, in the model's type."""
        return self.blocks.context * sum(self.widths.values()) * self.model.dtype.itemsize

    @property
    def chunk_blocks(self) -> int:
        """Contexts of a chunk."""
        return max(1, self.chunk_bytes // self.block_bytes)

    @property
    def n_chunks(self) -> int:
        """Number of chunks."""
        return -(-len(self.blocks) // self.chunk_blocks)

    @property
    def total_bytes(self) -> int:
        """Size of all activations."""
        return len(self.blocks) * self.block_bytes

    def rows(self, chunk: int) -> slice:
        """Return the contexts of a chunk."""
        start = chunk * self.chunk_blocks
        return slice(start, min(start + self.chunk_blocks, len(self.blocks)))

    def check(self) -> None:
        """Check that the model can be given this text.

        Raises:
            DataError: It has no such hook point, its vocabulary ends before, or it reads fewer tokens at once.
        """
        _ = self.widths
        last, rows = int(self.blocks.ids.max()), int(self.model.hf.get_input_embeddings().num_embeddings)
        if last >= rows:
            why = f"The model's vocabulary ends at {rows - 1}."
            raise DataError(f"The text has token id {last}.", why=why, do="Use the model's own tokenizer.")
        longest = getattr(self.model.hf.config, "max_position_embeddings", None)
        if longest is not None and self.blocks.context > longest:
            why = f"The model reads {longest} tokens at once."
            raise DataError(f"A context of {self.blocks.context} is too long.", why=why, do="Use a shorter one.")
