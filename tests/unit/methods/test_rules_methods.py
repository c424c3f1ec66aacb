"""GIM, RelP and AttnLRP: what sets them apart from EAP and NAP, and what their docstrings promise."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from golden_data import golden_model, golden_pairs
from numpy.typing import NDArray
from tiny_models import tiny_model

from mibench.core.errors import UsageError
from mibench.core.specs import Level
from mibench.engine.model import LanguageModel
from mibench.methods.method import METHODS
from mibench.methods.view import CircuitView
from mibench.runner.cells.meter import Meter

NAMES = ["gim", "relp", "attn-lrp"]
LEVELS = [Level.EDGE, Level.NODE, Level.NEURON]


@cache
def model(name: str) -> LanguageModel:
    if name == "llama without biases":
        return LanguageModel(tiny_model("llama", attention_bias=False, vocab_size=model("tiny_llama").hf.vocab_size))
    return LanguageModel(golden_model(name))


def scores(name: str, on: str = "tiny_llama", level: Level = Level.EDGE, **given: Any) -> NDArray[np.float64]:
    found, pairs = METHODS.load(name), golden_pairs("tiny_llama", "B")
    made = found.function(CircuitView(model(on), pairs, (), level, counter=Meter()), **found.parameters(given))
    return np.asarray(made.scores)


def split(values: NDArray[np.float64], on: str) -> dict[str, NDArray[np.float64]]:
    """Scores by what they end in: q, k, v, or the rest."""
    names = model(on).graph.destination_names
    parts = {part: np.array([f"<{part}>" in name for name in names]) for part in "qkv"}
    rest = ~(parts["q"] | parts["k"] | parts["v"])
    return {part: values[:, chosen] for part, chosen in {**parts, "rest": rest}.items()}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("ablation", ["counterfactual", "zero"])
def test_passes_are_those_that_the_docstring_claims(name: str, level: Level, ablation: str) -> None:
    found, pairs = METHODS.load(name), golden_pairs("tiny_llama", "B")
    with Meter() as meter:
        view = CircuitView(model("tiny_llama"), pairs, (), level, counter=meter)
        found.function(view, **found.parameters({"ablation": ablation}))
    cost = meter.cost()
    forwards = 1 if ablation == "zero" else 2
    assert (cost.forward_passes / len(pairs), cost.backward_passes / len(pairs)) == (forwards, 1)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("on", ["tiny_llama", "tiny_gpt2", "tiny_gemma2"])
def test_methods_differ_from_each_other_and_from_plain_gradients(on: str, level: Level) -> None:
    plain = "eap" if level is Level.EDGE else "nap"
    found = [scores(name, on, level) for name in (plain, *NAMES)]
    for place, one in enumerate(found):
        for other in found[:place]:
            assert np.abs(one - other).max() > 1e-3 * np.abs(other).max()


def test_the_logits_see_only_the_frozen_norm_of_each_method() -> None:
    found = [scores(name, "tiny_gpt2")[:, -1] for name in NAMES]
    assert np.allclose(found[0], found[1], rtol=1e-12)
    assert np.allclose(found[0], found[2], rtol=1e-12)


def test_neurons_add_up_to_their_nodes() -> None:
    for name in NAMES:
        assert np.allclose(scores(name, level=Level.NEURON).sum(1), scores(name, level=Level.NODE), rtol=1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_edges_out_of_a_node_add_up_to_it(name: str) -> None:
    # Without a norm after attention, a difference meets the sum of the gradients at all that it reaches.
    assert np.allclose(scores(name).sum(1), scores(name, level=Level.NODE), rtol=1e-9)


def test_a_head_hands_to_its_values_the_share_that_the_rule_gives_them() -> None:
    on = "llama without biases"
    graph = model(on).graph
    for name, share in {"gim": 0.5, "attn-lrp": 0.5, "relp": 1.0}.items():
        found = scores(name, on, ablation="zero")
        for layer in range(graph.n_layers):
            for head in range(graph.n_heads):
                column = graph.layer_column(layer) + 2 * graph.n_heads + head
                assert found[:, column].sum() == pytest.approx(share * found[graph.head_row(layer, head)].sum())


def test_relevance_of_the_logits_and_of_the_input_is_the_metric_with_a_frozen_pattern() -> None:
    found = scores("relp", "llama without biases", ablation="zero", pattern="frozen")
    assert found[0].sum() == pytest.approx(found[:, -1].sum())
    assert abs(found[0].sum()) > 0.01


def test_a_frozen_pattern_leaves_queries_and_keys_without_score() -> None:
    frozen, plain = split(scores("relp", pattern="frozen"), "tiny_llama"), split(scores("relp"), "tiny_llama")
    for part in "qk":
        assert not frozen[part].any()
        assert plain[part].any()
    assert frozen["v"].any()
    assert frozen["rest"].any()


def test_temperature_and_gates_of_gim_are_what_they_say() -> None:
    default, one = scores("gim"), scores("gim", temperature=1.0)
    parts = [split(values, "tiny_llama") for values in (default, one)]
    assert np.abs(parts[0]["q"] - parts[1]["q"]).max() > 1e-3 * np.abs(parts[0]["q"]).max()
    assert np.array_equal(parts[0]["v"][:, -2:], parts[1]["v"][:, -2:])
    early = scores("gim", gated=1.0)
    # Between the last MLP and the logits there is no other gate.
    assert np.allclose(early[:, -2], 2 * default[:, -2], rtol=1e-12)
    assert np.array_equal(early[:, -1], default[:, -1])
    assert np.allclose(scores("gim", "tiny_gpt2", gated=1.0), scores("gim", "tiny_gpt2"), rtol=1e-12)


@pytest.mark.parametrize("given", [{"temperature": 0}, {"temperature": "inf"}, {"gated": 2}, {"gated": "nan"}])
def test_parameters_that_mean_nothing_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        METHODS.load("gim").parameters(given)


def test_the_mib_variant_changes_gemma_edges_from_heads_and_mlp_nodes() -> None:
    for name in NAMES:
        edges = [scores(name, "tiny_gemma2", variant=variant) for variant in ("mibench", "mib")]
        changed = np.abs(edges[0] - edges[1]).max(1) > 1e-9
        assert changed.tolist() == [".h" in source for source in model("tiny_gemma2").graph.source_names]
        nodes = [scores(name, level=Level.NODE, variant=variant) for variant in ("mibench", "mib")]
        changed = np.abs(nodes[0] - nodes[1]) > 1e-9
        assert changed.tolist() == [source.startswith("m") for source in model("tiny_llama").graph.source_names]
