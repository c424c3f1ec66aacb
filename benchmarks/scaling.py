"""How the cost of every engine grows: with examples, length, layers, heads, circuits, sites, steps, latents and cells.

    python benchmarks/scaling.py [--repeats 5] [--axis examples] [--json OUT] [--picture docs/scaling.svg]

Random Llamas of width 128 on one thread, processor seconds, the repeats interleaved over all sizes of an axis so that
a machine that slows down slows all of them. The exponent is the slope of log cost over log size by least squares, of
each repeat by itself: the median of the repeats and their range. The last exponent is that of medians between the two
largest sizes, where fixed work hides least of what grows faster. With layers and heads the cost is to be linear in the
number of edges, whose exponents are given. Nothing is asserted; where an exponent is above 1.2 there is a warning.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import click
import numpy as np
import torch
from costs import cpu_seconds
from scaling_axes import PLAIN, Axis, axes
from scaling_plot import draw

from mibench.core.files import atomic_write

LIMIT = 1.2
"""An exponent above it is told, where it should be 1 or less."""


@dataclass(frozen=True)
class Growth:
    """How the cost of one piece of work grows along an axis.

    Attributes:
        axis: What grows.
        work: Whose cost.
        sizes: Along the axis.
        x: What the cost is to be linear in, at each size.
        seconds: ``[repeats][sizes]``.
        plain: The same of a plain forward pass of the same prompts; none where there is no such pass.
    """

    axis: str
    work: str
    sizes: tuple[int, ...]
    x: tuple[float, ...]
    seconds: list[list[float]]
    plain: list[list[float]]

    @property
    def exponents(self) -> tuple[float, float, float]:
        """Median, smallest and largest of the repeats."""
        found = [slope(self.x, repeat) for repeat in self.seconds]
        return statistics.median(found), min(found), max(found)

    @property
    def last(self) -> float:
        """Exponent of the medians between the two largest sizes."""
        return slope(self.x[-2:], self.medians[-2:])

    @property
    def of_size(self) -> float:
        """Exponent of the medians over the sizes themselves, where x is something else."""
        return slope(self.sizes, self.medians)

    @property
    def medians(self) -> list[float]:
        """Seconds at each size."""
        return [statistics.median(column) for column in zip(*self.seconds, strict=True)]

    @property
    def ratios(self) -> list[float] | None:
        """Cost at each size in plain forward passes of the same prompts."""
        if not self.plain:
            return None
        units = [statistics.median(column) for column in zip(*self.plain, strict=True)]
        return [seconds / unit for seconds, unit in zip(self.medians, units, strict=True)]

    @property
    def steep(self) -> bool:
        """Whether it grows faster than it should."""
        return self.work != PLAIN and max(self.exponents[0], self.last) > LIMIT

    @property
    def content(self) -> dict[str, Any]:
        """As JSON values."""
        own = {"axis": self.axis, "work": self.work, "sizes": self.sizes, "x": self.x, "seconds": self.seconds}
        own["plain_seconds"] = self.plain
        return own | {
            "exponent": self.exponents,
            "last_exponent": self.last,
            "of_size": self.of_size,
            "plain_forwards": self.ratios,
        }


def known_growth(content: dict[str, Any]) -> Growth:
    """What an earlier run wrote, from its JSON values."""
    size, x = tuple(content["sizes"]), tuple(content["x"])
    return Growth(content["axis"], content["work"], size, x, content["seconds"], content["plain_seconds"])


def slope(x: Sequence[float], y: Sequence[float]) -> float:
    """Exponent of the power of x that is nearest to y, by least squares of logarithms."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def uncollected_seconds(task: Callable[[], object]) -> float:
    """Processor seconds of one call, without collecting what other calls left."""
    gc.collect()
    gc.disable()
    try:
        return cpu_seconds(task)
    finally:
        gc.enable()


def measure(axis: Axis, repeats: int) -> list[Growth]:
    """Time all work of an axis at all sizes, after one call of each to warm up."""
    made = [axis.make(value) for value in axis.values]
    for tasks in made:
        for task in tasks.values():
            task()
    times = {name: [[uncollected_seconds(tasks[name]) for tasks in made] for _ in range(repeats)] for name in made[0]}
    x = tuple(axis.x(value) for value in axis.values)
    plain = times.get(PLAIN, [])
    return [Growth(axis.name, name, axis.values, x, seconds, plain) for name, seconds in times.items()]


def line(growth: Growth) -> str:
    """A row of the table."""
    median, low, high = growth.exponents
    ratios = growth.ratios
    ends = "" if ratios is None else f"{ratios[0]:8.2f} to {ratios[-1]:8.2f}"
    sizes = f"{growth.sizes[0]} to {growth.sizes[-1]}"
    told = f"   WARNING: above {LIMIT}" if growth.steep else ""
    exponents = f"{median:5.2f} ({low:.2f} to {high:.2f})  last {growth.last:5.2f}"
    if growth.x != tuple(float(size) for size in growth.sizes):
        exponents += f"  of edges; of {growth.axis} {growth.of_size:.2f}"
    return f"{growth.axis:22s} {sizes:13s} {growth.work:28s} {exponents}  {ends:20s} {growth.medians[-1]:8.3f} s{told}"


@click.command()
@click.option("--repeats", default=5, show_default=True, type=click.IntRange(1))
@click.option("--axis", "names", multiple=True, help="What grows.  [default: everything]")
@click.option("--add", "added", type=click.Path(path_type=Path, exists=True), help="Earlier JSON, for axes left out.")
@click.option("--quick", is_flag=True, help="Two small sizes of each, to see that it works.")
@click.option("--json", "out", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--picture", type=click.Path(path_type=Path, dir_okay=False), help="An SVG of all of it.")
def main(
    *, repeats: int, names: tuple[str, ...], added: Path | None, quick: bool, out: Path | None, picture: Path | None
) -> None:
    """Print how each cost grows, its exponents with their range, and its ratio to plain passes at both ends."""
    torch.set_num_threads(1)
    gc.freeze()  # what was imported is never looked through again
    known = axes(quick=quick)
    unknown = sorted(set(names) - {axis.name for axis in known})
    if unknown:
        raise click.BadParameter(f"{unknown[0]}; known: {', '.join(axis.name for axis in known)}", param_hint="--axis")
    click.echo("what grows, sizes, work, exponent (range of the repeats), cost in plain forward passes, at the largest")
    earlier = [known_growth(one) for one in json.loads(added.read_text())] if added else []
    found = []
    for axis in known:
        if not names or axis.name in names:
            for growth in measure(axis, repeats):
                found.append(growth)
                click.echo(line(growth))
        else:
            found += [growth for growth in earlier if growth.axis == axis.name]
    if out is not None:
        atomic_write(out, json.dumps([growth.content for growth in found], indent=2) + "\n")
    if picture is not None:
        draw(found, picture)


if __name__ == "__main__":
    main()
