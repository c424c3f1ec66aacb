"""Curves that others have published, as data to compare with."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mibench.core.errors import DataError, UsageError
from mibench.core.files import is_file, read_text
from mibench.core.shipped import shipped_places
from mibench.core.specs import Convention, Level
from mibench.core.yaml_text import load_yaml
from mibench.graph.select import FRACTIONS

SHIPPED = {"published": "mib_gpt2_ioi.yaml"}
"""Files of ``data/published`` by the name that users write."""
MAX_BYTES = 1024 * 1024

_Part = ConfigDict(extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class PublishedRow(BaseModel):
    """What was published of one method."""

    model_config = _Part

    method: str
    """Its name here."""
    level: Level = Level.EDGE
    """What was scored."""
    params: dict[str, Any] = {}
    """Its parameters."""
    decides: bool = True
    """Whether the verdict rests on it; else it is shown beside."""
    faithfulness: list[float] | None = None
    """The curve at the file's fractions; None: not known."""
    n_edges: list[int] | None = None
    """Edges after pruning, likewise."""
    cpr: float | None = None
    """Area under the curve."""
    note: str = ""
    """What a reader has to know."""

    @model_validator(mode="after")
    def _can_decide(self) -> Self:
        if self.decides and self.faithfulness is None:
            raise ValueError(f"{self.method} is to decide and has no faithfulness")
        return self


class Published(BaseModel):
    """Curves of one task and model."""

    model_config = _Part

    source: str
    """Where the numbers are from."""
    task: str
    """Name of the task."""
    model: str
    """Name of the model."""
    dtype: str = "float32"
    """Type of the weights."""
    attention: str | None = None
    """Attention kernel; None: the model's default."""
    split: Literal["validation", "test", "train"] = "test"
    """Split that was evaluated."""
    limit: int | None = Field(None, ge=1)
    """Number of examples, the first of the split; None: all."""
    train_limit: int | None = Field(None, ge=1)
    """Training examples that methods saw."""
    convention: Convention = Convention.MIB
    """Whose rules."""
    ranking: Literal["signed", "absolute"] = "signed"
    """Which curve was published."""
    tolerance: float = Field(0.02, ge=0)
    """Largest difference of a point that passes."""
    fractions: list[float] = list(FRACTIONS)
    """Sizes of the circuits."""
    rows: list[PublishedRow] = Field(min_length=1)
    """The methods."""

    @model_validator(mode="after")
    def _curves_fit(self) -> Self:
        for row in self.rows:
            for values in (row.faithfulness, row.n_edges):
                if values is not None and len(values) != len(self.fractions):
                    raise ValueError(f"{row.method} has {len(values)} values for {len(self.fractions)} fractions")
        if not any(row.decides for row in self.rows):
            raise ValueError("no row decides")
        return self


def read_published(ref: str) -> Published:
    """Read published curves: ``published`` for those that come with mibench, or a file of the same form.

    Raises:
        UsageError: There is no such file.
        DataError: It does not have that form.
    """
    path = _shipped(SHIPPED[ref]) if ref in SHIPPED else Path(ref)
    try:
        return Published.model_validate(load_yaml(read_text(path, max_bytes=MAX_BYTES)))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        why = " ".join(str(error).split())
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            why = f"{place}: {first['msg']}" if place else first["msg"]
        do = f"Its keys are {', '.join(Published.model_fields)}."
        raise DataError(f"{path} does not hold published curves.", why=why, do=do) from error


def _shipped(name: str) -> Path:
    for place in shipped_places("data", "published", name):
        if is_file(place):
            return place
    raise UsageError("The published curves are not installed.", why=f"{name} is missing.", do="Install mibench again.")
