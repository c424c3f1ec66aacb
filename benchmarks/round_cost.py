"""What a full round of MIB costs in H100-hours: an estimate by arithmetic, printed with all that it rests on.

    python benchmarks/round_cost.py [--json OUT] [--cells]

Measured: the forward and backward passes of a method and of its scoring, from the records of this repository
(SmolLM2-135M). Known: sizes of models and of MIB's public splits, and the runs `mib_circuit` and `mib_variable`.
Assumed, and said in the output: tokens of a prompt, and what share of the card's peak is reached. A pass takes
2 · parameters · tokens operations, a backward pass towards activations as many again; products of edges take
2 · edges · d_model · tokens, in float32. Rows that models get wrong are left out of real cells, here they are in: so
the causal-variable track is an upper bound as far as rows go. Loading, downloading and waiting are not in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
from round_passes import CircuitPasses, VariablePasses, circuit_passes, variable_passes
from shapes import SHAPES, Shape

from mibench.core.files import atomic_write
from mibench.runner.settings import RunSettings, read_run_file, run_settings
from mibench.tasks.variable_task import load_variable_task

HOUR = 3600.0
BF16_PEAK, FLOAT32_PEAK = 989e12, 67e12
"""Of an H100 SXM, dense: 16-bit tensor cores, and float32 without TF32."""
SHARES = (0.4, 0.2)
"""Assumed shares of the peak, of either: the cheap and the dear end."""
LAUNCH_SECONDS = 0.01
"""Assumed at the dear end for each batch of a pass and each step of training, beside its arithmetic: about a thousand
kernels are launched, which small batches do not hide."""
MODELS = {"llama-3.1-8b-instruct": "llama-3.1-8b"}
TEST_ROWS = {"ioi": 1000, "mcqa": 50, "arc-easy": 1188, "arc-challenge": 586, "ravel": 1000}
TRAIN_ROWS = {"ioi": 10_000, "mcqa": 110, "arc-easy": 2251, "ravel": 100_347, "arithmetic-addition": 34_440}
"""Of MIB's public splits; 1,000 test rows where nothing is said."""
TOKENS = {"ioi": 20, "mcqa": 36, "arc-easy": 75, "arc-challenge": 85, "ravel": 30}
"""Assumed tokens of a prompt; 15 of a sum."""
BIG_CURVE = 8
"""Circuits of 5 % of the edges or more, of both curves: these add up what nearly all sources write. Fewer where both
rankings are one, as of random scores."""


@dataclass(frozen=True)
class Line:
    """One cell under one method.

    Attributes:
        track: Of the cell.
        cell: Task, variable and model, for people.
        model: Whose shape.
        method: Name.
        forward: Forward passes of an example.
        backward: Backward passes of an example.
        operations: Of all passes.
        sums: Of products of edges and of rotations, in float32.
        launches: Batches of all passes, in the circuit track; steps of training, in the other.
        float32: Whether the model itself runs in float32.
        measured: Whether its passes are measured on this task's like; else they are estimated.
    """

    track: str
    cell: str
    model: str
    method: str
    forward: float
    backward: float
    operations: float
    sums: float
    launches: float = 0.0
    float32: bool = False
    measured: bool = True

    @property
    def hours(self) -> tuple[float, float]:
        """On an H100, from the cheap to the dear end."""
        low, high = (
            self.operations / (share * (FLOAT32_PEAK if self.float32 else BF16_PEAK))
            + self.sums / (share * FLOAT32_PEAK)
            for share in SHARES
        )
        return low / HOUR, (high + LAUNCH_SECONDS * self.launches) / HOUR


def of_circuits(settings: RunSettings, known: dict[str, CircuitPasses]) -> list[Line]:
    """The cells of the circuit track, the floor's draw among the methods."""
    found = []
    for cell in settings.chosen_cells:
        own = settings.of_cell(cell)
        if cell.model not in SHAPES:  # InterpBench has less than a hundredth of GPT-2's parameters
            continue
        shape, task = SHAPES[cell.model], _short(cell.task)
        tokens, test, train = TOKENS.get(task, 15), TEST_ROWS.get(task, 1000), own.train_examples or TRAIN_ROWS[task]
        for method in ("random", *settings.methods):
            passes = known[method]
            line = Line("circuit", f"{task} on {cell.model}", cell.model, method, 0, 0, 0, 0)
            forward = passes.forward * train + passes.scoring * test
            backward = passes.backward * train
            products = (train if passes.forward else 0) + min(BIG_CURVE, passes.scoring - 2) * test
            found.append(
                replace(
                    line,
                    forward=forward,
                    backward=backward,
                    operations=(forward + backward) * shape.pass_flops(tokens),
                    sums=products * shape.score_flops(tokens),
                    launches=(forward + backward) / own.batch_size,
                    float32=own.dtype == "float32",
                )
            )
    return found


def of_variables(settings: RunSettings, known: dict[str, VariablePasses]) -> list[Line]:
    """The cells of the causal-variable track."""
    found = []
    for cell in settings.chosen_cells:
        own, task = settings.of_cell(cell), _short(cell.task)
        model = MODELS.get(cell.model, cell.model)
        name = f"{task} {own.variable[0]} on {cell.model}"
        for method in settings.methods:
            line = Line("variable", name, model, method, 0, 0, 0, 0, float32=own.dtype == "float32")
            found.append(_of_variable(line, own, known[task], SHAPES[model]))
    return found


