"""How a metric is declared: one decorator with literal arguments, found by the registry without an import."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, Literal, NotRequired, ParamSpec, Required, TypedDict, TypeVar, Unpack

from mibench.core.registry import Registry
from mibench.metrics.faithfulness import FloatArray

P = ParamSpec("P")
R = TypeVar("R")

RankingName = Literal["signed", "absolute"]
Quantity = Literal["faithfulness", "accuracy", "kl", "complement", "minimality", "sites"]
"""What is measured of the circuits of an artifact; ``sites``: interchange interventions at the sites of one."""

METRICS = Registry(kind="metric", package="mibench.metrics")


class Declaration(TypedDict, total=False):
    """What a metric declares about itself.

    Attributes:
        name: Key of the metric in a record.
        version: Rises whenever the formula changes.
        track: ``circuit``, ``variable`` or ``sae``.
        unit: What one unit of the value is; empty for a pure number.
        higher_is_better: Direction; None: neither end is better.
        of: What a metric is computed from; without it, the metric is not one of a record's tables.
        ranking: How the edges were ordered; without it, the order does not matter.
        mib_grid: Whether the metric is defined at MIB's ten sizes only.
        size: Requested fraction of the one circuit that is looked at, for ``minimality``.
        floor: Value of a result that carries nothing.
        exact_floor: The metric itself gives its floor, exactly: none is measured.
        diagnostic: It tells something about a result, not how good it is.
        ceiling: Value of a perfect result.
    """

    name: Required[str]
    version: Required[int]
    track: Required[str]
    unit: Required[str]
    higher_is_better: Required[bool | None]
    of: NotRequired[Quantity]
    ranking: NotRequired[RankingName]
    mib_grid: NotRequired[bool]
    size: NotRequired[float]
    floor: NotRequired[float]
    exact_floor: NotRequired[bool]
    diagnostic: NotRequired[bool]
    ceiling: NotRequired[float]


@dataclass(frozen=True)
class Metric(Generic[P, R]):
    """A function with its declaration (fields as in `Declaration`); calling it calls the function."""

    compute: Callable[P, R]
    name: str
    version: int
    track: str
    unit: str
    higher_is_better: bool | None
    of: Quantity | None = None
    ranking: RankingName | None = None
    mib_grid: bool = False
    size: float | None = None
    floor: float | None = None
    exact_floor: bool = False
    diagnostic: bool = False
    ceiling: float | None = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Compute the metric."""
        return self.compute(*args, **kwargs)

    @property
    def doc(self) -> str:
        """Docstring of the function: formula, range, direction, source."""
        return self.compute.__doc__ or ""


CircuitMetric = Metric[[Any], FloatArray]
"""A metric of what ``of`` names (`mibench.metrics.measured`): ``[..., points]`` to values ``[...]``."""


def metric(**declared: Unpack[Declaration]) -> Callable[[Callable[P, R]], Metric[P, R]]:
    """Register the decorated function as a metric; the registry parses it, so arguments are literals."""

    def register(compute: Callable[P, R]) -> Metric[P, R]:
        return Metric(compute, **declared)

    return register


@cache
def table_metrics() -> tuple[CircuitMetric, ...]:
    """Return every registered metric that is computed from the tables of a circuit, by name."""
    loaded = [
        component.load()
        for component in METRICS.components.values()
        if component.metadata.get("track", "circuit") == "circuit"
    ]
    return tuple(found for found in loaded if isinstance(found, Metric) and found.of is not None)
