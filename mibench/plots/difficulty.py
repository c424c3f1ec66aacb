"""How well methods find the truth over the difficulty of planted models: a line a method, named at its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes

from mibench.plots.sheet import Margins, Sheet, heading, look, plain_axes, sentences
from mibench.plots.style import INKS, Inks, Picture, Theme, picture, short

_LONGEST = 20
_ROW = 0.165
"""Inches between two names."""


@dataclass(frozen=True)
class Line:
    """One method: its mean at each difficulty."""

    name: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class Panel:
    """One metric, its lines best first at the hardest."""

    title: str
    below: str
    lines: tuple[Line, ...]


def difficulty_picture(
    panels: Sequence[Panel],
    levels: Sequence[tuple[int, str]],
    title: str,
    notes: Sequence[str] = (),
    *,
    theme: Theme = "light",
) -> Picture:
    """Draw panels beside each other.

    Args:
        panels: One for each metric; a method has the same look in all.
        levels: The difficulties, easiest first, and what each is, in words.
        title: Heading.
        notes: Sentences for the caption.
        theme: Light or dark.
    """
    inks = INKS[theme]
    names = sorted({line.name for panel in panels for line in panel.lines})
    reading = "; ".join(f"{level}: {words}" for level, words in levels)
    height = max(2.6, _ROW * len(names))
    margins = Margins(left=0.6, right=1.75, top=0.5, bottom=0.55)
    sheet = Sheet(title, sentences([f"Difficulty {reading}", *notes]), len(panels), (3.2, height), margins, across=2)
    with picture(sheet.size, inks) as drawing:
        drawing.figure.set_layout_engine("none")
        for index, panel in enumerate(panels):
            axes = sheet.axes(drawing.figure, index)
            axes.set_xticks(range(len(levels)), [str(level) for level, _ in levels])
            _draw(axes, panel, names, inks)
        sheet.write(drawing.figure, inks)
    return drawing


def _draw(axes: Axes, panel: Panel, names: Sequence[str], inks: Inks) -> None:
    plain_axes(axes, inks)
    heading(axes, panel.title, panel.below, inks)
    low = min(value for line in panel.lines for value in line.values)
    n_levels = len(panel.lines[0].values)
    axes.set_xlim(-0.15, n_levels - 0.85)
    axes.set_ylim(max(0.0, low - 0.05), 1.02)
    axes.set_xlabel("difficulty", fontsize=9)
    for line, place in zip(panel.lines, _spread(panel.lines, axes), strict=True):
        drawn: dict[str, Any] = look(names.index(line.name), inks)
        axes.plot(range(n_levels), line.values, markersize=4, linewidth=1.2, **drawn)
        axes.annotate(
            short(line.name, _LONGEST),
            (n_levels - 1, line.values[-1]),
            (1.06, place),
            textcoords="axes fraction",
            fontsize=7.5,
            color=drawn["color"],
            va="center",
            arrowprops={"arrowstyle": "-", "color": inks.pale, "linewidth": 0.7, "relpos": (0, 0.5)},
        )


def _spread(lines: Sequence[Line], axes: Axes) -> list[float]:
    """Heights of the names, shares of the panel from the top, in the order of the lines and never on each other."""
    bottom, top = axes.get_ylim()
    gap = 1 / max(len(lines), 1)
    wanted = [(line.values[-1] - bottom) / (top - bottom) for line in lines]
    found: list[float] = []
    for place, height in enumerate(wanted):
        room = gap * (len(lines) - 1 - place)
        highest = found[-1] - gap if found else 1.0
        found.append(min(highest, max(height, room)))
    return found
