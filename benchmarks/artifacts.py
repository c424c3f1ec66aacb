"""What selecting circuits and reading and writing their scores cost, on graphs of large models.

    python benchmarks/artifacts.py [--json]

Random scores of every edge. Each row runs in a process of its own: CPU seconds of the task alone on one thread, and
the highest resident memory of the process, with what Python, numpy and (for .pt) torch take.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import click
import numpy as np
from costs import cpu_seconds, resident_peak

from mibench.artifacts.circuit import CircuitScores
from mibench.artifacts.files import load_scores, save_scores
from mibench.artifacts.selection import Rule, Selection
from mibench.core.specs import Level
from mibench.graph.graph import Graph
from mibench.tracks.select import circuits_of

GRAPHS = {"gemma-2-2b": (Graph(26, 8), 2304), "llama-3.1-8b": (Graph(32, 32), 4096)}
SUFFIXES = {"native": ".safetensors", ".pt": ".pt", "MIB JSON": ".json"}


def scores_of(model: str) -> CircuitScores:
    """Random scores of a model's edges."""
    graph, d_model = GRAPHS[model]
    values = np.random.default_rng(0).standard_t(2, size=graph.shape).astype(np.float32)
    return CircuitScores(graph, Level.EDGE, np.where(graph.real_mask, values, 0), d_model)


def select(rule: Rule) -> Callable[[CircuitScores, Path], object]:
    """Ten sizes under both rankings: selected, pruned and counted."""

    def task(scores: CircuitScores, folder: Path) -> object:  # noqa: ARG001
        chosen = CircuitScores(scores.graph, scores.level, scores.scores, selection=Selection(rule=rule))
        return [(one.circuit.n_edges, one.circuit.weighted_real_edges) for one in circuits_of(chosen)]

    return task


def save_and_load(suffix: str) -> Callable[[CircuitScores, Path], object]:
    """Checked and written; read and checked."""

    def task(scores: CircuitScores, folder: Path) -> object:
        save_scores(scores, folder / f"s{suffix}")
        return load_scores(folder / f"s{suffix}")

    return task


TASKS = {f"{rule}, 10 sizes, both rankings": select(rule) for rule in ("top-n", "greedy", "pnr")} | {
    f"{name}, save and load": save_and_load(suffix) for name, suffix in SUFFIXES.items()
}


def measure(model: str, task: str) -> dict[str, float]:
    """Seconds and peak memory of a task in this process."""
    scores = scores_of(model)
    if task.startswith(".pt"):
        import torch  # noqa: F401
    with tempfile.TemporaryDirectory() as folder:
        seconds = cpu_seconds(lambda: TASKS[task](scores, Path(folder)))
    return {"seconds": seconds, "peak_mb": resident_peak() / 2**20}


@click.command()
@click.option("--json", "as_json", is_flag=True)
@click.option("--only", nargs=2, hidden=True)
def main(only: tuple[str, str] | None, *, as_json: bool) -> None:
    """Print what each task costs."""
    if only:
        click.echo(json.dumps(measure(*only)))
        return
    rows = {model: {task: in_process(model, task) for task in TASKS} for model in GRAPHS}
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for model, tasks in rows.items():
        click.echo(f"{model}: {GRAPHS[model][0].n_edges:,} edges")
        for task, cost in tasks.items():
            click.echo(f"  {task:36s} {cost['seconds']:6.2f} s {cost['peak_mb']:7.0f} MB")


def in_process(model: str, task: str) -> dict[str, float]:
    """The same in a process of its own."""
    words = [sys.executable, __file__, "--only", model, task]
    found: dict[str, float] = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    return found


if __name__ == "__main__":
    main()
