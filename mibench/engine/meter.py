"""How the engine reports what it spends; whoever meters passes an object with these two methods."""

from __future__ import annotations

from typing import Protocol


class PassCounter(Protocol):
    """Counts passes of one example through the model."""

    def forward(self, examples: int) -> None:
        """Count forward passes of ``examples`` examples."""

    def backward(self, examples: int) -> None:
        """Count backward passes of ``examples`` examples."""


class NoCounter:
    """Counts nothing."""

    def forward(self, examples: int) -> None:
        """Ignore."""

    def backward(self, examples: int) -> None:
        """Ignore."""


class Progress(Protocol):
    """Told how far a long piece of work has come."""

    def __call__(self, done: int, total: int) -> None:
        """Report ``done`` of ``total`` steps."""


def no_progress(done: int, total: int) -> None:
    """Report nothing."""
