"""Frontiers: a metric over L0, one line a family of dictionaries, seeds as points, null and oracle as dashed lines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from scipy.special import stdtrit

from mibench.metrics.sae.family import Point
from mibench.metrics.sae.frontier import HIGH, LOW
from mibench.plots.sheet import Margins, Sheet, heading, look, number, plain_axes, sentences
from mibench.plots.style import INKS, Inks, Picture, Theme, picture, short
from mibench.records.record import MetricValue

_LONGEST_NAME = 36
_NAME, _AREA, _AREA_WITH_INTERVAL = 2.95, 0.7, 1.58
"""Inches of the key's columns."""
_FAR = 1.5
"""Spans of the data within which a null or oracle is drawn; one further away is told at the edge."""
_READING = (
    f"L0 is the mean number of active latents. Shaded: L0 {LOW:g} to {HIGH:g}. Lines go through the means over seeds; "
    "small points are single dictionaries; bars are 95 % intervals, over seeds where there are several, and end in an "
    "arrow where they go on beyond the frame"
)


@dataclass(frozen=True)
class Frontier:
    """A family's dictionaries by one metric.

    Attributes:
        name: Of the family.
        points: Its dictionaries; those without a value, or with an L0 of 0, are left out.
        area: Mean height over log L0; None: not computed.
    """

    name: str
    points: tuple[Point, ...]
    area: MetricValue | None = None


@dataclass(frozen=True)
class Panel:
    """One metric.

    Attributes:
        title: Of the metric.
        below: What was evaluated.
        frontiers: The families.
        higher_is_better: None: neither end is better.
    """

    title: str
    below: str
    frontiers: tuple[Frontier, ...]
    higher_is_better: bool | None = None


@dataclass(frozen=True)
class _Mean:
    """Dictionaries of one recipe: mean L0, mean value and its interval."""

    l0: float
    value: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class _Look:
    """How families are drawn: number of each by its name, and the inks."""

    numbers: dict[str, int]
    inks: Inks = field(repr=False)

    def of(self, name: str) -> dict[str, str]:
        """Colour, marker and line style."""
        return look(self.numbers[name], self.inks)


def frontier_picture(
    panels: Sequence[Panel], title: str, notes: Sequence[str] = (), *, theme: Theme = "light"
) -> Picture:
    """Draw panels beside each other under one key, which gives each family's frontier area.

    Args:
        panels: One for each metric; a family has the same look in all.
        title: Heading.
        notes: Sentences for the caption, such as what limits the model.
        theme: Light or dark.
    """
    inks = INKS[theme]
    names = list(dict.fromkeys(one.name for panel in panels for one in panel.frontiers))
    drawn = _Look({name: index for index, name in enumerate(names)}, inks)
    areas = any(one.area is not None for panel in panels for one in panel.frontiers)
    sheet = Sheet(
        title, sentences([_READING, *notes]), len(panels), (3.4, 2.7), Margins(right=0.72), key=len(names) + areas
    )
    with picture(sheet.size, inks) as drawing:
        drawing.figure.set_layout_engine("none")
        for index, panel in enumerate(panels):
            _draw_panel(sheet.axes(drawing.figure, index), panel, drawn)
        _draw_key(sheet.key_axes(drawing.figure), panels, drawn, areas=areas)
        sheet.write(drawing.figure, inks)
    return drawing


def _usable(points: Sequence[Point]) -> list[Point]:
    return [one for one in points if one.value.value is not None and one.l0 > 0]


def _means(points: Sequence[Point]) -> list[_Mean]:
    """Means of each recipe over its seeds, by L0."""
    recipes: dict[str, list[Point]] = {}
    for one in _usable(points):
        recipes.setdefault(one.recipe, []).append(one)
    return sorted((_mean(own) for own in recipes.values()), key=lambda one: one.l0)


def _mean(points: Sequence[Point]) -> _Mean:
    l0 = math.exp(math.fsum(math.log(one.l0) for one in points) / len(points))
    values = np.array([one.number for one in points])
    mean = float(values.mean())
    if len(points) == 1:
        low, high = points[0].value.ci_low, points[0].value.ci_high
        return _Mean(l0, mean, None if low is None or high is None else (low, high))
    half = float(stdtrit(len(values) - 1, 0.975)) * float(values.std(ddof=1)) / math.sqrt(len(values))
    return _Mean(l0, mean, (mean - half, mean + half))


def _draw_panel(axes: Axes, panel: Panel, drawn: _Look) -> None:
    inks = drawn.inks
    plain_axes(axes, inks)
    points = [one for frontier in panel.frontiers for one in _usable(frontier.points)]
    low, high = _heights(panel, points)
    axes.axvspan(LOW, HIGH, color=inks.grey, alpha=0.1, linewidth=0, zorder=0)
    for frontier in panel.frontiers:
        _draw_frontier(axes, frontier, drawn.of(frontier.name), (low, high))
    axes.set_ylim(low, high)
    _log_axis(axes, [one.l0 for one in points])
    _draw_end(axes, [one.value.floor for one in points], "null", inks)
    _draw_end(axes, [one.value.ceiling for one in points], "oracle", inks)
    arrow = {True: " ↑", False: " ↓", None: ""}[panel.higher_is_better]
    heading(axes, panel.title + arrow, panel.below, inks)
    axes.set_xlabel("L0, log scale", fontsize=9)
    if not points:
        axes.text(0.5, 0.5, "no dictionary has both\na value and an L0", transform=axes.transAxes, color=inks.grey,
                  ha="center", va="center", fontsize=9)  # fmt: skip


