"""Processor seconds, memory, and costs in plain forward passes beside targets: timed, held together and told."""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import click

Tasks = dict[str, Callable[[], object]]
"""What is timed, by name; where costs are told in units, the first is the unit."""
Times = Mapping[str, list[float]]
"""Seconds of every repeat, by task."""
AGREE = 1e-4
"""How closely two ways must agree, relative to the largest score or in logits."""


def check(what: str, difference: float) -> None:
    """Refuse to time two things that are not the same."""
    if not difference < AGREE:
        raise SystemExit(f"{what} of both ways differ by {difference:.1e}: nothing is timed.")


def cpu_seconds(task: Callable[[], object]) -> float:
    """Processor seconds of one call."""
    start = time.process_time()
    task()
    return time.process_time() - start


def resident_peak() -> int:
    """Bytes of this process's largest resident size so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def measure(tasks: Tasks, repeats: int) -> dict[str, list[float]]:
    """Seconds of every task, after one call to warm up, interleaved."""
    for task in tasks.values():
        task()
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(repeats):
        for name, task in tasks.items():
            times[name].append(cpu_seconds(task))
    return times


def unit_of(times: Times) -> float:
    """Median seconds of the first task."""
    return statistics.median(next(iter(times.values())))


def spread(values: list[float]) -> list[float]:
    """Median, smallest and largest."""
    return [statistics.median(values), min(values), max(values)]


def in_units(times: Times) -> dict[str, list[float]]:
    """Median, smallest and largest cost of every task in units."""
    unit = unit_of(times)
    return {name: [value / unit for value in spread(each)] for name, each in times.items()}


def beside_targets(
    times: Times, ratios: Mapping[str, list[float]], targets: Mapping[str, float], peak: int | None
) -> dict[str, Any]:
    """What a script tells of its track, as JSON values.

    Args:
        times: What was measured.
        ratios: Costs in units, those included that follow from others.
        targets: At most so many units, by name of a cost.
        peak: Bytes of the largest resident size; None: not known.
    """
    return {
        "repeats": len(next(iter(times.values()))),
        "unit_cpu_seconds": unit_of(times),
        "peak_gib": (peak or 0) / 2**30,
        "ratios": ratios,
        "targets": targets,
        "missed": [name for name, target in targets.items() if ratios[name][0] > target],
    }


def table(result: Mapping[str, Any], about: str, more: tuple[str, ...] = ()) -> str:
    """A result as text.

    Args:
        result: Of ``beside_targets``, with the model.
        about: What it was measured on, beside the model.
        more: Lines after the costs.
    """
    unit, peak = f"{result['unit_cpu_seconds']:.3f} s", f"{result['peak_gib']:.2f} GiB"
    lines = [
        f"{result['model']}; {about}",
        f"one thread, CPU time, medians of {result['repeats']} (range); unit {unit}; peak memory {peak}",
    ]
    for name, (median, low, high) in result["ratios"].items():
        target = f"   target {result['targets'][name]:5.2f}" if name in result["targets"] else ""
        lines.append(f"{name:45s} {median:7.2f}   ({low:.2f} to {high:.2f}){target}")
    return "\n".join([*lines, *more, f"Missed: {', '.join(result['missed']) or 'none'}"])


def finish(result: Mapping[str, Any], text: str, *, as_json: bool) -> NoReturn:
    """Print a result and end; status 1 where a target is missed."""
    click.echo(json.dumps(result, indent=2) if as_json else text)
    raise SystemExit(1 if result["missed"] else 0)
