"""The manifest of a submission, ``submission.yaml``: who, what, and which file is scored in which cells."""

from __future__ import annotations

import json
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from mibench.core.files import MIB
from mibench.core.specs import Frozen, Level, Params, Track
from mibench.intake.names import MAX_NAME, MAX_PATH, NAME_PATTERN, folder_name, name_fault, path_fault
from mibench.intake.rules import Rules

MANIFEST = "submission.yaml"
SCHEMA_VERSION = 1
FILL_IN = "FILL-IN"
"""Stands in a template where only its writer knows."""
MAX_ARTIFACTS = 1000
MAX_METHODS = 100
MAX_CODE_BYTES = MIB
CODE_SUFFIX = ".py"
MAX_CELLS = 200
SUFFIXES = {Track.CIRCUIT: (".safetensors", ".json"), Track.VARIABLE: (".safetensors",), Track.SAE: (".safetensors",)}
"""What artifacts of each track are: data, never code."""


def _checked_name(value: str) -> str:
    why = name_fault(value)
    if why:
        raise ValueError(why)
    return value


def _checked_path(value: str) -> str:
    why = path_fault(value)
    if why:
        raise ValueError(why)
    return value


def _checked_line(value: str) -> str:
    """One line of text that shows as it is: characters that steer a terminal or the direction of text are none."""
    odd = next((char for char in value if not char.isprintable()), None)
    if odd is not None:
        raise ValueError(f"It has the character U+{ord(odd):04X}, which is not printed.")
    if not value.strip():
        raise ValueError("It is empty.")
    if value.strip() == FILL_IN:
        raise ValueError("It is not filled in.")
    return value


Name = Annotated[str, AfterValidator(_checked_name), Field(json_schema_extra={"pattern": NAME_PATTERN})]
FilePath = Annotated[str, AfterValidator(_checked_path), Field(min_length=1, max_length=MAX_PATH)]
Line = Annotated[str, AfterValidator(_checked_line), Field(min_length=1, max_length=200)]
Url = Annotated[str, AfterValidator(_checked_line), Field(pattern=r"^https?://[!-~]+$", max_length=500)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(strict=True, ge=0, le=2**53)]


class TrainingData(Frozen):
    """What the artifacts were made from."""

    splits: tuple[Literal["train", "validation", "test"], ...]
    """Splits of mibench's tasks that were used in any way, choosing of settings included."""
    other: Line | None = None
    """Data other than that: texts, prompts, labels."""


class HubFile(Frozen):
    """A file of a hub repository, for artifacts that are too large to be handed in themselves."""

    repo: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}$")]
    """``organisation/name``."""
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    """Full commit hash: branches and tags can move."""
    path: FilePath
    """Path of the file in the repository."""


class CellEntry(Frozen):
    """Cells of a submission: one track, tasks × models, and what tells them from others of the same names."""

    LISTED: ClassVar[str]
    """Key of the list that it stands in."""

    track: Track
    """circuit, variable or sae."""
    tasks: Annotated[tuple[Line, ...], Field(min_length=1, max_length=MAX_CELLS)]
    """Tasks; see mibench list tasks."""
    models: Annotated[tuple[Line, ...], Field(max_length=MAX_CELLS)]
    """Models; see mibench list models. Empty for generated data, which need none."""
    level: Level | None = None
    """What is scored, of circuits: edge, node or neuron."""
    variable: Line | None = None
    """Causal variable, of featurizers; several that are interchanged together are joined by ``+``."""
    hook: Line | None = None
    """Where a dictionary reads, such as residual-post.L12; a->b of a transcoder."""
    seed: Count | None = None
    """Seed of the method; none: it draws nothing."""

    @model_validator(mode="after")
    def _of_its_track(self) -> Self:
        given = {key: track for key, track in _OF_TRACK.items() if getattr(self, key, None) is not None}
        foreign = [key for key, track in given.items() if track != self.track]
        if foreign:
            raise ValueError(f"'{foreign[0]}' is for the track {_OF_TRACK[foreign[0]]}, this is {self.track}.")
        needed = {Track.CIRCUIT: "level", Track.VARIABLE: "variable"}.get(self.track)
        if needed is not None and getattr(self, needed) is None:
            raise ValueError(f"The track {self.track} needs '{needed}'.")
        if not self.models and self.track is not Track.SAE:
            raise ValueError("'models' is empty.")
        return self

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Each of its tasks with each of its models (``""``: no model)."""
        return [(task, model) for task in self.tasks for model in self.models or ("",)]

    @property
    def cells(self) -> list[tuple[object, ...]]:
        """What is scored of it; no two entries of a submission may be for the same."""
        own = (self.level, self.variable, self.hook, self.seed, *self.apart)
        return [(self.track, task, model, *own) for task, model in self.pairs]

    @property
    def apart(self) -> tuple[object, ...]:
        """What else tells it from others with the same cells."""
        return ()

    @property
    def identity(self) -> list[tuple[object, ...]]:
        """What no other entry may have, besides its cells."""
        return []


class ArtifactEntry(CellEntry):
    """One artifact: a file, and the cells that it is scored in (tasks × models)."""

    LISTED: ClassVar[str] = "artifacts"

    budget: Annotated[float, Field(gt=0, le=1)] | None = None
    """Of one circuit in place of a ranking: the largest share of the graph's edges that it may have."""
    file: FilePath | None = None
    """Path of the file inside this folder."""
    hub: HubFile | None = None
    """A file of the hub, in place of ``file``."""
    sha256: Sha256
    """Digest of the file's bytes."""
    bytes: Annotated[int, Field(strict=True, gt=0, le=2**40)]
    """Their number."""

    @model_validator(mode="after")
    def _one_file(self) -> Self:
        if (self.file is None) == (self.hub is None):
            raise ValueError("Give either file or hub, not both.")
        if not self.path.lower().endswith(SUFFIXES[self.track]):
            raise ValueError(f"'{self.path}' is no {' or '.join(SUFFIXES[self.track])} file.")
        return self

    @property
    def path(self) -> str:
        """Path of the file, here or on the hub."""
        return self.file or (self.hub.path if self.hub is not None else "")

    @property
    def apart(self) -> tuple[object, ...]:
        """The size of one circuit."""
        return (self.budget,)

    @property
    def identity(self) -> list[tuple[object, ...]]:
        """Its bytes, and where they are."""
        return [("sha256", self.sha256), ("file", self.path, self.hub)]


