"""Where a causal variable was found: maps of layers × positions (or heads), one over all sets and one for each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mibench.metrics.variable.maps import SiteMap, SiteMaps
from mibench.plots.style import INKS, Inks, Picture, Theme, picture, short

_LONGEST_TITLE, _LONGEST_LABEL = 64, 18
_WIDEST = 13.0
_NUMBERED_COLUMNS = 8
"""Maps with more columns have square cells without numbers."""
_LARGEST = 48
"""Layers or columns that get a label each."""
_FAINTEST = 0.1
"""Magnitude that the darkest colour stands for, at least: noise does not look like a finding."""
_HEAD, _GAP, _EDGE, _BAR, _NAME = 0.95, 0.22, 0.62, 0.95, 0.45
"""Inches above the maps, between them, left and right of them, and above each further row of maps."""
_LETTER = 0.068
"""Inches a letter of a map's name."""


@dataclass(frozen=True)
class _Plan:
    """How maps are laid out, in inches, and in which colours.

    Attributes:
        maps: What is drawn.
        inks: Inks of the page.
        cell: Width and height of a cell.
        across: Maps beside each other.
        labels: Names of the columns.
        numbers: Whether cells hold their number.
    """

    maps: SiteMaps
    inks: Inks
    cell: tuple[float, float]
    across: int
    labels: tuple[str, ...]
    numbers: bool

    @property
    def map(self) -> tuple[float, float]:
        """Width and height of a map."""
        return len(self.maps.columns) * self.cell[0], len(self.maps.layers) * self.cell[1]

    @property
    def slanted(self) -> bool:
        """Whether a column's name is wider than the column."""
        return max(map(len, self.labels)) * _LETTER > self.cell[0] + 0.05

    @property
    def under(self) -> float:
        """Height of the names of the columns."""
        return 0.2 + (0.045 * max(map(len, self.labels)) if self.slanted else 0.1 + 0.15 * (self.maps.axis == "head"))

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the picture."""
        (width, height), down = self.map, math.ceil(len(self.maps.maps) / self.across)
        across = _EDGE + self.across * (width + _GAP) + _BAR
        return max(4.6, across), _HEAD + down * (height + self.under) + (down - 1) * _NAME + 0.3

    def place(self, index: int) -> tuple[float, float, float, float]:
        """Left, bottom, width and height of a map, as shares of the picture."""
        (width, height), (all_width, all_height) = self.map, self.size
        row, column = divmod(index, self.across)
        bottom = all_height - _HEAD - (row + 1) * height - row * (self.under + _NAME)
        left = _EDGE + column * (width + _GAP)
        return left / all_width, bottom / all_height, width / all_width, height / all_height


def heat_map_picture(maps: SiteMaps, title: str, *, theme: Theme = "light") -> Picture:
    """Draw every map with layers from bottom to top, blue above and orange below zero, all on one scale.

    The site that was chosen on validation is outlined. Bold numbers are separable from 0; hatched places have no
    site.
    """
    plan = _planned(maps, INKS[theme])
    norm, colour_map = _colours(plan)
    with picture(plan.size, plan.inks) as drawing:
        drawing.figure.set_layout_engine("none")
        for index, one in enumerate(maps.maps):
            axes = drawing.figure.add_axes(plan.place(index))
            _cells(axes, one, plan, {"norm": norm, "cmap": colour_map})
            if plan.numbers:
                _numbers(axes, one, [colour_map(norm(value)) for value in one.values.ravel().tolist()])
            _dress(axes, one, plan, first=index % plan.across == 0)
        _words(drawing.figure, title, plan)
        _bar(drawing.figure, ScalarMappable(norm, colour_map), plan)
    return drawing


def _planned(maps: SiteMaps, inks: Inks) -> _Plan:
    rows, columns = len(maps.layers), len(maps.columns)
    numbers = columns <= _NUMBERED_COLUMNS and rows <= _LARGEST
    square = min(0.235, 8.0 / max(rows, columns))
    cell = (0.62, 0.225) if numbers else (square, square)
    room = _WIDEST - _EDGE - _BAR
    fitting = max(1, int((room + _GAP) / (columns * cell[0] + _GAP)))
    across = math.ceil(len(maps.maps) / math.ceil(len(maps.maps) / fitting))
    names = [name.removeprefix("head ") if maps.axis == "head" else name for name in maps.columns]
    return _Plan(maps, inks, cell, across, tuple(short(name, _LONGEST_LABEL) for name in names), numbers)


def _colours(plan: _Plan) -> tuple[Normalize, LinearSegmentedColormap]:
    """From one hue over the paper to the other; lightness alone tells how much."""
    largest, inks = max(plan.maps.largest, _FAINTEST), plan.inks
    ends = ("#5A2300", "#002A47") if inks.paper == "#FFFFFF" else ("#FFE3B3", "#D6EEFF")
    stops = [ends[0], inks.negative, inks.paper, inks.positive, ends[1]]
    return Normalize(-largest, largest), LinearSegmentedColormap.from_list("difference", stops)


def _cells(axes: Axes, one: SiteMap, plan: _Plan, colours: dict[str, Any]) -> None:
    inks, (rows, columns) = plan.inks, one.values.shape
    hatched: dict[str, Any] = {"facecolor": inks.paper, "edgecolor": inks.grey + "70", "hatch": "////", "linewidth": 0}
    axes.add_patch(Rectangle((-0.5, -0.5), columns, rows, **hatched))
    grid = np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5
    axes.pcolormesh(*grid, np.ma.masked_invalid(one.values), linewidth=0.5, edgecolor=inks.grey + "40", **colours)
    if plan.maps.chosen:
        row, column = plan.maps.chosen
        outline: dict[str, Any] = {
            "fill": False,
            "edgecolor": inks.ink,
            "linewidth": 1.8,
            "zorder": 5,
            "clip_on": False,
        }
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, **outline))


def _numbers(axes: Axes, one: SiteMap, colours: list[tuple[float, ...]]) -> None:
    for ((row, column), value), colour in zip(np.ndenumerate(one.values), colours, strict=True):
        if np.isfinite(value):
            told = one.separable is not None and bool(one.separable[row, column])
            style: dict[str, Any] = {"weight": "bold"} if told else {"alpha": 0.75}
            style |= {"ha": "center", "va": "center", "fontsize": 7.5, "color": _readable(colour)}
            axes.text(column, row, _short(value), **style)


def _short(value: float) -> str:
    """Such as .42 or −.07; what rounds to zero has no sign."""
    text = f"{abs(value):.2f}"
    sign = "\N{MINUS SIGN}" if value < 0 and float(text) else ""
    return sign + text.removeprefix("0")


def _readable(colour: tuple[float, ...]) -> str:
    red, green, blue = colour[:3]
    return "#1A1A1A" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "#FFFFFF"


def _dress(axes: Axes, one: SiteMap, plan: _Plan, *, first: bool) -> None:
    maps, (rows, columns) = plan.maps, one.values.shape
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(-0.5, rows - 0.5)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=8)
    layers, names = slice(0, rows, 1 + (rows - 1) // _LARGEST), slice(0, columns, 1 + (columns - 1) // _LARGEST)
    axes.set_yticks(range(rows)[layers], [str(layer) for layer in maps.layers[layers]] if first else [])
    turned: dict[str, Any] = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if plan.slanted else {}
    axes.set_xticks(range(columns)[names], plan.labels[names], **turned)
    axes.set_ylabel("layer" if first else "", fontsize=9)
    axes.set_xlabel("head" if maps.axis == "head" else "", fontsize=9)
    floor = "" if one.floor is None else f", no-op {one.floor:.2f}"
    small: dict[str, Any] = {"transform": axes.transAxes, "fontsize": 7.5, "color": plan.inks.grey, "va": "bottom"}
    axes.text(0, 1.0, f"n = {one.n}{floor}", **small)
    longest = max(8, int(plan.map[0] / _LETTER))
    axes.set_title(short(one.name, longest), loc="left", fontsize=8, fontweight="bold", pad=13)


def _words(figure: Figure, title: str, plan: _Plan) -> None:
    width, height = plan.size
    left, longest = _EDGE / width, min(_LONGEST_TITLE, int((width - _EDGE) / 0.095))
    small: dict[str, Any] = {"fontsize": 8, "color": plan.inks.grey}
    figure.text(left, 1 - 0.1 / height, short(title, longest), fontsize=11, fontweight="bold", va="top")
    figure.text(left, 1 - 0.32 / height, plan.maps.meaning, va="top", **small)
    figure.text(left, 0.07 / height, _legend(plan), va="bottom", **small)


def _legend(plan: _Plan) -> str:
    maps, told = plan.maps, plan.numbers and plan.maps.maps[0].separable is not None
    parts = ["outlined: chosen on validation"] if maps.chosen else []
    parts += ["bold: 95 % interval leaves out 0"] if told else []
    parts += ["hatched: no site"] if np.isnan(maps.maps[0].values).any() else []
    parts += [f"together {value:+.2f}: {short(name, 40)}" for name, value in maps.joint[:1]]
    return " · ".join(parts)


def _bar(figure: Figure, colours: ScalarMappable, plan: _Plan) -> None:
    (width, height), tall = plan.size, min(plan.map[1], 3.0)
    axes = figure.add_axes(((width - 0.7) / width, (height - _HEAD - tall) / height, 0.12 / width, tall / height))
    figure.colorbar(colours, cax=axes)
    axes.spines[:].set_visible(False)
    axes.tick_params(labelsize=8, length=2)
