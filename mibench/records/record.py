"""What one cell gave: numbers with intervals, tables, cost, provenance, or the reason for failure."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from mibench.core.specs import Cell

SCHEMA_VERSION: Final = 2

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$", max_length=200)]
Text = Annotated[str, StringConstraints(min_length=1)]
Count = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0)]


class _Part(BaseModel):
    """An immutable part of a record; unknown fields, NaN and infinity are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class _WithInterval(_Part):
    """A part with a number and its interval, both ends or neither."""

    ci_low: float | None = None
    """Lower end of the 95 % interval."""
    ci_high: float | None = None
    """Upper end of the 95 % interval."""

    @model_validator(mode="after")
    def _interval_is_whole(self) -> Self:
        if (self.ci_low is None) != (self.ci_high is None):
            raise ValueError("ci_low and ci_high come together")
        if self.ci_low is not None and self.ci_high is not None and self.ci_low > self.ci_high:
            raise ValueError("ci_low is above ci_high")
        return self


class MetricValue(_WithInterval):
    """One number of a cell, with what is needed to read it."""

    value: float | None
    """The number; None where it is undefined."""
    reason: Text | None = None
    """Why there is no number; given exactly when value is None."""
    ci_source: Text | None = None
    """What was resampled: examples, seeds, discovery sets or data sets; None without an interval."""
    ci_reason: Text | None = None
    """Why a number has no interval, where it should have one."""
    n: Count | None = None
    """How many units of ci_source the number rests on."""
    floor: float | None = None
    """What an uninformed method reaches."""
    ceiling: float | None = None
    """What the best possible method reaches."""
    unit: str = ""
    """Unit of value; empty for a pure number."""
    higher_is_better: bool | None = None
    """Which way is better; None where neither is."""
    version: Annotated[int, Field(ge=1)] = 1
    """Version of the formula; numbers of different versions are not compared."""

    @model_validator(mode="after")
    def _is_explained(self) -> Self:
        if (self.value is None) != (self.reason is not None):
            raise ValueError("reason is given exactly when value is null")
        if (self.ci_low is None) != (self.ci_source is None):
            raise ValueError("ci_source is given exactly when there is an interval")
        if self.value is None and self.ci_low is not None:
            raise ValueError("a null value has no interval")
        if self.ci_low is not None and self.ci_reason is not None:
            raise ValueError("ci_reason is for a number without an interval")
        return self


class CurvePoint(_WithInterval):
    """One point of a curve over circuit sizes."""

    fraction: Amount
    """Requested fraction of the real edges (nodes, neurons)."""
    n_requested: Count
    """Requested number of edges (nodes, neurons)."""
    n_edges: Count
    """Edges left after pruning."""
    weighted_edges: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """The same with each weighing as much as the share of its source's neurons that is kept; None: not noted.

    Under the convention ``mib`` both count as MIB does, pairs that are no edges included."""
    value: float | None
    """Height of the curve; None where it is undefined, for the reason that the curve's metric gives."""


class TableRef(_Part):
    """A parquet table beside the record."""

    file: FileName
    """Name of the file, in the folder of the record."""
    sha256: Sha256
    """Digest of the file's bytes."""
    rows: Count
    """Number of rows."""


class ArtifactRef(_Part):
    """The artifact that was scored, beside the record."""

    file: FileName
    """Name of the file, in the folder of the record."""
    sha256: Sha256
    """Digest of the file's bytes."""


class Cost(_Part):
    """What the work took."""

    seconds: Amount
    """Wall-clock seconds."""
    cpu_seconds: Amount | None = None
    """Processor seconds of this process, all threads together."""
    peak_bytes: Count | None = None
    """Most memory at any time: of tensors on the fullest accelerator, or, without one, resident memory of this process;
    None where the system does not tell."""
    forward_passes: Amount = 0.0
    """Forward passes of one example through the whole model; a part of the layers counts as a fraction."""
    backward_passes: Amount = 0.0
    """Backward passes of one example through the whole model; a part of the layers counts as a fraction."""
    examples: Count = 0
    """Examples handled."""


