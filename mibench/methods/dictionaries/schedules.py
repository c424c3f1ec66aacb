"""How the learning rate and the sparsity penalty go with time."""

from __future__ import annotations


def warm_and_decay(step: int, steps: int, *, warmup: float = 0.05, decay: float = 0.2) -> float:
    """Factor of the learning rate at a step from 0: rises linearly, stays at 1, falls linearly, never 0.

    Args:
        step: Which step.
        steps: How many in all.
        warmup: Share of the steps in which it rises.
        decay: Share of the steps, the last ones, in which it falls.
    """
    rising = (step + 1) / max(1.0, warmup * steps)
    falling = (steps - step) / max(1.0, decay * steps)
    return min(1.0, rising, falling)


def warmed(step: int, steps: int, *, warmup: float = 0.05) -> float:
    """Factor of the sparsity penalty at a step: rises linearly to 1 and stays."""
    return min(1.0, (step + 1) / max(1.0, warmup * steps))
