"""The picture of ``benchmarks/scaling.py``: one panel an axis, cost over size, both as multiples of the smallest."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scaling_axes import PLAIN

from mibench.core.files import atomic_write

COLUMNS = 4
COLOURS = ("#0072b2", "#d55e00", "#009e73")
MARKS = ("o", "s", "^")
UNIT = {"color": "#999999", "marker": "x", "markersize": 4}


def draw(found: Sequence[Any], path: Path) -> None:
    """Write an SVG.

    Args:
        found: Of ``scaling.Growth``.
        path: Where it goes.
    """
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    names = list(dict.fromkeys(one.axis for one in found))
    rows = -(-len(names) // COLUMNS)
    with mpl.rc_context({"svg.hashsalt": "mibench", "font.size": 8, "svg.fonttype": "none"}):
        figure, panels = plt.subplots(rows, COLUMNS, figsize=(3 * COLUMNS, 2.7 * rows), squeeze=False)
        for panel, name in zip(panels.flat, names, strict=False):
            _panel(panel, [one for one in found if one.axis == name])
        for panel in list(panels.flat)[len(names) :]:
            panel.axis("off")
        figure.tight_layout()
        written = io.BytesIO()
        figure.savefig(written, format="svg", metadata={"Date": None})
        plt.close(figure)
    atomic_write(path, written.getvalue())


def _panel(panel: Any, growths: Sequence[Any]) -> None:
    first = growths[0]
    of_edges = first.x != tuple(float(size) for size in first.sizes)
    x = [value / first.x[0] for value in first.x]
    panel.plot(x, x, linestyle=":", color="black", label="linear")
    work = [one for one in growths if one.work != PLAIN]
    for one in growths:
        y = [seconds / one.medians[0] for seconds in one.medians]
        place = work.index(one) % 3 if one in work else 0
        style = {"color": COLOURS[place], "marker": MARKS[place], "markersize": 4} if one in work else UNIT
        panel.plot(x, y, label=one.work, **style)
    panel.set(xscale="log", yscale="log", title=first.axis)
    panel.set_xticks(x, [f"{size}" for size in first.sizes])
    panel.set_yticks(ticks := [2**power for power in range(12) if 2**power <= 1.3 * x[-1]], [f"{y}" for y in ticks])
    panel.minorticks_off()
    panel.set_xlabel(f"{first.axis} (spaced by edges)" if of_edges else first.axis)
    panel.set_ylabel("CPU time, smallest = 1")
    panel.legend(fontsize=6, frameon=False)
