"""A grid of metrics by families (or by dictionaries) with numbers, shaded by how good they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle

from mibench.plots.sheet import Margins, Sheet, number, sentences
from mibench.plots.style import INKS, Inks, Picture, Theme, picture, short
from mibench.records.record import MetricValue

_CELL = (0.98, 0.36)
_LETTER = 0.076
_LONGEST_ROW, _LONGEST_COLUMN = 40, 34
_MOST_REASONS = 8
_SHADES = (
    "The darker, the better: from the null to the oracle where a metric has both, else from the worst to the best of "
    "its row; metrics of which neither end is better are not shaded. Bold: the best of its row, controls (grey names) "
    "left out. Small: 95 % intervals"
)


@dataclass(frozen=True)
class Row:
    """One metric.

    Attributes:
        title: Of the metric.
        values: One for each column; without a number it says why.
        higher_is_better: None: neither end is better.
    """

    title: str
    values: tuple[MetricValue, ...]
    higher_is_better: bool | None = None

    @property
    def shades(self) -> list[float | None]:
        """How good each value is, 0 to 1; None: not known."""
        known = [one for one in self.values if one.value is not None]
        if self.higher_is_better is None or not known:
            return [None] * len(self.values)
        if all(one.floor is not None and one.ceiling is not None and one.floor != one.ceiling for one in known):
            return [_share(one.value, one.floor, one.ceiling) for one in self.values]
        numbers = sorted(one.value for one in known if one.value is not None)
        worst, best = (numbers[0], numbers[-1]) if self.higher_is_better else (numbers[-1], numbers[0])
        return [_share(one.value, worst, best) for one in self.values]

    def best(self, among: Sequence[bool]) -> float | None:
        """The best number of the columns that count; None where neither end is better, or there is only one."""
        numbers = [
            one.value for one, counts in zip(self.values, among, strict=True) if counts and one.value is not None
        ]
        if self.higher_is_better is None or len(set(numbers)) < 2:
            return None
        return max(numbers) if self.higher_is_better else min(numbers)


def _share(value: float | None, worst: float | None, best: float | None) -> float | None:
    if value is None or worst is None or best is None or worst == best:
        return None
    return min(1.0, max(0.0, (value - worst) / (best - worst)))


@dataclass(frozen=True)
class Grid:
    """What is drawn.

    Attributes:
        rows: The metrics.
        columns: Names of families or dictionaries.
        what: What a number is.
        controls: Columns that are no competitors: their names are grey, and none of their numbers is the best.
    """

    rows: tuple[Row, ...]
    columns: tuple[str, ...]
    what: str
    controls: frozenset[str] = frozenset()

    @property
    def reasons(self) -> list[str]:
        """Why numbers are missing, each once, in order."""
        return list(dict.fromkeys(one.reason for row in self.rows for one in row.values if one.reason))

    def mark(self, value: MetricValue) -> str:
        """Letter of the reason why a number is missing."""
        place = self.reasons.index(value.reason or "")
        return chr(ord("a") + place) if place < _MOST_REASONS else "·"


def grid_picture(grid: Grid, title: str, notes: Sequence[str] = (), *, theme: Theme = "light") -> Picture:
    """Draw the grid; a missing number is hatched, with a letter for the reason that the caption gives."""
    inks, names = INKS[theme], [short(name, _LONGEST_COLUMN) for name in grid.columns]
    left = 0.2 + _LETTER * max(len(short(row.title, _LONGEST_ROW)) + 2 for row in grid.rows)
    longest = max(map(len, names))
    slanted = longest * 0.068 > _CELL[0]
    margins = Margins(left, 0.25 if not slanted else 0.35, 0.1, 0.15 + (0.041 * longest if slanted else 0.2))
    # A slanted name of the first column reaches to the left.
    margins = Margins(max(margins.left, 0.052 * len(names[0])), margins.right, margins.top, margins.bottom)
    size = (_CELL[0] * len(grid.columns), _CELL[1] * len(grid.rows))
    letters = [f"{chr(ord('a') + place)}: {short(why, 160)}" for place, why in enumerate(grid.reasons[:_MOST_REASONS])]
    missing = [f"Hatched: no number. {'; '.join(letters)}"] if letters else []
    sheet = Sheet(title, sentences([grid.what, _SHADES, *missing, *notes]), 1, size, margins)
    with picture(sheet.size, inks) as drawing:
        drawing.figure.set_layout_engine("none")
        axes = sheet.axes(drawing.figure, 0)
        _dress(axes, grid, names, slanted=slanted)
        for label, name in zip(axes.get_xticklabels(), grid.columns, strict=True):
            label.set_color(inks.grey if name in grid.controls else inks.ink)
        for place, row in enumerate(grid.rows):
            _draw_row(axes, row, place, grid, inks)
        sheet.write(drawing.figure, inks)
    return drawing


def _dress(axes: Axes, grid: Grid, names: Sequence[str], *, slanted: bool) -> None:
    axes.set_xlim(0, len(grid.columns))
    axes.set_ylim(len(grid.rows), 0)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=8.5)
    arrows = {True: " ↑", False: " ↓", None: ""}
    titles = [short(row.title, _LONGEST_ROW) + arrows[row.higher_is_better] for row in grid.rows]
    axes.set_yticks([place + 0.5 for place in range(len(grid.rows))], titles)
    turned: dict[str, Any] = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
    axes.set_xticks([place + 0.5 for place in range(len(names))], names, **turned)


def _draw_row(axes: Axes, row: Row, place: int, grid: Grid, inks: Inks) -> None:
    colours = LinearSegmentedColormap.from_list("better", [inks.paper, inks.positive])
    competing = [name not in grid.controls for name in grid.columns]
    best = row.best(competing)
    for column, (value, shade) in enumerate(zip(row.values, row.shades, strict=True)):
        box: dict[str, Any] = {"edgecolor": inks.grey + "50", "linewidth": 0.6, "zorder": 1}
        if value.value is None:
            box |= {"facecolor": inks.paper, "edgecolor": inks.grey + "70", "hatch": "////", "linewidth": 0}
        else:
            box["facecolor"] = inks.paper if shade is None else colours(0.85 * shade)
        axes.add_patch(Rectangle((column, place), 1, 1, **box))
        is_best = competing[column] and value.value is not None and value.value == best
        text = {"color": _readable(box["facecolor"], inks), "weight": "bold" if is_best else "normal"}
        if value.value is None:
            behind = {"facecolor": inks.paper, "edgecolor": "none", "pad": 1.5}
            _write(axes, (column + 0.5, place + 0.5), grid.mark(value), fontsize=8, bbox=behind, **text)
        else:
            _draw_value(axes, value, (column + 0.5, place), text)


def _draw_value(axes: Axes, value: MetricValue, place: tuple[float, float], text: dict[str, Any]) -> None:
    """A number, and below it its interval where it has one."""
    (x, top), low, high = place, value.ci_low, value.ci_high
    if value.value is None:
        return
    _write(axes, (x, top + (0.5 if low is None else 0.36)), number(value.value), fontsize=8.5, **text)
    if low is not None and high is not None:
        ends = f"{number(low)} … {number(high)}"
        _write(axes, (x, top + 0.76), ends, fontsize=5.8, alpha=0.85, color=text["color"])


def _write(axes: Axes, place: tuple[float, float], text: str, **style: Any) -> None:
    axes.text(*place, text, ha="center", va="center", zorder=3, **style)


def _readable(colour: Any, inks: Inks) -> str:
    if isinstance(colour, str):
        return inks.ink
    red, green, blue = colour[:3]
    return "#1A1A1A" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.45 else "#FFFFFF"
