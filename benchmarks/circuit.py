"""What the circuit track costs, in plain forward passes of the same prompts, and next to the usual way to do it.

    python benchmarks/circuit.py [--repeats 5] [--length 17] [--json]

One thread, CPU seconds of this process, medians of the repeats, which are interleaved so that a machine that slows
down slows all rows. The unit is one plain forward pass of the same batches (last-position logits, no cache). The
prompts are the first 20 of the shipped IOI test split that have one length in tokens. Rows "no shared prefix" have
the first token of every counterfactual prompt changed, so that nothing can be reused. The usual way is
``benchmarks/straightforward.py``, on the first 5 of these prompts, since it takes long; both ways must agree there
before they are timed. So few prompts favour the usual way: mibench's share of fixed work is larger.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

os.environ["OMP_NUM_THREADS"] = "1"

import click
import numpy as np
import straightforward
import torch

from mibench.artifacts.circuit import CircuitScores
from mibench.core.specs import Level, Ranking
from mibench.engine.attribution.edges import Attribution, attribute_edges
from mibench.engine.circuits.evaluate import Evaluation, evaluate
from mibench.engine.model import LanguageModel
from mibench.engine.run import forward
from mibench.graph.circuit import Circuit
from mibench.graph.select import circuit_of_edges, requested
from mibench.models.load import load_hf
from mibench.runner.cells.meter import Meter
from mibench.tasks.encode import EncodedPair, encode
from mibench.tasks.load import load_task
from mibench.tracks.select import circuits_of

N_PROMPTS = 20
N_COMPARED = 5
LEFT_5 = tuple(step / 5 for step in range(5))
AGREE = 1e-4
"""How closely both ways must agree, relative to the largest score or in logits."""

TARGETS = {
    "hooked forward": 1.1,
    "EAP": 3.6,
    "EAP-IG-inputs, 5 steps": 11.5,
    "1 % circuit": 1.0,
    "ten sizes": 8.0,
    "ten sizes, no shared prefix": 14.5,
    "whole cell: EAP-IG-5, both curves": 30.0,
}
"""At most so many plain forward passes; both runs of a curve are included, those of one circuit are not."""


@dataclass(frozen=True)
class Ground:
    """What is timed on: the model, prompts of one length, and circuits from their own EAP-IG scores."""

    model: LanguageModel
    pairs: list[EncodedPair]
    scores: np.ndarray

    @classmethod
    def load(cls, length: int | None) -> Ground:
        """The model, and the first prompts of one length (the commonest by default)."""
        hf = load_hf("smollm2-135m")
        pairs = encode(load_task("ioi").pairs("test"), hf.tokenizer, hf.vocab_size)
        length = length or statistics.mode(pair.length for pair in pairs)
        chosen = [pair for pair in pairs if pair.length == length][:N_PROMPTS]
        model = LanguageModel(hf.model)
        return cls(model, chosen, attribute_edges(model, chosen, Attribution(LEFT_5)))

    def fewer(self, n: int) -> Ground:
        """The same on the first ``n`` prompts."""
        return replace(
            self, pairs=self.pairs[:n], scores=attribute_edges(self.model, self.pairs[:n], Attribution(LEFT_5))
        )

    @property
    def unshared(self) -> list[EncodedPair]:
        """The same pairs, whose prompts differ from the first token on."""
        other = [(pair.counterfactual[0] + 1, *pair.counterfactual[1:]) for pair in self.pairs]
        return [replace(pair, counterfactual=ids) for pair, ids in zip(self.pairs, other, strict=True)]

    def sized(self, fraction: float) -> Circuit:
        """The circuit of the best edges by magnitude."""
        graph = self.model.graph
        return circuit_of_edges(graph, self.scores, requested(fraction, graph.n_edges), Ranking.ABSOLUTE)

    def curves(self, scores: np.ndarray) -> list[Circuit]:
        """Ten sizes under both rankings."""
        made = CircuitScores(self.model.graph, Level.EDGE, scores, d_model=self.model.anatomy.d_model)
        return [one.circuit for one in circuits_of(made)]

    def plain(self) -> None:
        """The unit."""
        with torch.no_grad():
            ids = torch.tensor([pair.clean for pair in self.pairs])
            self.model.hf(input_ids=ids, use_cache=False, logits_to_keep=1)

    def hooked(self) -> None:
        """The same with everything written down."""
        with torch.no_grad():
            forward(self.model, self.model.anatomy.embed(torch.tensor([pair.clean for pair in self.pairs])), None)


def work(ground: Ground) -> dict[str, Callable[[], object]]:
    """What is timed, by name; the first is the unit."""
    model, pairs, unshared = ground.model, ground.pairs, ground.unshared

    def scored(alphas: tuple[float, ...], on: list[EncodedPair] = pairs) -> Callable[[], np.ndarray]:
        return lambda: attribute_edges(model, on, Attribution(alphas))

    def curve(circuits: list[Circuit], on: list[EncodedPair] = pairs) -> Callable[[], object]:
        return lambda: evaluate(model, on, circuits, Evaluation())

    def cell() -> None:
        evaluate(model, pairs, ground.curves(attribute_edges(model, pairs, Attribution(LEFT_5))), Evaluation())

    both = ground.curves(ground.scores)
    signed, absolute = both[:10], both[10:]
    return {
        "plain forward (the unit)": ground.plain,
        "hooked forward": ground.hooked,
        "EAP": scored((1.0,)),
        "EAP, no shared prefix": scored((1.0,), unshared),
        "EAP-IG-inputs, 5 steps": scored(LEFT_5),
        "EAP-IG-inputs, 5 steps, no shared prefix": scored(LEFT_5, unshared),
        "both runs, no circuit": curve([]),
        "1 % circuit and both runs": curve([ground.sized(0.01)]),
        "50 % circuit and both runs": curve([ground.sized(0.5)]),
        "ten sizes": curve(absolute),
        "ten sizes, signed": curve(signed),
        "ten sizes, no shared prefix": curve(absolute, unshared),
        "ten sizes, both rankings": curve(both),
        "whole cell: EAP-IG-5, both curves": cell,
    }


def both_ways(ground: Ground) -> dict[str, Callable[[], object]]:
    """The same done by mibench and the usual way, after checking that both give the same."""
    model, pairs, plain = ground.model, ground.pairs, straightforward.PlainLlama(ground.model.hf)
    expected = straightforward.attribute(plain, pairs, 5).numpy()
    check("EAP-IG scores", np.abs(expected - ground.scores).max() / np.abs(expected).max())
    found: dict[str, Callable[[], object]] = {
        "plain": ground.plain,
        "EAP": lambda: attribute_edges(model, pairs, Attribution()),
        "usual EAP": lambda: straightforward.attribute(plain, pairs, 0),
        "EAP-IG-inputs, 5 steps": lambda: attribute_edges(model, pairs, Attribution(LEFT_5)),
        "usual EAP-IG-inputs, 5 steps": lambda: straightforward.attribute(plain, pairs, 5),
    }
    for fraction in (0.01, 0.5):
        circuit, name = ground.sized(fraction), f"{fraction:.0%} circuit and both runs".replace("%", " %")
        edges = torch.from_numpy(circuit.edges)
        found[name] = partial(evaluate, model, pairs, [circuit], Evaluation())
        found[f"usual {name}"] = partial(straightforward.evaluate, plain, pairs, edges)
        theirs = straightforward.evaluate(plain, pairs, edges).numpy()
        check("circuits", np.abs(evaluate(model, pairs, [circuit], Evaluation()).circuits[0] - theirs).max())
    return found


def check(what: str, difference: float) -> None:
    """Refuse to time two things that are not the same."""
    if not difference < AGREE:
        raise SystemExit(f"{what} of both ways differ by {difference:.1e}: nothing is timed.")


def cpu_seconds(task: Callable[[], object]) -> float:
    """Processor seconds of one call."""
    start = time.process_time()
    task()
    return time.process_time() - start


def measure(tasks: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Seconds of every task, after one call to warm up, interleaved."""
    for task in tasks.values():
        task()
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(repeats):
        for name, task in tasks.items():
            times[name].append(cpu_seconds(task))
    return times