class Provenance(_Part):
    """Where and how a record was made: what may move a number within the tolerance, and no further."""

    mibench: Text
    """Version of mibench."""
    git_commit: str | None = None
    """Commit of the working tree that mibench ran from; None for an installed package."""
    git_dirty: bool | None = None
    """Whether that tree had uncommitted changes."""
    git_remote: str | None = None
    """Its origin, without credentials."""
    python: Text
    """Version of Python."""
    platform: Text
    """Operating system and machine type."""
    packages: dict[str, str] = {}
    """Versions of the packages that mibench depends on."""
    device: Text = "cpu"
    """Device the model ran on."""
    device_name: str | None = None
    """Product name of an accelerator."""
    cpu: str | None = None
    """Product name of the processor."""
    threads: Annotated[int, Field(ge=1)] | None = None
    """Threads of one operation."""
    batch_size: Annotated[int, Field(ge=1)] | None = None
    """Examples a batch, at most."""
    batch_tokens: Annotated[int, Field(ge=1)] | None = None
    """Tokens a batch, at most."""
    padded: bool | None = None
    """Whether a batch held several lengths, padded."""
    executor: Text = "serial"
    """Executor of the run."""
    attempt: Annotated[int, Field(ge=1)] = 1
    """Which try of the cell it is, after workers were lost at it."""
    determinism: dict[str, bool | str] = {}
    """Flags and environment variables that decide whether a repeat gives the same bits."""
    command: list[str] = []
    """Command line, secrets removed."""
    created_at: AwareDatetime
    """When the record was made."""
    tolerance: Amount | None = None
    """Relative difference within which all of the above may move a number."""


class FormerValue(_WithInterval):
    """A number of an earlier version of a metric's formula, from the same tables."""

    version: Annotated[int, Field(ge=1)]
    """Version of the formula."""
    value: float | None
    """The number; None where it was undefined."""
    replaced_at: AwareDatetime
    """When the number of a newer version took its place."""


class Volatile(_Part):
    """What may differ between two runs of one cell; left out of byte comparisons."""

    cost: Cost | None = None
    """What the work took, method and scoring together."""
    discovery: Cost | None = None
    """What the method took by itself; None where the artifact was handed in."""
    provenance: Provenance | None = None
    """Where and how the record was made."""
    reused_from: Text | None = None
    """Store that the record was taken from; None: made by this run."""
    reused_since: AwareDatetime | None = None
    """When the reused record was made."""
    former: dict[str, list[FormerValue]] = {}
    """Numbers that `mibench rescore` replaced, by metric name, oldest first; a run of the cell has none."""


class Problem(_Part):
    """Why a cell gave no numbers."""

    what: Text
    """What happened."""
    why: str
    """The cause."""
    do: str
    """What the user can do about it."""


class DictionaryFacts(_Part):
    """What a scored dictionary is."""

    architecture: Text
    """How it was trained; with widths and recipe, its family."""
    transcoder: Literal["skip", "plain"] | None = None
    """Whether it reconstructs something else than it reads, with or without a linear skip."""
    d_in: Count
    """Entries of what it reads."""
    d_sae: Count
    """Number of latents."""
    sha256: Sha256
    """Digest of what it computes, and where."""
    train_tokens: Count | None = None
    """Activations that it was trained on; None: not stated."""
    train_corpus: str | None = None
    """Text that it was trained on; None: not stated."""
    seed: int | None = None
    """Seed of its training; None: not stated."""


class RunRecord(_Part):
    """What one cell gave."""

    schema_version: Literal[2] = SCHEMA_VERSION
    """Version of this format."""
    cell: Cell
    """What fixes the numbers."""
    status: Literal["ok", "failed", "skipped"]
    """Whether the cell gave numbers."""
    metrics: dict[str, MetricValue] = {}
    """Numbers by metric name."""
    curves: dict[str, list[CurvePoint]] = {}
    """Curves by name, such as faithfulness_signed."""
    tables: dict[str, TableRef] = {}
    """Per-example tables by name."""
    artifact: ArtifactRef | None = None
    """What the method handed in."""
    looks_at_test: Count | None = None
    """How often this method was scored on this test split, this time included; None off the test split."""
    board: Text | None = None
    """Board of its own, such as control: shown there, and not ranked with the others; None: it is ranked."""
    dictionary: DictionaryFacts | None = None
    """What the scored dictionary is, in the SAE track."""
    floor_draws: Count | None = None
    """Random rankings whose mean the floors are; 0: the floors are declared; None: the record is such a draw."""
    volatile: Volatile = Volatile()
    """What may differ between two runs of the cell."""
    problem: Problem | None = None
    """Why there are no numbers; given exactly when status is not ok."""

    @model_validator(mode="after")
    def _failure_is_explained(self) -> Self:
        if (self.status == "ok") != (self.problem is None):
            raise ValueError("problem is given exactly when status is not ok")
        return self


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of a record."""
    return RunRecord.model_json_schema()
