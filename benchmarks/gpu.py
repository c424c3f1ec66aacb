"""Speed and memory of every engine at the sizes of MIB's models, with random weights: nothing is downloaded.

    python benchmarks/gpu.py [--shape llama-3.1-8b] [--batch 16] [--tokens 64] [--repeats 5] [--json OUT]

One batch of random prompts, which share no first token with their counterfactuals, so that nothing can be reused. A
row is the median of the repeats after a warm-up, the device synchronised before and after. Its ratios are to a plain
forward pass, and to one with a backward pass towards the embeddings, of the same prompts in the same run. Work is
counted as it is needed: 2 operations for each matrix entry and token of the passes that the engine reports, those of
edge scores (2 · edges · d_model a token, in float32) and of dictionaries; attention scores, norms and what a circuit
adds up are left out. Its share of the card's dense bf16 peak is said where that peak is known. Memory is what torch has
allocated at most, the weights included; on a CPU, this process's largest resident size so far. There processor seconds
of one thread are timed. What runs out of memory is told, and the rest goes on.
"""

from __future__ import annotations

import gc
import json
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import torch
import transformers
from costs import cpu_seconds, resident_peak
from gpu_ground import Ground, Passes
from gpu_work import Work, works
from shapes import SHAPES, Shape

from mibench.core.files import atomic_write

LARGE = ("qwen2.5-0.5b", "gemma-2-2b", "llama-3.1-8b")
PEAKS = {"H100 80GB HBM3": 989.0, "H200": 989.0, "A100": 312.0, "L40S": 362.0, "RTX 4090": 165.0}
"""Dense bf16 peak in TFLOP/s, by what the name of the device contains."""
OTHER_CARDS = ("H200 NVL",)
"""Whose names contain one of those, but whose peak is another."""
OUT_OF_MEMORY = (torch.OutOfMemoryError, MemoryError)


@dataclass(frozen=True)
class Machine:
    """The device, and how it is timed.

    Attributes:
        device: Of torch.
    """

    device: torch.device

    @property
    def cuda(self) -> bool:
        """Whether it is a graphics card."""
        return self.device.type == "cuda"

    @property
    def name(self) -> str:
        """Of the device."""
        return torch.cuda.get_device_name(self.device) if self.cuda else (platform.processor() or platform.machine())

    @property
    def peak(self) -> float | None:
        """Its dense bf16 peak in operations a second; None: not known."""
        return peak_of(self.name) if self.cuda else None

    def seconds(self, task: Callable[[], object]) -> float:
        """Of one call: wall time between two synchronisations, or processor time."""
        if not self.cuda:
            return cpu_seconds(task)
        torch.cuda.synchronize(self.device)
        start = time.perf_counter()
        task()
        torch.cuda.synchronize(self.device)
        return time.perf_counter() - start

    def forget(self) -> None:
        """Give back what nobody holds."""
        gc.collect()
        if self.cuda:
            torch.cuda.empty_cache()

    def watch(self) -> None:
        """Begin to look for the largest use anew."""
        if self.cuda:
            torch.cuda.reset_peak_memory_stats(self.device)

    def memory(self) -> int:
        """Largest use, in bytes."""
        if self.cuda:
            return int(torch.cuda.max_memory_allocated(self.device))
        return resident_peak()

    def described(self, dtype: str) -> str:
        """The device and all versions, in a line."""
        parts = [f"device: {self.name}", dtype, f"matmul precision {torch.get_float32_matmul_precision()}"]
        parts += [
            f"torch {torch.__version__}",
            f"transformers {transformers.__version__}",
            f"Python {platform.python_version()}",
        ]
        if self.cuda:
            major, minor = torch.cuda.get_device_capability(self.device)
            known = "not known" if self.peak is None else f"{self.peak / 1e12:g} TFLOP/s"
            total = torch.cuda.get_device_properties(self.device).total_memory / 2**30
            parts += [f"CUDA {torch.version.cuda}", f"sm_{major}{minor}", f"{total:.0f} GiB", f"bf16 peak {known}"]
        return ", ".join(part.strip() for part in parts)


def peak_of(name: str) -> float | None:
    """Dense bf16 peak of a card in operations a second; None: not known."""
    if any(other in name for other in OTHER_CARDS):
        return None
    return next((peak * 1e12 for part, peak in PEAKS.items() if part in name), None)


@dataclass
class Row:
    """What one piece of work took.

    Attributes:
        name: Of the work.
        seconds: Of each repeat.
        passes: Forward and backward passes of a prompt that it made.
        tokens: Tokens of the data that it went through.
        operations: Multiplications and additions that it needed.
        memory: Bytes, at most.
        problem: Why there is nothing, if so.
    """

    name: str
    seconds: list[float] = field(default_factory=list)
    passes: tuple[float, float] = (0.0, 0.0)
    tokens: int = 0
    operations: float = 0.0
    memory: int = 0
    problem: str | None = None

    @property
    def median(self) -> float:
        """Seconds."""
        return statistics.median(self.seconds)


def measured(work: Work, ground: Ground, machine: Machine, repeats: int) -> Row:
    """Time one piece of work; out of memory, its row says so."""
    machine.forget()
    counter = Passes()
    try:
        work.task(counter)
        machine.watch()
        seconds = [machine.seconds(lambda: work.task(Passes())) for _ in range(repeats)]
    except OUT_OF_MEMORY as error:
        return Row(
            work.name, problem=f"out of memory: {str(error).splitlines()[0] if str(error) else 'no more is said'}"
        )
    passes = (counter.forwards, counter.backwards)
    operations = sum(passes) * ground.shape.pass_flops(ground.tokens) + work.operations
    return Row(work.name, seconds, passes, work.tokens, operations, machine.memory())


