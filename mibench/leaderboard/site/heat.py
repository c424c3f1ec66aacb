"""A map as a table of shaded numbers: of a causal variable's sites, or of what a circuit's heads carry."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mibench.artifacts.circuit import CircuitScores, FloatArray
from mibench.core.specs import Level
from mibench.leaderboard.text import plain
from mibench.metrics.variable.maps import SiteMap, SiteMaps

_FAINTEST = 0.1
"""Magnitude of the darkest shade, at least: noise does not look like a finding."""
MOST_COLUMNS = 64
"""A wider map would not be read."""


@dataclass(frozen=True)
class HeatCell:
    """A number as text, how dark it is (0 to 1), its sign, and whether it is separable from 0 and was chosen."""

    text: str
    shade: float = 0.0
    negative: bool = False
    known: bool = False
    chosen: bool = False


@dataclass(frozen=True)
class Heat:
    """A map, the last layer first.

    Attributes:
        title: What it is of.
        columns: Names of the columns.
        rows: Layer, then its cells.
        notes: What the marks mean, and what is on no map.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[HeatCell, ...]], ...]
    notes: tuple[str, ...] = ()


def site_heats(maps: SiteMaps) -> list[Heat]:
    """Return the maps of a causal variable's sites, all on one scale; the ones of single sets are left out."""
    if len(maps.columns) > MOST_COLUMNS:
        return []
    notes = ["bold: the 95 % interval leaves out 0"] if maps.maps[0].separable is not None else []
    notes += ["outlined: chosen on validation"] if maps.chosen else []
    notes += [f"{plain(name, 80)} together: {value:+.2f}" for name, value in maps.joint]
    return [_site_heat(one, maps, tuple(notes)) for one in maps.maps[:3]]


def _site_heat(one: SiteMap, maps: SiteMaps, notes: tuple[str, ...]) -> Heat:
    largest = max(maps.largest, _FAINTEST)

    def cell(row: int, column: int) -> HeatCell:
        value = float(one.values[row, column])
        known = one.separable is not None and bool(one.separable[row, column])
        shown = _cell(value, largest)
        return HeatCell(shown.text, shown.shade, shown.negative, known, maps.chosen == (row, column))

    rows = [
        (f"{layer}", tuple(cell(row, column) for column in range(len(maps.columns))))
        for row, layer in enumerate(maps.layers)
    ]
    title = f"{maps.meaning}, {plain(one.name, 60)} (n = {one.n})"
    return Heat(title, tuple(plain(name, 40) for name in maps.columns), tuple(reversed(rows)), notes)


def _cell(value: float, largest: float) -> HeatCell:
    if not math.isfinite(value):
        return HeatCell("")
    text = f"{abs(value):.2f}".removeprefix("0")
    negative = value < 0 and text != ".00"
    return HeatCell(f"−{text}" if negative else text, round(min(1.0, abs(value) / largest), 3), negative)


def circuit_heat(scores: CircuitScores) -> Heat | None:
    """Return the sum of the magnitudes of the scores that leave each head and MLP, as shares of the largest.

    None where there are more heads than a table shows.
    """
    graph, totals = scores.graph, _totals(scores)
    if graph.n_heads + 1 > MOST_COLUMNS or not totals.any():
        return None
    shares = totals / totals.max()
    rows = []
    for layer in reversed(range(graph.n_layers)):
        places = [*(graph.head_row(layer, head) for head in range(graph.n_heads)), graph.mlp_row(layer)]
        rows.append((str(layer), tuple(_cell(float(shares[place]), 1.0) for place in places)))
    columns = (*(str(head) for head in range(graph.n_heads)), "MLP")
    title = "Sum of |score| of what leaves each head and MLP, as a share of the largest"
    return Heat(title, columns, tuple(rows), (f"input: {shares[0]:.2f}",))


def _totals(scores: CircuitScores) -> FloatArray:
    """Magnitudes by source, ``[n_sources]``."""
    magnitudes = np.abs(scores.scores.astype(np.float64))
    return magnitudes if scores.level is Level.NODE else magnitudes.sum(axis=1)


def top_scores(scores: CircuitScores, most: int) -> Sequence[tuple[str, float]]:
    """Return the largest scores by magnitude, named; equal ones in the order of the graph."""
    flat = scores.scores.ravel().astype(np.float64)
    kept = np.where(scores.scored.ravel(), np.abs(flat), -1.0)
    order = [int(index) for index in np.argsort(-kept, kind="stable")[:most] if kept[index] > 0]
    return [(_name(scores, index), float(flat[index])) for index in order]


def _name(scores: CircuitScores, index: int) -> str:
    graph = scores.graph
    if scores.level is Level.NODE:
        return graph.source_names[index]
    source, place = divmod(index, scores.scores.shape[1])
    target = graph.destination_names[place] if scores.level is Level.EDGE else f"neuron {place}"
    return f"{graph.source_names[source]} → {target}"
