"""What running a cell costs besides the cell: per cell of 1,000 trivial ones, made and reused, and memory over them.

python benchmarks/scheduling.py [--cells 1000] [--executor serial --executor process] [--workers 2]

The cell itself is what its record says that method and scoring took; all else counts as overhead: claim, plan,
provenance, writing and flushing the record with its tables, log, events, and, for the process executor, workers that
wait. The start of workers, that is importing torch, is told by itself. Processor time is told beside wall time: on a
machine that does other things too, it is what counts.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from statistics import median

import click
import psutil

from mibench.runner.driving.events import Event
from mibench.runner.execute import run
from mibench.runner.observe import Quiet
from mibench.runner.report import Report
from mibench.runner.settings import RunSettings, run_settings

TARGET_MS = 50.0
TARGET_GROWTH = 0.05
MODEL = Path(__file__).parents[1] / "tests" / "golden" / "tiny_gpt2"
WINDOW = 20


class Watch(Quiet):
    """Notes when the first cell ends, and the memory of workers and driver as cells end."""

    def __init__(self) -> None:
        self.first: float | None = None
        self.resident: dict[int, list[int]] = {}
        self.cpu: dict[int, list[float]] = {}

    def heard(self, event: Event, done: int, total: int) -> None:  # noqa: ARG002
        """A worker tells of a job."""
        if event.event != "done":
            return
        self.first = self.first or time.monotonic()
        for pid in {event.pid, os.getpid()}:
            self.cpu.setdefault(pid, []).append(processor_seconds(pid))
            try:
                self.resident.setdefault(pid, []).append(psutil.Process(pid).memory_info().rss)
            except psutil.Error:
                continue

    def growth(self, begin: int) -> dict[int, tuple[float, float, float]]:
        """By process: memory after ``begin`` of its cells and at its end in MiB, and by what share it has grown."""
        found = {}
        for pid, sizes in self.resident.items():
            early, late = median(sizes[begin : begin + WINDOW]), median(sizes[-WINDOW:])
            found[pid] = early / 2**20, late / 2**20, late / early - 1
        return found


def processor_seconds(pid: int) -> float:
    """What a process has taken so far; what its children took that have ended counts too."""
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)


def settings(folder: Path, cells: int, executor: str, workers: int) -> RunSettings:
    """A run of so many random rankings on one pair."""
    task = folder / "one.jsonl"
    task.write_text((MODEL / "pairs_A.jsonl").read_text().splitlines()[0] + "\n")
    told = {"task": str(task), "model": str(MODEL), "method": "random", "seeds": cells, "floor_draws": 5}
    told |= {"split": "test", "level": "node", "out": str(folder / executor), "executor": executor}
    return run_settings(told | {"workers": 1 if executor == "serial" else workers})


def timed(asked: RunSettings) -> tuple[Report, Watch, float, float]:
    """A run: report, memory, seconds to its first cell, and seconds from there."""
    watch, start = Watch(), time.monotonic()
    report = run(asked, watch)
    end = time.monotonic()
    first = watch.first or end
    return report, watch, first - start, end - first


@click.command()
@click.option("--cells", default=1000, show_default=True)
@click.option("--executor", "executors", multiple=True, default=["serial", "process"], show_default=True)
@click.option("--workers", default=2, show_default=True)
def main(cells: int, executors: tuple[str, ...], workers: int) -> None:
    """Print overhead a cell and growth of memory; exit 1 where a target is missed."""
    missed = False
    with tempfile.TemporaryDirectory() as name:
        for executor in executors:
            asked = settings(Path(name), cells, executor, workers)
            missed |= _made(asked)
            missed |= _reused(asked)
    raise SystemExit(1 if missed else 0)


def _made(asked: RunSettings) -> bool:
    report, watch, start, seconds = timed(asked)
    own = [record.volatile.cost.seconds for _, record in report.jobs if record.volatile.cost is not None]
    overhead = 1000 * (seconds * asked.workers - sum(own)) / len(own)
    click.echo(f"{asked.executor}, {len(own)} cells on {asked.workers} worker(s)")
    spent = sum(max(times) - times[0] for times in watch.cpu.values())
    in_cells = sum(record.volatile.cost.cpu_seconds or 0.0 for _, record in report.jobs if record.volatile.cost)
    cpu = 1000 * (spent - in_cells) / len(own)
    click.echo(f"  to the first cell  {start:7.1f} s")
    click.echo(f"  the cell itself    {1000 * sum(own) / len(own):7.1f} ms")
    click.echo(f"  overhead a cell    {overhead:7.1f} ms, of it processor {cpu:.1f} ms  (target {TARGET_MS:.0f})")
    grown = watch.growth(max(1, len(own) // (10 * asked.workers)))
    for pid, (early, late, share) in grown.items():
        who = "driver" if pid == os.getpid() else "worker"
        click.echo(f"  memory of a {who}   {early:7.1f} to {late:.1f} MiB: {100 * share:+.1f} % (target +5)")
    return cpu > TARGET_MS or any(share > TARGET_GROWTH for *_, share in grown.values())


def _reused(asked: RunSettings) -> bool:
    report, _, start, seconds = timed(asked)
    took = 1000 * seconds * asked.workers / len(report.jobs)
    click.echo(
        f"  a reused cell      {took:7.1f} ms  ({len(report.reused)} of {len(report.jobs)}, after {start:.1f} s)"
    )
    return took > TARGET_MS


if __name__ == "__main__":
    main()