def said(error: BaseException) -> str:
    """Why there is nothing, in a line."""
    return " ".join(["out of memory.", *str(error).splitlines()[:1]])


def rows_of(ground: Ground, machine: Machine, repeats: int) -> Iterator[Row]:
    """Time everything on one model, one piece after the other."""
    for work in works(ground):
        yield measured(work, ground, machine, repeats)


def line(row: Row, units: dict[str, Row], peak: float | None) -> str:
    """A row as text."""
    if row.problem is not None:
        return f"  {row.name:35s} {row.problem}"
    ratios = "".join(f"{ratio(row, units.get(name)):>9}" for name in ("forward", "forward and backward"))
    share = "" if peak is None else f"{100 * row.operations / row.median / peak:7.1f} %"
    spread = f"({min(row.seconds):.4f} to {max(row.seconds):.4f})"
    speed = f"{row.tokens / row.median:11,.0f}"
    return f"  {row.name:35s} {row.median:9.4f} {spread:22s}{ratios} {speed} {row.memory / 2**30:8.2f} {share}"


def ratio(row: Row, unit: Row | None) -> str:
    """How many units a row took, as text."""
    return "-" if unit is None or unit.problem else f"{row.median / unit.median:.2f}"


HEADER = (
    f"  {'':35s} {'seconds':>9s} {'(range)':22s}{'/forward':>9s}{'/fw+bw':>9s} {'tokens/s':>11s} {'GiB':>8s}  % of peak"
)


def content(row: Row, units: dict[str, Row], peak: float | None) -> dict[str, Any]:
    """A row as JSON values; what is not known is null."""
    if row.problem is not None:
        return {"name": row.name, "problem": row.problem}
    known = {name: units[name].median for name in units if units[name].problem is None}
    return {
        "name": row.name,
        "seconds": row.seconds,
        "median_seconds": row.median,
        "forward_passes": row.passes[0],
        "backward_passes": row.passes[1],
        "tokens_per_second": row.tokens / row.median,
        "operations": row.operations,
        "share_of_peak": None if peak is None else row.operations / row.median / peak,
        "peak_bytes": row.memory,
        "ratios": {name: row.median / unit for name, unit in known.items()},
    }


@dataclass(frozen=True)
class Bench:
    """How all shapes are run.

    Attributes:
        machine: Where.
        dtype: Type of the weights.
        batch: Prompts.
        tokens: Of each.
        repeats: Of each row.
    """

    machine: Machine
    dtype: str
    batch: int
    tokens: int
    repeats: int

    def of(self, shape: Shape) -> dict[str, Any]:
        """Run a shape, printing each row as it is known."""
        click.echo(f"{shape.name}: {self.batch} prompts of {self.tokens} tokens, attention {shape.attention}")
        started = time.perf_counter()
        self.machine.forget()
        found: dict[str, Any] = {"shape": shape.name, "batch": self.batch, "tokens": self.tokens, "rows": []}
        try:
            ground = Ground.make(shape, self.machine.device, getattr(torch, self.dtype), (self.batch, self.tokens))
        except OUT_OF_MEMORY as error:
            click.echo(f"  the model does not fit: {said(error)}")
            return found | {"problem": f"the model does not fit: {said(error)}"}
        click.echo(HEADER)
        units: dict[str, Row] = {}
        for row in rows_of(ground, self.machine, self.repeats):
            if row.name in {"forward", "forward and backward"}:
                units[row.name] = row
            click.echo(line(row, units, self.machine.peak))
            found["rows"].append(content(row, units, self.machine.peak))
        return found | {"wall_seconds": time.perf_counter() - started}


@click.command()
@click.option(
    "--shape", "names", type=click.Choice(list(SHAPES)), multiple=True, help="[default: the large ones; tiny on a CPU]"
)
@click.option("--batch", default=16, show_default=True, type=click.IntRange(1), help="Prompts.")
@click.option("--tokens", default=64, show_default=True, type=click.IntRange(4), help="Tokens of a prompt.")
@click.option("--device", default=None, help="[default: cuda if there is one]")
@click.option("--dtype", default="bfloat16", show_default=True, type=click.Choice(["bfloat16", "float16", "float32"]))
@click.option("--repeats", default=5, show_default=True, type=click.IntRange(1))
@click.option("--json", "out", type=click.Path(path_type=Path, dir_okay=False), help="Written after each shape.")
def main(  # noqa: PLR0913 - one a flag
    *, names: tuple[str, ...], batch: int, tokens: int, device: str | None, dtype: str, repeats: int, out: Path | None
) -> None:
    """Print speed and memory of every engine at each shape, small ones first; exit 1 where memory ran out."""
    machine = Machine(torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu")))
    if not machine.cuda:
        torch.set_num_threads(1)
    gc.freeze()  # what was imported is never looked through again
    bench = Bench(machine, dtype, batch, tokens, repeats)
    about = machine.described(dtype)
    click.echo(about)
    results: list[dict[str, Any]] = []
    chosen = names or (LARGE if machine.cuda else ("tiny",))
    for name in [name for name in SHAPES if name in chosen]:
        results.append(bench.of(SHAPES[name]))
        if out is not None:
            atomic_write(out, json.dumps({"about": about, "shapes": results}, indent=2) + "\n")
    short = [found for found in results if "problem" in found or any("problem" in row for row in found["rows"])]
    raise SystemExit(1 if short else 0)


if __name__ == "__main__":
    main()
