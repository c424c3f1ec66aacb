"""A map of sites as text: shades and numbers, layers from bottom to top."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import click

from mibench.cli.report import plain, print_table

if TYPE_CHECKING:
    from mibench.metrics.variable.maps import SiteMaps

_SHADES = " ░▒▓█"
_FAINTEST = 0.1
"""Magnitude that the darkest shade stands for, at least."""


def print_map(maps: SiteMaps, title: str) -> None:
    """Print the map over all sets, and what its marks mean."""
    # A table's title would be as narrow as the table.
    click.echo(plain(f"{title}: {maps.meaning}, {maps.maps[0].name}"))
    print_table(map_rows(maps))
    for line in _legend(maps):
        click.echo(plain(line))


def map_rows(maps: SiteMaps) -> list[dict[str, str]]:
    """Return one row a layer, the last first, one column a position or head."""
    values = maps.maps[0].values
    largest = max((abs(value) for value in values.ravel().tolist() if math.isfinite(value)), default=0.0)
    largest = max(largest, _FAINTEST)
    return [
        {"layer": str(maps.layers[row])}
        | {name: _cell(maps, (row, column), largest) for column, name in enumerate(maps.columns)}
        for row in reversed(range(len(maps.layers)))
    ]


def _cell(maps: SiteMaps, place: tuple[int, int], largest: float) -> str:
    pooled = maps.maps[0]
    value = float(pooled.values[place])
    if not math.isfinite(value):
        return ""
    shade = _SHADES[min(len(_SHADES) - 1, math.ceil(abs(value) / largest * (len(_SHADES) - 1) - 0.5))]
    known = "*" if pooled.separable is not None and pooled.separable[place] else " "
    chosen = "◀" if place == maps.chosen else ""
    return f"{shade * 2} {round(value, 2) + 0.0:+.2f}{known}{chosen}".rstrip()


def _legend(maps: SiteMaps) -> list[str]:
    marks = ["* the 95 % interval leaves out 0"] if maps.maps[0].separable is not None else []
    marks += ["◀ chosen on validation"] if maps.chosen else []
    marks += ["empty: no site"] if any(not math.isfinite(value) for value in maps.maps[0].values.ravel()) else []
    return [*(["; ".join(marks)] if marks else []), *(f"{name} together: {value:+.2f}" for name, value in maps.joint)]
