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

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

os.environ["OMP_NUM_THREADS"] = "1"

import click
import numpy as np
import straightforward
import torch
from costs import Tasks, Times, beside_targets, check, finish, in_units, measure, table
from inputs import LEFT_5, MODEL, MODEL_NOTE, prompts_of_one_length

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
from mibench.tasks.encode import EncodedPair
from mibench.tracks.select import circuits_of

N_COMPARED = 5
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
        hf = load_hf(MODEL)
        model, chosen = LanguageModel(hf.model), prompts_of_one_length(hf, length)
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


def work(ground: Ground) -> Tasks:
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


def both_ways(ground: Ground) -> Tasks:
    """The same done by mibench and the usual way, after checking that both give the same."""
    model, pairs, plain = ground.model, ground.pairs, straightforward.PlainLlama(ground.model.hf)
    expected = straightforward.attribute(plain, pairs, 5).numpy()
    check("EAP-IG scores", np.abs(expected - ground.scores).max() / np.abs(expected).max())
    found: Tasks = {
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


def ratios(times: Times) -> dict[str, list[float]]:
    """Median, smallest and largest cost of every task in units; a circuit alone is without both runs."""
    found = in_units(times)
    runs = found["both runs, no circuit"][0]
    alone = {name: found[f"{name} and both runs"] for name in ("1 % circuit", "50 % circuit")}
    return found | {name: [each - runs for each in three] for name, three in alone.items()}


def comparison(times: Times) -> dict[str, list[float]]:
    """Median costs of mibench and of the usual way in units, by task."""
    found = {name: three[0] for name, three in in_units(times).items()}
    return {name: [found[name], found[f"usual {name}"]] for name in found if f"usual {name}" in found}


def compared_lines(compared: dict[str, list[float]]) -> tuple[str, ...]:
    """The comparison as text."""
    return tuple(
        f"{name:45s} {ours:7.2f}   usual way {usual:7.2f}: {usual / ours:5.1f} times ({N_COMPARED} prompts)"
        for name, (ours, usual) in compared.items()
    )


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
    compared = comparison(measure(both_ways(ground.fewer(N_COMPARED)), repeats)) if compare else {}
    tokens, prefix = ground.pairs[0].length, min(pair.first_difference or 0 for pair in ground.pairs)
    result = {"model": MODEL_NOTE, "prompts": len(ground.pairs), "tokens": tokens, "shared_prefix": prefix}
    result |= beside_targets(times, ratios(times), TARGETS, meter.cost().peak_bytes)
    about = f"{len(ground.pairs)} IOI prompts of {tokens} tokens, first difference at {prefix}"
    finish(result | {"compared": compared}, table(result, about, compared_lines(compared)), as_json=as_json)


if __name__ == "__main__":
    main()
