"""Passes that methods and their scoring take of an example, from the records of this repository."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mibench.core.sites import Component
from mibench.core.specs import Level, Track
from mibench.records.record import Cost, RunRecord
from mibench.records.store import Store

RECORDS = Path(__file__).parents[1] / "leaderboard" / "records"
N_LAYERS = 30
"""Of the model of the records."""
LIKE = {"arithmetic-addition": "arithmetic-digit", "ravel": "ravel", "ioi": "ioi"}
"""Our tasks that stand for MIB's, by MIB's."""
SUFFIX = {"mcqa": (0.33, 0.31, 0.03), "arc-easy": (0.33, 0.013)}
"""Assumed share of a prompt's tokens from each position on, where there are no records."""


@dataclass(frozen=True)
class CircuitPasses:
    """Of one example.

    Attributes:
        forward: Forward passes of a training example.
        backward: Backward passes of a training example.
        scoring: Forward passes of a test example, for both curves.
    """

    forward: float
    backward: float
    scoring: float


@dataclass(frozen=True)
class VariablePasses:
    """Parts of a pass that interchange interventions take.

    Attributes:
        step: Of a row in a step of training at one site, forward; backward as much.
        scoring: Of a row, for each site or group of sites.
        measured: Whether records say so; else it is estimated from positions.
    """

    step: float
    scoring: float
    measured: bool


def circuit_passes() -> dict[str, CircuitPasses]:
    """By method, on IOI with edges; medians where there are several records."""
    found: dict[str, list[CircuitPasses]] = {}
    for record, discovery, scoring in _costs(Track.CIRCUIT):
        cell = record.cell
        if cell.level is Level.EDGE and cell.task.limit:
            shown = cell.task.train_limit or 1
            passes = discovery.forward_passes / shown, discovery.backward_passes / shown, scoring / cell.task.limit
            found.setdefault(cell.method.name, []).append(CircuitPasses(*passes))
    return {
        name: CircuitPasses(*map(statistics.median, zip(*map(_fields, each), strict=True)))
        for name, each in found.items()
    }


def variable_passes() -> dict[str, VariablePasses]:
    """By task of MIB, from distributed alignment search."""
    found = {task: _of_positions(shares) for task, shares in SUFFIX.items()}
    for record, discovery, scoring in _costs(Track.VARIABLE):
        cell, variable = record.cell, record.cell.variable
        names = [name for name, like in LIKE.items() if cell.task.name == like]
        heads = variable is not None and variable.component is Component.HEAD
        if not names or cell.method.name != "das" or variable is None or heads != (names[0] == "ioi"):
            continue
        groups = len(variable.heads) + 1 if heads else N_LAYERS * len(variable.positions)
        seen = discovery.examples * int(cell.method.params["epochs"]) * (1 if heads else groups)
        tested = record.volatile.cost.examples if record.volatile.cost else 1
        found[names[0]] = VariablePasses(discovery.backward_passes / seen, scoring / tested / groups, measured=True)
    return found


def _of_positions(shares: tuple[float, ...]) -> VariablePasses:
    """Half of the layers on average, and the tokens from the position on."""
    part = statistics.fmean(shares) / 2
    return VariablePasses(part, part, measured=False)


def _costs(track: Track) -> Iterator[tuple[RunRecord, Cost, float]]:
    """Records of a track with what discovery took, and the forward passes of scoring."""
    for record in Store(RECORDS).query():
        cost, discovery = record.volatile.cost, record.volatile.discovery
        if record.cell.track is track and record.status == "ok" and cost is not None and discovery is not None:
            yield record, discovery, cost.forward_passes - discovery.forward_passes


def _fields(passes: CircuitPasses) -> tuple[float, float, float]:
    return passes.forward, passes.backward, passes.scoring
