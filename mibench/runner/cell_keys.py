"""What cells of a run, and single methods in them, do otherwise than the run."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mibench.core.sites import Component

Count = Annotated[int, Field(strict=True, ge=1)]
Layer = Annotated[int, Field(ge=0, le=9999)]
Context = Annotated[int, Field(strict=True, ge=2, le=1_048_576)]
HookName = Annotated[str, Field(min_length=1, max_length=200)]
Head = Annotated[str, Field(pattern=r"^\d{1,4}\.\d{1,4}$")]


class Keys(BaseModel):
    """Keys of a run file; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class _InnerKeys(Keys):
    """Keys inside a cell; hyphens do for underscores, as in the run's own."""

    @model_validator(mode="before")
    @classmethod
    def _with_underscores(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        named = {str(key).replace("-", "_"): one for key, one in value.items()}
        if len(named) < len(value):
            raise ValueError("a key stands twice, once with a hyphen")
        return named


def listed(value: object) -> object:
    """A list of one value, where it is no list."""
    return [value] if isinstance(value, str | int | float) else value


class MethodKeys(_InnerKeys):
    """What one method does otherwise in a cell."""

    set: dict[str, Any] = {}
    """Its parameters."""
    train_limit: Count | None = None
    """Training examples that it sees."""
    batch_size: Count | None = None
    """Pairs a batch."""
    batch_tokens: Count | None = None
    """Tokens a batch."""


class CellKeys(_InnerKeys):
    """One task on one model, with what it does otherwise than the run: the keys mean what they mean there."""

    task: str
    model: str
    device: str | None = None
    dtype: str | None = None
    attention: str | None = None
    limit: Count | None = None
    train_limit: Count | None = None
    batch_size: Count | None = None
    batch_tokens: Count | None = None
    padded: bool | None = None
    floor_draws: Annotated[int, Field(strict=True, ge=0, le=100)] | None = None
    variable: list[str] | None = None
    component: Component | None = None
    position: list[str] | None = None
    layer: list[Layer] | None = None
    heads: list[Head] | None = None
    hook: list[HookName] | None = None
    corpus: str | None = None
    context: Context | None = None
    train_tokens: Count | None = None
    by_method: dict[str, MethodKeys] = {}
    """What single methods do otherwise, by the name that the run gives them."""

    @field_validator("variable", "position", "layer", "heads", "hook", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return listed(value)

    @property
    def overrides(self) -> dict[str, Any]:
        """The run's keys that this cell sets."""
        return self.model_dump(exclude={"task", "model", "by_method"}, exclude_none=True)
