"""Methods that learn masks, on models whose circuits are known by construction."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from golden_data import golden_model, golden_pairs
from subjects import make_pairs, subject
from tiny_models import tiny_model

from mibench.artifacts.circuit import CircuitScores
from mibench.core.errors import UsageError
from mibench.core.specs import Ablation, Level
from mibench.engine.model import LanguageModel
from mibench.methods.masks import examples as examples_module
from mibench.methods.masks.examples import Examples
from mibench.methods.masks.losses import task_loss
from mibench.methods.masks.optimal import OptimalConstants
from mibench.methods.masks.training import Training, generator_of, train
from mibench.methods.masks.units import Units
from mibench.methods.method import METHODS
from mibench.methods.view import CircuitView
from mibench.runner.cells.meter import Meter

LIVE = {"input->a1.h2<q>", "input->a1.h2<k>", "input->a1.h2<v>", "a1.h2->logits", "input->logits"}
"""All that matters in a model whose MLPs and other heads write nothing."""

MASKS = [
    ("ugs", "edge"),
    ("edge-pruning", "edge"),
    ("node-pruning", "node"),
    ("node-pruning", "neuron"),
    ("mattr", "edge"),
    ("mattr", "node"),
    ("mattr", "neuron"),
]
EVERY = [*MASKS, ("eap-oa", "edge")]


@cache
def one_head() -> LanguageModel:
    hf = tiny_model("gpt2", seed=4)
    with torch.no_grad():
        for layer, block in enumerate(hf.transformer.h):
            block.mlp.c_proj.weight.zero_()
            block.mlp.c_proj.bias.zero_()
            kept = block.attn.c_proj.weight[8:12].clone()
            block.attn.c_proj.weight.zero_()
            if layer == 1:
                block.attn.c_proj.weight[8:12] = 4 * kept
    return LanguageModel(hf)


@cache
def golden() -> LanguageModel:
    return LanguageModel(golden_model("tiny_llama"))


def view_of(model: LanguageModel, level: str, **options: Any) -> CircuitView:
    pairs = golden_pairs("tiny_llama", "B") if model is golden() else make_pairs()
    return CircuitView(model, pairs, (), Level(level), **options)


def run(name: str, view: CircuitView, **given: Any) -> CircuitScores:
    found = METHODS.load(name)
    made: CircuitScores = found.function(view, **found.parameters(given))
    return made


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("ugs", {"complexity": 0.02, "lr": 0.1}),
        ("edge-pruning", {"sparsity": 0.97}),
        ("edge-pruning", {"sparsity": 0.97, "warm_start": "eap-ig-inputs", "steps": 60}),
        ("mattr", {"loss": "kl"}),
        ("mattr", {"loss": "kl", "ablation": "mean"}),
    ],
)
def test_the_edges_that_matter_are_found(name: str, given: dict[str, Any]) -> None:
    view = view_of(one_head(), "edge")
    scores = run(name, view, **({"steps": 80} | given)).scores
    rows, columns = np.nonzero(view.graph.real_mask)
    order = np.argsort(-scores[rows, columns], kind="stable")[: len(LIVE)]
    assert {view.graph.edge_names()[place] for place in order.tolist()} == LIVE


@pytest.mark.parametrize(("name", "given"), [("node-pruning", {"sparsity": 0.85}), ("mattr", {"loss": "kl"})])
def test_the_nodes_that_matter_are_found(name: str, given: dict[str, Any]) -> None:
    view = view_of(one_head(), "node")
    scores = run(name, view, steps=60, **given).scores
    assert {view.graph.source_names[row] for row in np.argsort(-scores)[:2].tolist()} == {"input", "a1.h2"}


def test_neurons_that_write_nothing_rank_below_those_that_do() -> None:
    view = view_of(one_head(), "neuron")
    scores = run("node-pruning", view, steps=80, sparsity=0.9).scores
    live = [0, view.graph.source_index("a1.h2")]
    dead = np.delete(scores, live, axis=0)
    assert np.quantile(scores[live], 0.75) > dead.max()


@pytest.mark.parametrize(("name", "level"), EVERY)
def test_a_seed_gives_the_same_bytes_and_another_seed_others(name: str, level: str) -> None:
    first, again, other = (run(name, view_of(golden(), level, seed=seed), steps=4) for seed in (3, 3, 4))
    assert first.scores.tobytes() == again.scores.tobytes()
    assert first.meta == again.meta
    assert first.scores.tobytes() != other.scores.tobytes()


@pytest.mark.parametrize(("name", "level"), EVERY)
def test_scores_do_not_depend_on_the_views_batches_or_on_what_is_kept(
    name: str, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"steps": 5, "batch": 3}
    first = run(name, view_of(golden(), level), **given).scores
    monkeypatch.setattr(examples_module, "KEPT_BYTES", 0)
    other = run(name, view_of(golden(), level, batch_size=2, padded=True), **given).scores
    assert np.abs(first - other).max() <= 1e-12 * np.abs(first).max()


@pytest.mark.parametrize(("name", "level"), MASKS)
def test_scores_are_positive_and_the_log_is_small_and_covers_all_steps(name: str, level: str) -> None:
    made = run(name, view_of(golden(), level), steps=25, batch=2)
    assert made.scores[made.scored].min() > 0
    log = made.meta["log"]
    assert len(log) <= 20
    assert log[-1]["step"] == 25
    assert set(log[0]) == {"step", "loss", "penalty", "mean_mask", "sparsity"}
    assert run(name, view_of(golden(), level), steps=3).meta["log"][-1]["step"] == 3


@pytest.mark.parametrize("name", ["mattr", "eap-oa"])
def test_training_lowers_the_loss(name: str) -> None:
    log = run(name, view_of(golden(), "edge"), steps=80, lr=0.2).meta["log"]
    assert np.mean([row["loss"] for row in log[-5:]]) < np.mean([row["loss"] for row in log[:2]]) - 0.1


def test_training_lowers_what_uniform_gradient_sampling_minimises() -> None:
    log = run("ugs", view_of(golden(), "edge"), steps=60, complexity=0.02, lr=0.1).meta["log"]
    totals = [row["loss"] + row["penalty"] for row in log]
    assert np.mean(totals[-5:]) < np.mean(totals[:5]) - 0.3


@pytest.mark.parametrize("asked", [0.5, 0.9])
def test_pruning_comes_near_the_sparsity_that_is_asked_for(asked: float) -> None:
    log = run("node-pruning", view_of(golden(), "neuron"), steps=100, sparsity=asked, lr=0.3).meta["log"]
    assert 1 - log[-1]["mean_mask"] == pytest.approx(asked, abs=0.2)


@pytest.mark.parametrize(
    ("name", "level", "given", "once"),
    [
        ("ugs", "edge", {}, (2, 0)),
        ("ugs", "edge", {"ablation": "zero"}, (1, 0)),
        ("ugs", "edge", {"ablation": "mean"}, (2, 0)),
        ("edge-pruning", "edge", {}, (2, 0)),
        ("edge-pruning", "edge", {"warm_start": "eap-ig-inputs"}, (8, 5)),
        ("node-pruning", "neuron", {}, (2, 0)),
        ("mattr", "node", {}, (2, 0)),
        ("eap-oa", "edge", {}, (3, 1)),
    ],
)
def test_passes_are_those_of_the_docstring(name: str, level: str, given: dict[str, Any], once: tuple[int, int]) -> None:
    with Meter() as meter:
        view = view_of(golden(), level, counter=meter)
        run(name, view, steps=6, batch=len(view.train), **given)
    cost, n = meter.cost(), len(view.train)
    assert (cost.forward_passes, cost.backward_passes) == ((6 + once[0]) * n, (6 + once[1]) * n)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("ugs", {"steps": 0}),
        ("ugs", {"complexity": -1}),
        ("edge-pruning", {"sparsity": 1}),
        ("edge-pruning", {"warm_start": "eap"}),
        ("mattr", {"temperature": 0}),
        ("mattr", {"loss": "accuracy"}),
        ("node-pruning", {"lr": 0}),
        ("eap-oa", {"batch": 0}),
    ],
)
def test_parameters_that_mean_nothing_are_refused(name: str, given: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        METHODS.load(name).parameters(given)


def test_an_epoch_draws_every_example_once_and_weights_make_them_equal() -> None:
    view = replace(view_of(golden(), "edge"), train=golden_pairs("tiny_llama", "B"))
    examples = Examples(view, 3, Ablation.COUNTERFACTUAL, generator_of(view))
    orders = []
    for _ in range(6):
        drawn = [examples.draw() for _ in range(3)]
        assert sorted(row for one in drawn for row in one.batch.rows) == list(range(7))
        assert sum(one.weight for one in drawn) == pytest.approx(3)
        assert [one.weight / len(one.batch) for one in drawn] == pytest.approx([3 / 7] * 3)
        orders.append(tuple(one.batch.rows for one in drawn))
    assert len(set(orders)) > 1


def test_units_go_into_a_table_and_back() -> None:
    for level in Level:
        units = Units(golden(), level)
        values = torch.arange(1.0, len(units) + 1, dtype=torch.float64)
        assert torch.equal(units.take(units.table(values).numpy()), values)
        outside = units.table(values) == 0
        assert int(outside.sum()) == outside.numel() - len(units)
    assert len(Units(golden(), Level.EDGE)) == golden().graph.n_edges


def test_losses_are_divergence_and_minus_metric() -> None:
    batch = Examples(view_of(golden(), "edge"), 7, Ablation.ZERO, torch.Generator().manual_seed(0)).draw().batch
    rng = np.random.default_rng(0)
    clean, masked = (torch.from_numpy(rng.normal(size=(7, 97))) for _ in range(2))
    p, q = clean.softmax(-1), masked.softmax(-1)
    assert torch.allclose(task_loss("kl", batch, clean, masked), (p * (p / q).log()).sum(-1))
    assert torch.equal(task_loss("metric", batch, clean, masked), -batch.metric(masked))
    assert task_loss("kl", batch, clean, clean).abs().max() < 1e-12


@pytest.mark.parametrize("name", ["llama", "gemma2", "gpt2", "gpt_neox"])
def test_a_component_at_its_constant_is_the_naive_model_with_that_source_replaced(name: str) -> None:
    one = subject(name)
    view = CircuitView(one.engine, make_pairs(), ())
    examples = Examples(view, 6, Ablation.MEAN, generator_of(view))
    assert examples.constants is not None
    learner = OptimalConstants(one.engine, examples.constants, 0.1, generator_of(view))
    with torch.no_grad():
        for move in learner.groups()[0]["params"]:
            move.copy_(torch.rand(move.shape, generator=torch.Generator().manual_seed(move.numel()), dtype=move.dtype))
    constants, graph, drawn = learner.constants(), one.engine.graph, examples.draw()
    sources = [constants.embedded[0]]
    for layer in range(graph.n_layers):
        heads = torch.einsum("hc,hcd->hd", constants.heads[layer][0], one.engine.out_weights[layer])
        sources += [*heads, constants.mlp[layer][0]]
    components = torch.tensor([0, 3, graph.mlp_row(1), graph.head_row(1, 2), graph.mlp_row(0), 2])
    found = learner.ablated(drawn, components)
    for row, component in enumerate(components.tolist()):

        def view_of_source(values: torch.Tensor, column: int, component: int = component) -> torch.Tensor:
            changed = values.clone()
            if component < len(values):
                changed[component] = sources[component]
            return changed

        pair = drawn.batch.pairs[row]
        expected = one.naive.run(one.naive.embed(pair.clean), view_of_source)[1]
        assert (found[row] - expected).abs().max() < 1e-11


def test_learnt_constants_harm_less_than_means() -> None:
    view = view_of(golden(), "edge")
    examples = Examples(view, 7, Ablation.MEAN, generator_of(view))
    assert examples.constants is not None

    def harm(learner: OptimalConstants) -> float:
        drawn = examples.draw()
        total = 0.0
        for component in range(view.graph.n_sources):
            found = learner.ablated(drawn, torch.full((len(drawn.batch),), component))
            total += task_loss("kl", drawn.batch, drawn.sides.clean.logits, found).mean().item()
        return total / view.graph.n_sources

    learner = OptimalConstants(view.model, examples.constants, 0.1, generator_of(view))
    before = harm(learner)
    train(view, learner, examples, Training(60, 7, "kl"))
    assert harm(learner) < 0.9 * before


def test_every_component_is_ablated_equally_often() -> None:
    view = view_of(golden(), "edge")
    examples = Examples(view, 7, Ablation.MEAN, generator_of(view))
    assert examples.constants is not None
    learner = OptimalConstants(view.model, examples.constants, 0.05, generator_of(view))
    drawn = torch.cat([learner._next(4) for _ in range(3 * view.graph.n_sources // 4)])
    assert torch.bincount(drawn).tolist() == [3] * view.graph.n_sources


def test_without_training_optimal_ablation_is_mean_ablation() -> None:
    made = run("eap-oa", view_of(golden(), "edge"), steps=0)
    assert np.abs(made.scores - run("eap", view_of(golden(), "edge"), ablation="mean").scores).max() < 1e-12