def ratios(times: dict[str, list[float]]) -> dict[str, list[float]]:
    """Median, smallest and largest cost of every task in units; a circuit alone is without both runs."""
    unit = statistics.median(next(iter(times.values())))
    found = {name: [statistics.median(each), min(each), max(each)] for name, each in times.items()}
    runs = found["both runs, no circuit"][0]
    for size in ("1 %", "50 %"):
        found[f"{size} circuit"] = [each - runs for each in found[f"{size} circuit and both runs"]]
    return {name: [each / unit for each in three] for name, three in found.items()}


@click.command()
@click.option("--repeats", default=5, show_default=True)
@click.option("--length", type=int, help="Tokens of a prompt.  [default: the commonest]")
@click.option("--usual/--no-usual", "compare", default=True, help="Also time the usual way (minutes).")
@click.option("--json", "as_json", is_flag=True)
def main(repeats: int, length: int | None, *, compare: bool, as_json: bool) -> None:
    """Print the cost of each piece of the circuit track; exit 1 where a target is missed."""
    torch.set_num_threads(1)
    with Meter() as meter:
        ground = Ground.load(length)
        times = measure(work(ground), repeats)
    peak = meter.cost().peak_bytes or 0
    compared = measure(both_ways(ground.fewer(N_COMPARED)), repeats) if compare else {}
    found = ratios(times)
    result = {
        "model": "smollm2-135m (dequantised from GGUF Q4_1), float32",
        "prompts": len(ground.pairs),
        "tokens": ground.pairs[0].length,
        "shared_prefix": min(pair.first_difference or 0 for pair in ground.pairs),
        "repeats": repeats,
        "unit_cpu_seconds": statistics.median(next(iter(times.values()))),
        "peak_gib": peak / 2**30,
        "ratios": found,
        "missed": [name for name, target in TARGETS.items() if found[name][0] > target],
        "compared": {
            name: [
                statistics.median(compared[key]) / statistics.median(compared["plain"])
                for key in (name, f"usual {name}")
            ]
            for name in compared
            if f"usual {name}" in compared
        },
    }
    click.echo(json.dumps(result, indent=2) if as_json else table(result))
    raise SystemExit(1 if result["missed"] else 0)


def table(result: dict) -> str:
    """The result as text."""
    prompts = f"{result['prompts']} IOI prompts of {result['tokens']} tokens"
    unit, peak = f"{result['unit_cpu_seconds']:.3f} s", f"{result['peak_gib']:.2f} GiB"
    lines = [
        f"{result['model']}; {prompts}, first difference at {result['shared_prefix']}",
        f"one thread, CPU time, medians of {result['repeats']} (range); unit {unit}; peak memory {peak}",
    ]
    for name, (median, low, high) in result["ratios"].items():
        target = f"   target {TARGETS[name]:4.1f}" if name in TARGETS else ""
        lines.append(f"{name:42s} {median:7.2f}   ({low:.2f} to {high:.2f}){target}")
    for name, (ours, usual) in result["compared"].items():
        lines.append(
            f"{name:42s} {ours:7.2f}   usual way {usual:7.2f}: {usual / ours:5.1f} times ({N_COMPARED} prompts)"
        )
    return "\n".join([*lines, f"Missed: {', '.join(result['missed']) or 'none'}"])


if __name__ == "__main__":
    main()