def _of_variable(line: Line, own: RunSettings, passes: VariablePasses, shape: Shape) -> Line:
    """One method: what it trains, and what its scoring takes."""
    task = _short(own.task[0])
    parts = load_variable_task(own.task[0]).parts
    sites, groups = (2, 3) if task == "ioi" else (shape.n_layers * len(own.position),) * 2
    trainings = 1 if task == "ioi" else sites
    sets, tokens = len(parts.sets), TOKENS.get(task, 15)
    train = sets * min(TRAIN_ROWS[task], own.train_examples or TRAIN_ROWS[task])
    trained = line.method != "full-vector"
    seen = trained * trainings * parts.training.epochs * train
    read = trained * 2.0 * train * (2 if line.method == "dbm-pca" else 1)
    forward = read + seen * passes.step + sets * TEST_ROWS.get(task, 1000) * (2 + groups * passes.scoring)
    backward, steps = seen * passes.step, seen / parts.training.batch
    rotations = steps * _rotation(line.method, own.variable[0], parts.sizes, shape) * (sites / trainings)
    return replace(
        line,
        forward=forward,
        backward=backward,
        operations=(forward + backward) * shape.pass_flops(tokens),
        sums=rotations,
        launches=steps,
        measured=passes.measured and line.method != "dbm-pca",
    )


def _rotation(method: str, variable: str, sizes: Any, shape: Shape) -> float:
    """Operations of orthonormal columns, there and back, in a step: about 10 · d · k²."""
    asked = sizes.get(variable, 16)
    share = {"d/2": 2, "d/8": 8}
    k = shape.d_model // share[asked] if asked in share else int(asked)
    return 10.0 * shape.d_model * k * k if method == "das" else 0.0


def _short(task: str) -> str:
    return task.removeprefix("mib/")


def total(lines: Iterable[Line]) -> tuple[float, float]:
    """Hours of several lines, from the cheap to the dear end."""
    hours = [line.hours for line in lines]
    return sum(low for low, _ in hours), sum(high for _, high in hours)


def _hours(pair: tuple[float, float]) -> str:
    return " to ".join(f"{value:.2f}" if value < 10 else f"{value:.0f}" for value in pair)


def table(lines: list[Line]) -> str:
    """Hours by track, model and method, as Markdown."""
    rows = [
        "| track | model | cells | method | forward passes | backward passes | H100-hours |",
        "|---|---|---|---|---|---|---|",
    ]
    keys = dict.fromkeys((line.track, line.model, line.method) for line in lines)
    for track, model, method in keys:
        own = [line for line in lines if (line.track, line.model, line.method) == (track, model, method)]
        sums = [f"{sum(values):,.0f}" for values in ([one.forward for one in own], [one.backward for one in own])]
        rows.append(f"| {track} | {model} | {len(own)} | {method} | {sums[0]} | {sums[1]} | {_hours(total(own))} |")
    for track in dict.fromkeys(line.track for line in lines):
        own = [line for line in lines if line.track == track]
        cells = len({line.cell for line in own})
        rows.append(f"| {track} | all | {cells} | all | | | **{_hours(total(own))}** |")
    return "\n".join([*rows, f"| both | all | | all | | | **{_hours(total(lines))}** |"])


def by_cell(lines: list[Line]) -> str:
    """Hours by cell and method, as Markdown."""
    rows = [
        "| cell | method | passes | forward | backward | PFLOP | float32 PFLOP | H100-hours |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for line in lines:
        basis = "measured" if line.measured else "estimated"
        work = f"{line.operations / 1e15:.2f} | {line.sums / 1e15:.2f} | {_hours(line.hours)}"
        rows.append(f"| {line.cell} | {line.method} | {basis} | {line.forward:,.0f} | {line.backward:,.0f} | {work} |")
    return "\n".join(rows)


def all_lines() -> list[Line]:
    """Both tracks."""
    circuit, variable = (run_settings(read_run_file(name)) for name in ("mib_circuit", "mib_variable"))
    return of_circuits(circuit, circuit_passes()) + of_variables(variable, variable_passes())


@click.command()
@click.option("--cells", is_flag=True, help="Every cell by itself.")
@click.option("--json", "out", type=click.Path(path_type=Path, dir_okay=False))
def main(*, cells: bool, out: Path | None) -> None:
    """Print the estimate."""
    lines = all_lines()
    click.echo(
        f"Assumed: {SHARES[1]:.0%} to {SHARES[0]:.0%} of {BF16_PEAK / 1e12:g} TFLOP/s in 16 bits and of "
        f"{FLOAT32_PEAK / 1e12:g} in float32; {LAUNCH_SECONDS * 1e3:g} ms a batch or training step at the dear end."
    )
    click.echo(by_cell(lines) if cells else table(lines))
    if out is not None:
        content = [{**vars(line), "hours": line.hours} for line in lines]
        atomic_write(out, json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
