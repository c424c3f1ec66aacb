"""The four losses against a naive implementation: transformers, hooks, and one prompt at a time."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from siit_networks import in_transformers, naive_swap, network
from torch import Tensor

from mibench.siit.circuit_pass import circuit_logits
from mibench.siit.losses import Weights, losses, total
from mibench.siit.network import Sizes
from mibench.siit.recipes import RECIPES

READER = replace(RECIPES["siit-logic"].reader, at={"inner": "last", "third": "third"})
SIZES = Sizes(2, 4, 16, 24, 12, len(RECIPES["siit-logic"].vocabulary))
NAMES = READER.alignment.graph.source_names[1:]


def smoothed(logits: Tensor, answer: int, smoothing: float) -> Tensor:
    target = torch.full_like(logits, smoothing / len(logits))
    target[answer] += 1.0 - smoothing
    return -(target * logits.log_softmax(-1)).sum()


def chosen(mask: Tensor) -> list[str]:
    return [name for name, on in zip(NAMES, mask.flatten().tolist(), strict=True) if on]


@pytest.mark.parametrize("kind", ["behaviour", "iit", "strict"])
def test_a_loss_is_what_hooks_give(kind: str) -> None:
    found, examples, weights = network(SIZES), READER.step(0, 0, 16), Weights(smoothing=0.1)
    model = in_transformers(found)
    expected = []
    assert not examples.where.all()
    for row in range(16):
        partner, stranger = (row + 8) % 16, (row - 1) % 16
        nodes, source, answer = {
            "behaviour": ([], row, examples.answers[row]),
            "iit": (chosen(examples.on[row]), partner, examples.swapped[row]),
            "strict": (chosen(examples.off[row]), stranger, examples.answers[row]),
        }[kind]
        at = examples.where[row] if kind == "iit" else None
        logits = naive_swap(model, examples.ids[row : row + 1], examples.ids[source : source + 1], nodes, at)[0]
        expected.append(smoothed(logits, int(answer), 0.1))
    got = losses(found, examples, READER.alignment.flows, weights)[kind]
    assert got.item() == pytest.approx(torch.stack(expected).mean().item(), abs=1e-9)


def test_the_edge_loss_asks_for_the_causal_models_answer_from_the_kept_edges() -> None:
    found, examples, alignment = network(SIZES), READER.step(0, 0, 8), READER.alignment
    expected = []
    for row, partner in enumerate(examples.partners.tolist()):
        runs = [found.run(examples.ids[one : one + 1]) for one in (row, partner)]
        flows = [flow for flow, on in zip(alignment.flows, examples.kept[row].tolist(), strict=True) if on]
        logits = circuit_logits(found, flows, *runs)[0]
        expected.append(smoothed(logits, int(examples.mixed[row]), 0.02))
    got = losses(found, examples, alignment.flows, Weights())["edges"]
    assert got.item() == pytest.approx(torch.stack(expected).mean().item(), abs=1e-9)


def test_the_total_counts_each_loss_by_its_weight() -> None:
    found = {name: torch.tensor(value) for name, value in {"behaviour": 1.0, "iit": 10.0, "strict": 100.0}.items()}
    assert total(found, Weights(behaviour=1.0, iit=2.0, strict=0.5)).item() == pytest.approx(71.0)


def test_every_loss_reaches_the_weights() -> None:
    found, examples = network(SIZES), READER.step(0, 0, 8)
    for name, loss in losses(found, examples, READER.alignment.flows, Weights()).items():
        (gradient,) = torch.autograd.grad(loss, [found.weights["transformer.wte.weight"]], retain_graph=True)
        assert gradient.abs().sum() > 0, name
