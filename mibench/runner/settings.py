"""What a run is asked to do: the keys of RUN.yaml, which are the flags of ``mibench run``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from mibench.core.errors import DataError, UsageError
from mibench.core.files import check_name, existing_file, is_file, read_text
from mibench.core.names import did_you_mean
from mibench.core.shipped import shipped_places
from mibench.core.specs import Ablation, Convention, Level
from mibench.core.yaml_text import load_yaml

MAX_RUN_FILE_BYTES = 1024 * 1024


class RunSettings(BaseModel):
    """One run: tasks × models × methods × seeds under one set of conventions."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    task: list[str] = Field(min_length=1)
    """Tasks: registered names or pairs files."""
    model: list[str] = ["smollm2-135m"]
    """Models: catalogue names, folders, or hub/id@revision."""
    method: list[str] = []
    """Methods: registered names, file.py:function, or 'cmd: …'."""
    against: list[str] = []
    """Methods that the others are compared with."""
    set: dict[str, Any] = {}
    """Parameters by name, for the methods that have them; method.name for one method."""
    level: Level = Level.EDGE
    """What is scored."""
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
    floor_draws: int = Field(5, strict=True, ge=0, le=100)
    """Random rankings that measure the floor; 0: the floor is that of a dead circuit."""
    only: Literal["missing", "failed", "all"] = "missing"
    """Run cells without a good record, those that failed, or all."""
    out: Path = Path("mibench-records")
    """Folder of the records."""
    executor: Literal["serial"] = "serial"
    """What runs the cells."""

    @field_validator("task", "model", "method", "against", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @property
    def methods(self) -> list[str]:
        """Methods to run, those compared with included, each once."""
        return list(dict.fromkeys([*self.method, *self.against]))

    @property
    def train_examples(self) -> int | None:
        """Limit of training examples."""
        return self.train_limit or self.limit


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
        if first["type"] == "missing":
            do = f"Add --{place}; see mibench list {place}s."
            raise UsageError(f"No {place} is given.", why="At least one is needed.", do=do) from error
        raise UsageError(
            f"The setting '{place}' does not fit.", why=first["msg"], do="See mibench run --help."
        ) from error
    check_name(settings.out)
    return settings
