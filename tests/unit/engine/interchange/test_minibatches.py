"""Training: logits and gradients are those of autograd through plain hooks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hooked import (
    EXACT,
    FAMILIES,
    HEAD,
    MLP,
    PRE,
    Hooked,
    engine,
    joint_sites,
    made_rows,
    one,
    whole,
)

from mibench.engine.interchange.interchanges import Interchanges
from mibench.engine.interchange.options import InterchangeOptions


@pytest.mark.parametrize("name", FAMILIES)
def test_logits_of_labels_are_those_of_hooks(name: str) -> None:
    model, rows, hooked = engine(name), made_rows(), Hooked(name)
    for batch in Interchanges(model, rows).minibatches(3, torch.Generator().manual_seed(0)):
        for intervention in [*joint_sites(model), one(0, "last")]:
            logits = batch.logits(intervention).detach()
            for place, row in enumerate(rows[number] for number in batch.rows):
                with torch.no_grad():
                    expected = hooked.logits(row, intervention, row.label[:-1])[len(row.base) - 1 :]
                np.testing.assert_allclose(logits[place, : batch.lengths[place]], expected, **EXACT)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("sites", [0, 1, 2, 3])
def test_gradients_through_a_rotation_are_those_of_autograd_through_hooks(name: str, sites: int) -> None:
    model, rows, hooked = engine(name), made_rows(), Hooked(name)
    weight = torch.randn(16, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64, requires_grad=True)

    def rotated(base: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
        rotation = torch.linalg.qr(weight[: base.shape[-1]])[0]
        return base + (source - base) @ rotation @ rotation.mT

    head = one(0, "span", HEAD, 1, rotated)
    intervention = [one(0, "middle", edit=rotated), one(1, "last", MLP, edit=rotated), head][: sites + 1][-1]
    if sites == 3:
        intervention = head + one(0, "last", edit=rotated) + one(1, "last", PRE, edit=rotated)
    (batch,) = Interchanges(model, rows).minibatches(len(rows), torch.Generator().manual_seed(0))
    logits, places = batch.logits(intervention), torch.arange(len(rows))
    (found,) = torch.autograd.grad(logits[places, batch.lengths - 1].square().sum(), weight)
    expected = torch.zeros_like(found)
    for row in rows:
        loss = hooked.logits(row, intervention, row.label[:-1])[-1].square().sum()
        expected += torch.autograd.grad(loss, weight)[0]
    assert float(expected.abs().max()) > 1e-3
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9 * max(1.0, float(expected.abs().max())))


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_nothing_of_the_model_and_nothing_before_the_site_is_in_the_graph(name: str) -> None:
    model, rows = engine(name), made_rows()
    (batch,) = Interchanges(model, rows).minibatches(9, torch.Generator())
    assert not batch.logits(one(1, "last")).requires_grad
    scale = torch.ones((), dtype=torch.float64, requires_grad=True)
    logits = batch.logits(one(model.anatomy.n_layers - 1, "last", edit=lambda base, source: base * scale))
    nodes, seen = [logits.grad_fn], set()
    while nodes:
        node = nodes.pop()
        if node is not None and node not in seen:
            seen.add(node)
            nodes.extend(parent for parent, _ in node.next_functions)
    assert not any("Attention" in type(node).__name__ or "Softmax" in type(node).__name__ for node in seen)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_full_swap_of_the_last_stream_gives_the_sources_logits(name: str) -> None:
    model = engine(name)
    rows = [replace(row, accepted=(row.label[:1],)) for row in made_rows()]
    (batch,) = Interchanges(model, rows).minibatches(9, torch.Generator())
    logits = batch.logits(one(model.anatomy.n_layers - 1, "last", edit=whole))[:, 0]
    for place, row in enumerate(rows[number] for number in batch.rows):
        np.testing.assert_allclose(logits[place], model.hf(torch.tensor([row.source])).logits[0, -1], **EXACT)


@pytest.mark.parametrize("changes", [{"cache_bytes": 0}, {"keep_layers": (1,)}, {"keep_layers": (0,)}, {}])
def test_what_is_kept_changes_no_gradient_and_no_logits(changes: dict) -> None:
    model, rows = engine("llama"), made_rows()
    expected = {}
    for batch in Interchanges(model, rows).minibatches(3, torch.Generator().manual_seed(4)):
        for number, logits in zip(batch.rows, batch.logits(one(1, "middle")), strict=True):
            expected[number] = logits[0]
    runs, seen = Interchanges(model, rows, InterchangeOptions(**changes)), []
    for batch in runs.minibatches(2, torch.Generator().manual_seed(5)):
        for number, logits in zip(batch.rows, batch.logits(one(1, "middle")), strict=True):
            np.testing.assert_allclose(logits[0], expected[number], **EXACT)
            seen.append(number)
    assert sorted(seen) == list(range(len(rows)))


def test_an_epoch_is_shuffled_by_its_generator() -> None:
    runs = Interchanges(engine("gpt2"), made_rows())

    def order(seed: int) -> list[list[int]]:
        return [batch.rows for batch in runs.minibatches(3, torch.Generator().manual_seed(seed))]

    assert order(1) == order(1) != order(2)
    assert [len(rows) for rows in order(1)] == [3, 3, 1]
