"""Parameters that trained methods share, and what stands for them by default."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from mibench.methods.alignment.masks import Sweep
from mibench.methods.variable_view import VariableView
from mibench.tasks.variable_task import Training


def _unset(value: Any) -> Any:
    return None if value in {"None", "none", ""} else value


def _numbers(value: Any) -> Any:
    if isinstance(value, str):
        return [part for part in value.strip("()[] ").split(",") if part.strip()]
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else value


_Unset = BeforeValidator(lambda value: _unset(value) if isinstance(value, str) else value)
Count = Annotated[Annotated[int, Field(ge=1, le=100_000)] | None, _Unset]
"""A whole number from 1, or None (also as text): the task's default."""
Rate = Annotated[Annotated[float, Field(gt=0, le=100)] | None, _Unset]
"""A learning rate, or None: the task's default."""
Sparsities = Annotated[
    tuple[Annotated[float, Field(ge=0, le=1e6)], ...], BeforeValidator(_numbers), Field(min_length=1, max_length=100)
]
"""Numbers from 0; a text has commas between them."""
Variant = Literal["mibench", "mib"]
"""Whose way of computing: what is meant, or what MIB's code does."""


def training_of(view: VariableView, epochs: int | None, batch: int | None, lr: float | None) -> Training:
    """The task's defaults of training, with those values in their place that are not None."""
    given = view.training
    return Training(
        epochs=given.epochs if epochs is None else epochs,
        batch=given.batch if batch is None else batch,
        lr=given.lr if lr is None else lr,
    )


def sweep_of(sparsities: Sequence[float], variant: Variant, training: Training) -> Sweep:
    """The prices that are tried, each once; MIB's only one is 0."""
    return Sweep(training, (0.0,) if variant == "mib" else tuple(sorted(set(sparsities))))