class CodeEntry(CellEntry):
    """One method: a function of a Python file, run for each of its tasks on each of its models."""

    LISTED: ClassVar[str] = "methods"

    file: FilePath
    """Path of the file inside this folder; it may import others that are listed and lie beside it."""
    function: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
    """Name of the function, which takes a view and returns the artifact; the file has the line ``def NAME(``."""
    parameters: Params = Field(default_factory=dict)
    """Its parameters."""
    sha256: Sha256
    """Digest of the file's bytes."""
    bytes: Annotated[int, Field(strict=True, gt=0, le=MAX_CODE_BYTES)]
    """Their number."""

    @model_validator(mode="after")
    def _is_python(self) -> Self:
        if not self.file.endswith(CODE_SUFFIX):
            raise ValueError(f"'{self.file}' is no {CODE_SUFFIX} file.")
        return self

    @property
    def path(self) -> str:
        """Path of the file."""
        return self.file


_OF_TRACK = {"level": Track.CIRCUIT, "budget": Track.CIRCUIT, "variable": Track.VARIABLE, "hook": Track.SAE}
"""Keys of an entry that belong to one track."""


class Head(Frozen):
    """Everything of a manifest but its artifacts and methods."""

    schema_version: Literal[1]
    """Version of this format."""
    team: Name
    """Who hands in, a short name: ASCII letters, digits, - and dots."""
    method: Name
    """Name of the method, likewise."""
    version: Name
    """Version of the submission, likewise; in quotes where it looks like a number."""
    supersedes: Name | None = None
    """Version of the same team and method that this one takes the place of."""
    authors: Annotated[tuple[Line, ...], Field(min_length=1, max_length=200)]
    """People, as they are to be shown."""
    contact: Line
    """Where questions go: an address or a page."""
    paper: Url | None = None
    """Page of the paper."""
    code: Url | None = None
    """Page of the code."""
    licence: Line
    """Licence of the artifacts, as SPDX writes it."""
    description: Line
    """The method in one line."""
    tracks: Annotated[tuple[Track, ...], Field(min_length=1, max_length=len(Track))]
    """Tracks of the artifacts."""
    parameters: Params = Field(default_factory=dict)
    """Parameters of the method that hold for all artifacts."""
    training_data: TrainingData
    """What the artifacts were made from."""
    boards: tuple[Literal["mib"], ...] = ()
    """Boards that ask for several cells and that this is to be ranked on; mib: 2 tasks and 2 models."""

    @model_validator(mode="after")
    def _another_version(self) -> Self:
        if self.supersedes == self.version:
            raise ValueError("'supersedes' is the version itself; it names an older one.")
        return self

    @property
    def name(self) -> str:
        """Name of the submission's folder."""
        return folder_name(self.team, self.method, self.version)


class Submission(Head):
    """A manifest."""

    artifacts: Annotated[tuple[ArtifactEntry, ...], Field(max_length=MAX_ARTIFACTS)] = ()
    """What is handed in."""
    methods: Annotated[tuple[CodeEntry, ...], Field(max_length=MAX_METHODS)] = ()
    """In place of artifacts: methods that make them, where code is taken."""
    made_from: Sha256 | None = None
    """Of artifacts that mibench submit make made: sha256 of the manifest with the methods."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if self.methods and self.artifacts:
            raise ValueError("It has artifacts and methods; hand in one submission of each kind.")
        if not self.methods and not self.artifacts:
            raise ValueError("'artifacts' is empty.")
        if self.methods and self.made_from is not None:
            raise ValueError("'made_from' is for artifacts that were made, and this holds methods.")
        return self

    @property
    def entries(self) -> tuple[CellEntry, ...]:
        """Its artifacts, or its methods."""
        return self.methods or self.artifacts


def schema_text() -> str:
    """Return the JSON schema of a manifest, as it is published beside this module."""
    schema = Submission.model_json_schema()
    limits = (
        f"At most {Rules().file_bytes} bytes a file and {Rules().total_bytes} in all. Names: {MAX_NAME} characters."
    )
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$comment": limits} | schema
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
