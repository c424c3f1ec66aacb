"""The published rules of a shared task, ``round.json``: what is scored, how it is ranked, and what may be handed in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, ValidationError, model_validator

from mibench.core.errors import DataError
from mibench.core.files import MIB, read_text
from mibench.core.specs import Convention, Frozen, Level, Track
from mibench.intake.manifest import CellEntry, Line, Name, Sha256, Url
from mibench.intake.rules import Coverage, Rules

ROUND_FILE = "round.json"
MAX_ROUND_BYTES = 4 * MIB
SplitName = Literal["standings", "final"]
SPLITS: tuple[SplitName, ...] = ("standings", "final")
"""The split that is scored during the round, and the one that is scored once, after it."""
HeadName = Annotated[str, Field(pattern=r"^\d{1,4}\.\d{1,4}$")]
Positive = Annotated[int, Field(strict=True, ge=1, le=2**40)]


class CellGroup(Frozen):
    """Cells of one track: every task with every model, and with every variable or hook that is listed."""

    track: Track
    """circuit, variable or sae."""
    tasks: Annotated[tuple[Line, ...], Field(min_length=1, max_length=100)]
    """Tasks; see mibench list tasks."""
    models: Annotated[tuple[Line, ...], Field(max_length=100)] = ()
    """Models; see mibench list models. Empty for generated data, which need none."""
    level: Level | None = None
    """What is scored, of circuits: edge, node or neuron; edge where it is left out."""
    variables: Annotated[tuple[Line, ...], Field(max_length=100)] = ()
    """Causal variables, of the variable track; empty: all of each task."""
    hooks: Annotated[tuple[Line, ...], Field(max_length=100)] = ()
    """Where dictionaries read, of the SAE track; empty: anywhere."""
    heads: Annotated[tuple[HeadName, ...], Field(max_length=1000)] = ()
    """Heads, such as 7.3, that a linear target is fitted by, where a task of the variable track has one and knows none
    of the models. They are the round's: a submission's own would let it choose what it is measured against."""

    @model_validator(mode="after")
    def _of_its_track(self) -> Self:
        owners = {
            "level": Track.CIRCUIT,
            "variables": Track.VARIABLE,
            "heads": Track.VARIABLE,
            "hooks": Track.SAE,
        }
        for key, track in owners.items():
            if getattr(self, key) and track is not self.track:
                raise ValueError(f"'{key}' is for the track {track}, this is {self.track}.")
        return self

    def takes(self, entry: CellEntry, task: str, model: str) -> bool:
        """Whether an artifact or method for ``task`` and ``model`` (``""``: no model) is one of these cells."""
        place = entry.track is self.track and task in self.tasks and model in (self.models or ("",))
        if self.track is Track.CIRCUIT:
            return place and (entry.level or Level.EDGE) is (self.level or Level.EDGE)
        chosen = (self.variables, entry.variable) if self.track is Track.VARIABLE else (self.hooks, entry.hook)
        return place and (not chosen[0] or chosen[1] in chosen[0])


class Board(Frozen):
    """What is ranked: one metric over the cells of a track."""

    name: Name
    """Name of the board."""
    track: Track
    """Its track; all cells of it count."""
    headline: Line
    """Metric that cells are ranked by; see mibench list metrics."""
    aggregate: Literal["mean-rank"] = "mean-rank"
    """How cells come to one place: the mean of the ranks. A submission without all cells is shown, not ranked."""


class Limits(Frozen):
    """What may be handed in, and what scoring may take."""

    file_bytes: Positive = 50 * MIB
    """Of one file."""
    total_bytes: Positive = 200 * MIB
    """Of all files of a submission."""
    valid_per_week: Annotated[int, Field(strict=True, ge=1, le=1000)] = 2
    """Valid submissions of a team in any seven days; those that are refused or withdrawn unscored do not count."""
    seconds: Annotated[int, Field(strict=True, ge=10, le=7 * 86400)] = 3600
    """Wall-clock time of scoring one submission on one split; of a method, of making its artifacts too."""
    memory_bytes: Annotated[int, Field(strict=True, ge=256 * MIB, le=2**44)] = 16 * 1024 * MIB
    """Resident memory of scoring."""
    min_tasks: Positive = 1
    """Tasks that a submission has in each of its tracks, at least."""
    min_models: Positive = 1
    """Models, likewise."""
    accepts_code: bool = False
    """Whether methods are taken too, as code that makes artifacts from public data, in the sandbox, twice."""


class Scoring(Frozen):
    """Conventions that scoring follows; each is part of every record."""

    rows: Positive = 100
    """Rows of each data set (of each counterfactual set of it) in each private split."""
    convention: Convention = Convention.MIBENCH
    """Whose rules."""
    dtype: Literal["float32", "float64", "bfloat16"] = "float32"
    """Type of the weights."""
    batch_size: Annotated[int, Field(strict=True, ge=1, le=4096)] = 20
    """Examples a batch; changes rounding only."""


class RoundRules(Frozen):
    """The rules of a round, as an organiser writes them and participants read them."""

    name: Name
    """Short name of the round."""
    title: Line
    """What it is called."""
    organiser: Line
    """Who runs it."""
    contact: Line
    """Where questions go."""
    page: Url | None = None
    """Its page."""
    opens: AwareDatetime
    """When it opens, with zone."""
    deadline: AwareDatetime
    """When it closes, with zone."""
    cells: Annotated[tuple[CellGroup, ...], Field(min_length=1, max_length=100)]
    """What is scored."""
    boards: Annotated[tuple[Board, ...], Field(min_length=1, max_length=100)]
    """What is ranked."""
    limits: Limits = Field(default_factory=Limits)
    """What may be handed in."""
    scoring: Scoring = Field(default_factory=Scoring)
    """How it is scored."""

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.deadline <= self.opens:
            raise ValueError("'deadline' is not after 'opens'.")
        names = [board.name for board in self.boards]
        if len(set(names)) < len(names):
            raise ValueError("Two boards have the same name.")
        empty = [board.name for board in self.boards if board.track not in {group.track for group in self.cells}]
        if empty:
            raise ValueError(f"The board {empty[0]} has no cells.")
        return self

    def rules(self) -> Rules:
        """Limits of a submission, as its check takes them."""
        limits = self.limits
        asks = limits.min_tasks > 1 or limits.min_models > 1
        coverage = Coverage(limits.min_tasks, limits.min_models) if asks else None
        sizes = {"file_bytes": limits.file_bytes, "total_bytes": limits.total_bytes}
        return Rules(**sizes, coverage=coverage, code=limits.accepts_code)

    def group_of(self, entry: CellEntry, task: str, model: str) -> CellGroup | None:
        """The group that an artifact or method for a task and a model belongs to; None: it is no cell of the round."""
        return next((group for group in self.cells if group.takes(entry, task, model)), None)

    def places(self, track: Track) -> Iterator[tuple[str, str]]:
        """Every task and model (``""``: no model) of a track, each once."""
        pairs = [
            (t, m) for group in self.cells if group.track is track for t in group.tasks for m in group.models or ("",)
        ]
        yield from dict.fromkeys(pairs)


class Round(RoundRules):
    """A round that is open: its rules, and what is fixed by publishing it."""

    schema_version: Literal[1] = 1
    """Version of this format."""
    mibench: Line
    """Version of mibench that it was opened with."""
    opened: AwareDatetime
    """When it was."""
    tasks: dict[str, Positive]
    """Version of each task."""
    metrics: dict[str, Positive]
    """Version of each headline metric."""
    models: dict[str, Sha256]
    """Digest of each model, as records name it."""
    commitments: dict[SplitName, Sha256]
    """Digest of each private split and its salt: what is revealed after the round has to give it again."""

    def is_over(self, now: datetime) -> bool:
        """Whether the deadline has passed."""
        return now > self.deadline


def read_round(path: Path | str) -> Round:
    """Read a ``round.json``.

    Raises:
        UsageError: There is no such file.
        DataError: It is not one.
    """
    try:
        return Round.model_validate_json(read_text(path, max_bytes=MAX_ROUND_BYTES))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        why = f"{where + ': ' if where else ''}{first['msg']}"[:500]
        do = "Take the round.json that the organisers published."
        raise DataError(f"{path} is not the rules of a shared task.", why=why, do=do) from error
