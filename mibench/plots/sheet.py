"""A page of equal panels: title above, a key and a caption below, all places in inches."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mibench.plots.style import Inks, short

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", "-.", ":")

_EDGE, _HEAD, _LINE, _ROW = 0.15, 0.42, 0.155, 0.2
"""Inches: around the page, for the title, of a line of the caption, and of a row of the key."""
_LETTER, _TITLE_LETTER = 0.066, 0.105
"""Inches a letter of the caption, and of the title."""
_NARROWEST = 5.2


@dataclass(frozen=True)
class Margins:
    """Inches around each panel, for its labels.

    Attributes:
        left: Left of it.
        right: Right of it.
        top: Above it.
        bottom: Below it.
    """

    left: float = 0.62
    right: float = 0.62
    top: float = 0.5
    bottom: float = 0.5


@dataclass(frozen=True)
class Sheet:
    """How a page is laid out.

    Attributes:
        title: Heading.
        caption: Sentences below, wrapped.
        n: Number of panels.
        panel: Width and height of a panel.
        margins: Around each.
        across: Panels beside each other, at most.
        key: Rows of the key between panels and caption.
    """

    title: str
    caption: str
    n: int
    panel: tuple[float, float]
    margins: Margins = Margins()
    across: int = 3
    key: int = 0

    @property
    def columns(self) -> int:
        """Panels beside each other: as few as the number of rows allows."""
        return math.ceil(self.n / math.ceil(self.n / self.across))

    @property
    def cell(self) -> tuple[float, float]:
        """Width and height of a panel with its margins."""
        own = self.margins
        return self.panel[0] + own.left + own.right, self.panel[1] + own.top + own.bottom

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the page."""
        width = max(_NARROWEST, self.columns * self.cell[0] + 2 * _EDGE)
        return width, _HEAD + math.ceil(self.n / self.columns) * self.cell[1] + self._below

    @property
    def lines(self) -> list[str]:
        """Lines of the caption."""
        width = max(_NARROWEST, self.columns * self.cell[0] + 2 * _EDGE)
        return textwrap.wrap(self.caption, int((width - 2 * _EDGE) / _LETTER), break_on_hyphens=False)

    @property
    def _below(self) -> float:
        return self._key_height + len(self.lines) * _LINE + 2 * _EDGE

    @property
    def _key_height(self) -> float:
        return self.key * _ROW + (0.08 if self.key else 0.0)

    def axes(self, figure: Figure, index: int) -> Axes:
        """Add the axes of a panel."""
        row, column = divmod(index, self.columns)
        left = _EDGE + column * self.cell[0] + self.margins.left
        top = self.size[1] - _HEAD - row * self.cell[1] - self.margins.top
        return self.box(figure, (left, top - self.panel[1], *self.panel))

    def box(self, figure: Figure, inches: tuple[float, float, float, float]) -> Axes:
        """Add axes at left, bottom, width and height."""
        width, height = self.size
        left, bottom, across, up = inches
        return figure.add_axes((left / width, bottom / height, across / width, up / height))

    def key_axes(self, figure: Figure) -> Axes:
        """Add axes without a frame for the key; one unit is an inch across and a row down, from the top."""
        width = self.size[0] - 2 * _EDGE
        axes = self.box(figure, (_EDGE, _EDGE + len(self.lines) * _LINE + 0.08, width, self.key * _ROW))
        axes.set_xlim(0, width)
        axes.set_ylim(max(self.key, 1) - 0.5, -0.5)
        axes.set_axis_off()
        return axes

    def write(self, figure: Figure, inks: Inks) -> None:
        """Write title and caption."""
        width, height = self.size
        longest = int((width - 2 * _EDGE) / _TITLE_LETTER)
        figure.text(
            _EDGE / width, 1 - 0.13 / height, short(self.title, longest), fontsize=12, fontweight="bold", va="top"
        )
        for index, line in enumerate(self.lines):
            bottom = _EDGE + (len(self.lines) - 1 - index) * _LINE
            figure.text(_EDGE / width, bottom / height, line, fontsize=8, color=inks.grey, va="bottom")


def look(index: int, inks: Inks) -> dict[str, str]:
    """Colour, marker and line style of the member with this number."""
    return {
        "color": inks.lines[index % len(inks.lines)],
        "marker": MARKERS[index % len(MARKERS)],
        "linestyle": LINES[index // len(MARKERS) % len(LINES)],
    }


def number(value: float) -> str:
    """Return a number to read, three digits after the point or four in all; what rounds to zero has no sign."""
    text = f"{round(value, 3) + 0.0:.3f}" if abs(value) < 10 else f"{value:,.4g}"
    return text.replace("-", "\N{MINUS SIGN}")


def heading(axes: Axes, title: str, below: str, inks: Inks) -> None:
    """Write a panel's title, and a smaller line under it."""
    longest = max(10, int(axes.get_window_extent().width / axes.figure.get_dpi() / 0.085))
    axes.set_title(short(title, longest), loc="left", fontsize=10, fontweight="bold", pad=16)
    small: dict[str, Any] = {"transform": axes.transAxes, "fontsize": 8, "color": inks.grey, "va": "bottom"}
    axes.text(0, 1.02, short(below, int(longest * 1.25)), **small)


def plain_axes(axes: Axes, inks: Inks) -> None:
    """Draw axes with a grid and without the two sides that carry no numbers."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=inks.pale, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8)


def sentences(parts: Sequence[str]) -> str:
    """Join sentences, each closed by a full stop, without empty ones and repeats."""
    return " ".join(dict.fromkeys(part if part.endswith(".") else f"{part}." for part in parts if part))
