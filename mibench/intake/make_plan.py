"""What is made of a method in one go: each task on each model, in the words of a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field

from mibench.core.specs import Frozen, Level, Params, Track
from mibench.intake.manifest import CodeEntry

MAX_PLAN_BYTES = 8 * 2**20
SUFFIX = ".safetensors"


class Step(Frozen):
    """One artifact that is to be made."""

    task: str
    """The task."""
    model: str
    """The model: a name, or a folder; empty: none."""
    file: str
    """Name of the file that it is to be written to."""


class MakePlan(Frozen):
    """A method, and what it is run for."""

    track: Track
    """Its track."""
    method: str
    """``file.py:function``."""
    parameters: Params = Field(default_factory=dict)
    """Its parameters."""
    seed: int | None = None
    """Its seed; None: it draws nothing."""
    level: Level | None = None
    """What is scored, of circuits."""
    variable: str | None = None
    """Causal variable."""
    hook: str | None = None
    """Where a dictionary reads."""
    dtype: str = "float32"
    """Type of the weights."""
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]
    """What is made."""


def plan_of(entry: CodeEntry, folder: Path, models: Mapping[str, Path], dtype: str) -> MakePlan:
    """Return what is made of a method.

    Args:
        entry: What the manifest says of it.
        folder: The submission.
        models: Models that are folders, by name.
        dtype: Type of the weights.
    """
    steps = [
        Step(task=task, model=str(models.get(model, model)), file=f"{number:04d}{SUFFIX}")
        for number, (task, model) in enumerate(entry.pairs)
    ]
    return MakePlan(
        track=entry.track,
        method=f"{folder / entry.file}:{entry.function}",
        parameters=entry.parameters,
        seed=entry.seed,
        level=entry.level,
        variable=entry.variable,
        hook=entry.hook,
        dtype=dtype,
        steps=tuple(steps),
    )
