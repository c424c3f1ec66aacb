"""What the circuit track costs, in plain forward passes of the same prompts.

    python benchmarks/circuit.py [--repeats 5] [--length 17] [--json]

One thread, CPU seconds of this process, medians of the repeats, which are interleaved so that a machine that slows
down slows all rows. The unit is one plain forward pass of the same batches (last-position logits, no cache). The
prompts are the first 20 of the shipped IOI test split that have one length in tokens.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable

os.environ["OMP_NUM_THREADS"] = "1"

import click
import torch

from mibench.artifacts.circuit import CircuitScores
from mibench.core.specs import Level, Ranking
from mibench.engine.attribute import Attribution, attribute_edges
from mibench.engine.evaluate import Evaluation, evaluate
from mibench.engine.model import LanguageModel
from mibench.graph.circuit import Circuit
from mibench.graph.select import circuit_of_edges, requested
from mibench.models.load import load_hf
from mibench.runner.meter import Meter
from mibench.tasks.encode import EncodedPair, encode
from mibench.tasks.load import load_task
from mibench.tracks.circuit import circuits_of

N_PROMPTS = 20
LEFT_5 = tuple(step / 5 for step in range(5))


def prompts(length: int | None) -> tuple[LanguageModel, list[EncodedPair]]:
    """The model, and the first prompts of one length (the commonest by default)."""
    hf = load_hf("smollm2-135m")
    pairs = encode(load_task("ioi").pairs("test"), hf.tokenizer, hf.vocab_size)
    length = length or statistics.mode(pair.length for pair in pairs)
    chosen = [pair for pair in pairs if pair.length == length][:N_PROMPTS]
    return LanguageModel(hf.model), chosen


def work(model: LanguageModel, pairs: list[EncodedPair]) -> dict[str, Callable[[], object]]:
    """What is timed, by name; the first is the unit."""
    ids = torch.tensor([pair.clean for pair in pairs])
    scores = attribute_edges(model, pairs, Attribution(LEFT_5))
    artifact = CircuitScores(model.graph, Level.EDGE, scores, d_model=model.anatomy.d_model)
    curves = [one.circuit for one in circuits_of(artifact)]

    def plain() -> None:
        with torch.no_grad():
            model.hf(input_ids=ids, use_cache=False, logits_to_keep=1)

    def curve(circuits: list[Circuit]) -> Callable[[], object]:
        return lambda: evaluate(model, pairs, circuits, Evaluation())

    def sized(fraction: float) -> Circuit:
        return circuit_of_edges(model.graph, scores, requested(fraction, model.graph.n_edges), Ranking.ABSOLUTE)

    def cell() -> None:
        found = attribute_edges(model, pairs, Attribution(LEFT_5))
        made = CircuitScores(model.graph, Level.EDGE, found, d_model=model.anatomy.d_model)
        evaluate(model, pairs, [one.circuit for one in circuits_of(made)], Evaluation())

    return {
        "plain forward (the unit)": plain,
        "EAP": lambda: attribute_edges(model, pairs, Attribution()),
        "EAP-IG-inputs, 5 steps": lambda: attribute_edges(model, pairs, Attribution(LEFT_5)),
        "both runs, no circuit": curve([]),
        "1 % circuit": curve([sized(0.01)]),
        "50 % circuit": curve([sized(0.5)]),
        "ten sizes, absolute": curve(curves[10:]),
        "ten sizes, both rankings": curve(curves),
        "whole cell: EAP-IG-5, both curves": cell,
    }


def cpu_seconds(task: Callable[[], object]) -> float:
    """Processor seconds of one call."""
    start = time.process_time()
    task()
    return time.process_time() - start


@click.command()
@click.option("--repeats", default=5, show_default=True)
@click.option("--length", type=int, help="Tokens of a prompt.  [default: the commonest]")
@click.option("--json", "as_json", is_flag=True)
def main(repeats: int, length: int | None, *, as_json: bool) -> None:
    """Print the cost of each piece of the circuit track."""
    torch.set_num_threads(1)
    with Meter() as meter:
        model, pairs = prompts(length)
        tasks = work(model, pairs)
        for task in tasks.values():
            task()
        times = {name: [] for name in tasks}
        for _ in range(repeats):
            for name, task in tasks.items():
                times[name].append(cpu_seconds(task))
    medians = {name: statistics.median(each) for name, each in times.items()}
    unit = next(iter(medians.values()))
    shared = min(pair.first_difference or 0 for pair in pairs)
    result = {
        "model": "smollm2-135m (dequantised from GGUF Q4_1), float32",
        "prompts": len(pairs),
        "tokens": pairs[0].length,
        "shared_prefix": shared,
        "repeats": repeats,
        "unit_cpu_seconds": unit,
        "ratios": {name: each / unit for name, each in medians.items()},
        "spread": {name: [min(each) / unit, max(each) / unit] for name, each in times.items()},
        "peak_gib": (meter.cost().peak_bytes or 0) / 2**30,
    }
    click.echo(json.dumps(result, indent=2) if as_json else table(result))


def table(result: dict) -> str:
    """The result as text."""
    head = (
        f"{result['model']}; {result['prompts']} IOI prompts of {result['tokens']} tokens, first difference at "
        f"{result['shared_prefix']}\none thread, CPU time, medians of {result['repeats']}; unit "
        f"{result['unit_cpu_seconds']:.3f} s; peak memory {result['peak_gib']:.2f} GiB\n"
    )
    rows = [
        f"{name:36s} {ratio:6.2f}   ({result['spread'][name][0]:.2f} to {result['spread'][name][1]:.2f})"
        for name, ratio in result["ratios"].items()
    ]
    return head + "\n".join(rows)


if __name__ == "__main__":
    main()
