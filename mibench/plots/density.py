"""Histograms of how often latents are active, of one dictionary or several, with the share that never is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter

from mibench.metrics.faithfulness import FloatArray
from mibench.plots.sheet import LINES, Margins, Sheet, plain_axes, sentences
from mibench.plots.style import INKS, Inks, Picture, Theme, picture, short

_LONGEST_NAME = 44
_BIN = 0.25
"""Width of a bin in powers of ten."""
_NEVER = 0.4
"""Width of the bars of dead latents together, likewise."""
_READING = (
    "Share of latents by how often they are active; bins are quarters of a power of ten. Left of the break: bars of "
    "latents that were never active on the evaluated tokens (dead); more tokens find fewer of them"
)


@dataclass(frozen=True, eq=False)
class Densities:
    """How often a dictionary's latents are active.

    Attributes:
        name: Of the dictionary.
        density: Share of the tokens on which each is active ``[latents]``.
        tokens: Evaluated tokens.
    """

    name: str
    density: FloatArray
    tokens: int

    @property
    def dead(self) -> float:
        """Share of latents that are never active."""
        return float((self.density == 0).mean())

    @property
    def words(self) -> str:
        """Size, dead share and median in words."""
        alive = self.density[self.density > 0]
        median = f", median of the others {_percent(float(np.quantile(alive, 0.5)))}" if len(alive) else ""
        return f"{len(self.density):,} latents, {_percent(self.dead)} dead{median}"


def density_picture(
    shown: Sequence[Densities], title: str, notes: Sequence[str] = (), *, theme: Theme = "light"
) -> Picture:
    """Draw the histograms over each other; dead shares are bars on the left, and stand in the key."""
    inks = INKS[theme]
    tokens = sorted({one.tokens for one in shown})
    on = f"On {tokens[0]:,} tokens" if len(tokens) == 1 else f"On {tokens[0]:,} to {tokens[-1]:,} tokens"
    sheet = Sheet(title, sentences([_READING, on, *notes]), 1, (5.6, 2.9), Margins(top=0.1, right=0.25), key=len(shown))
    with picture(sheet.size, inks) as drawing:
        drawing.figure.set_layout_engine("none")
        axes = sheet.axes(drawing.figure, 0)
        _draw(axes, shown, inks)
        _draw_key(sheet.key_axes(drawing.figure), shown, inks)
        sheet.write(drawing.figure, inks)
    return drawing


def _edges(shown: Sequence[Densities]) -> FloatArray:
    """Edges of bins from the smallest density that there is to 1, in powers of ten."""
    smallest = min((float(one.density[one.density > 0].min()) for one in shown if one.dead < 1), default=1e-3)
    first = math.floor(math.log10(smallest) / _BIN + 1e-9)
    return np.asarray(np.arange(min(first, -4), 1) * _BIN, dtype=np.float64)


def _draw(axes: Axes, shown: Sequence[Densities], inks: Inks) -> None:
    plain_axes(axes, inks)
    edges = _edges(shown)
    left = float(edges[0]) - 0.5
    highest = 0.0
    for index, one in enumerate(shown):
        counts, _ = np.histogram(np.log10(one.density[one.density > 0]), bins=_closed(edges))
        shares = 100 * counts / len(one.density)
        highest = max(highest, float(shares.max(initial=0.0)), 100 * one.dead)
        style = _style(index, inks)
        axes.stairs(shares, edges, linewidth=1.6, zorder=3 + index, **style)  # type: ignore[arg-type]
        if len(shown) == 1:
            axes.stairs(shares, edges, fill=True, color=style["color"], alpha=0.18, zorder=2)
        width = _NEVER / len(shown)
        place = left + width * (index + 0.5) - _NEVER / 2
        axes.bar(place, 100 * one.dead, width=0.9 * width, zorder=3, color=style["color"])
    axes.axvline(left + 0.25, color=inks.grey, linewidth=0.8, dashes=(2, 2))
    axes.set_xlim(left - 0.25, float(edges[-1]) + 0.05)
    axes.set_ylim(0, 1.06 * highest or 1.0)
    axes.set_ylabel("% of latents", fontsize=9)
    axes.set_xlabel("active on this share of tokens, log scale", fontsize=9)
    decades = [float(place) for place in range(math.ceil(edges[0]), 1)]
    axes.xaxis.set_major_locator(FixedLocator([left, *decades]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: "never" if x < edges[0] - 0.1 else f"{10**x:.10g}"))
    axes.grid(visible=False, axis="x")


def _closed(edges: FloatArray) -> FloatArray:
    """The same edges, the outer ones open to what rounding puts beside them."""
    opened = edges.copy()
    opened[0] -= 1e-9
    opened[-1] += 1e-9
    return opened


def _style(index: int, inks: Inks) -> dict[str, str]:
    count = len(inks.lines)
    return {"color": inks.lines[index % count], "linestyle": LINES[index // count % len(LINES)]}


def _draw_key(axes: Axes, shown: Sequence[Densities], inks: Inks) -> None:
    for row, one in enumerate(shown):
        axes.plot([0.02, 0.32], [row, row], linewidth=1.8, **_style(row, inks))  # type: ignore[arg-type]
        axes.text(0.42, row, f"{short(one.name, _LONGEST_NAME)}: {one.words}", fontsize=8.5, va="center")


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