def _draw_frontier(axes: Axes, frontier: Frontier, style: dict[str, str], limits: tuple[float, float]) -> None:
    points, means = _usable(frontier.points), _means(frontier.points)
    if not points:
        return
    alone = len(points) == len(means)
    if not alone:
        axes.scatter([one.l0 for one in points], [one.number for one in points], s=7, color=style["color"], alpha=0.6,
                     linewidth=0, zorder=3)  # fmt: skip
    for one in means:
        if one.interval is not None:
            _draw_bar(axes, one.l0, one.interval, limits, style["color"])
    axes.plot([one.l0 for one in means], [one.value for one in means], linewidth=1.5, markersize=5, zorder=4,
              markeredgecolor=axes.get_facecolor(), markeredgewidth=0.6, **style)  # type: ignore[arg-type]  # fmt: skip


def _draw_bar(axes: Axes, l0: float, interval: tuple[float, float], limits: tuple[float, float], color: str) -> None:
    """An interval as a bar that stays inside the frame, with an arrow where it does not end there."""
    room = 0.02 * (limits[1] - limits[0])
    low, high = max(interval[0], limits[0] + room), min(interval[1], limits[1] - room)
    axes.vlines(l0, low, high, color=color, linewidth=1.1, alpha=0.75, zorder=3)
    for end, inside, arrow in ((interval[0], low, "v"), (interval[1], high, "^")):
        if end != inside:
            axes.scatter([l0], [inside], s=14, marker=arrow, color=color, alpha=0.75, linewidth=0, zorder=3)


def _heights(panel: Panel, points: Sequence[Point]) -> tuple[float, float]:
    """Limits that hold the points, nulls and oracles that are near, and intervals as far as half the points' span."""
    values = [one.number for one in points]
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    span = high - low or abs(high) or 1.0
    bars = [mean.interval for one in panel.frontiers for mean in _means(one.points) if mean.interval is not None]
    low, high = (
        max(low - span / 2, min([low, *(bar[0] for bar in bars)])),
        min(high + span / 2, max([high, *(bar[1] for bar in bars)])),
    )
    ends = [end for one in points for end in (one.value.floor, one.value.ceiling) if end is not None]
    near = [end for end in ends if low - _FAR * span <= end <= high + _FAR * span]
    low, high = min([low, *near]), max([high, *near])
    room = 0.06 * (high - low or span)
    return low - room, high + room


def _draw_end(axes: Axes, ends: Sequence[float | None], name: str, inks: Inks) -> None:
    """A null or oracle as a dashed line; several as a band between two; one out of sight as words at the edge."""
    known = sorted({end for end in ends if end is not None})
    if not known:
        return
    bottom, top = axes.get_ylim()
    text: dict[str, Any] = {"fontsize": 7.5, "color": inks.grey, "va": "center", "clip_on": False}
    seen = [end for end in known if bottom <= end <= top]
    if not seen:
        below = known[-1] < bottom
        axes.text(1.02, 0.02 if below else 0.98, f"{name}\n{number(known[0])} {'↓' if below else '↑'}",
                  transform=axes.transAxes, **text)  # fmt: skip
        return
    for end in (seen[0], seen[-1]):
        axes.axhline(end, color=inks.grey, linewidth=0.9, dashes=(5, 3), zorder=1)
    if seen[-1] > seen[0]:
        axes.axhspan(seen[0], seen[-1], color=inks.grey, alpha=0.12, linewidth=0, zorder=0)
    middle = (seen[0] + seen[-1]) / 2
    axes.text(1.02, (middle - bottom) / (top - bottom), name, transform=axes.transAxes, **text)


def _log_axis(axes: Axes, l0: Sequence[float]) -> None:
    low, high = min([*l0, LOW]) / 1.25, max([*l0, HIGH]) * 1.25
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if high / low < 1000 else (1, 3) if high / low < 10**5 else (1,)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator([step * 10.0**decade for decade in decades for step in steps]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axes.set_xlim(low, high)


def _draw_key(axes: Axes, panels: Sequence[Panel], drawn: _Look, *, areas: bool) -> None:
    """Names of the families, and their areas in columns, one for each panel."""
    wide = (axes.get_xlim()[1] - _NAME) / len(panels) >= _AREA_WITH_INTERVAL
    step = _AREA_WITH_INTERVAL if wide else max(_AREA, (axes.get_xlim()[1] - _NAME) / len(panels))
    small: dict[str, Any] = {"fontsize": 8, "color": drawn.inks.grey, "va": "center"}
    if areas:
        axes.text(0, 0, "frontier area", **small)
        for index, panel in enumerate(panels):
            axes.text(_NAME + index * step, 0, short(panel.title, int(step / 0.075)), **small)
    for name, row in drawn.numbers.items():
        axes.plot([0.02, 0.17, 0.32], [row + areas] * 3, linewidth=1.5, markersize=5, markevery=[1], **drawn.of(name))  # type: ignore[arg-type]
        axes.text(0.42, row + areas, short(name, _LONGEST_NAME), fontsize=8.5, va="center")
        for index, panel in enumerate(panels):
            area = next((one.area for one in panel.frontiers if one.name == name), None)
            if areas:
                axes.text(_NAME + index * step, row + areas, _told(area, wide=wide), fontsize=8.5, va="center")


def _told(area: MetricValue | None, *, wide: bool) -> str:
    if area is None or area.value is None:
        return "—"
    if not wide or area.ci_low is None or area.ci_high is None:
        return number(area.value)
    return f"{number(area.value)} [{number(area.ci_low)}, {number(area.ci_high)}]"
