from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from dictionary_examples import example
from submission_cases import GRAPH, MODEL, TASK, WIDTH, entry, scores

from mibench.artifacts.dictionaries.dictionary import Place
from mibench.artifacts.dictionaries.native import save_dictionary
from mibench.artifacts.featurizers.files import save_featurizers
from mibench.artifacts.featurizers.operation import Operation
from mibench.artifacts.files import save_scores
from mibench.artifacts.series import BUDGETS, Member, series_of
from mibench.core.hook_points import HookKind, HookPoint
from mibench.core.specs import Level, Ranking
from mibench.graph.graph import Graph
from mibench.intake.manifest import ArtifactEntry
from mibench.intake.model_sizes import ModelSizes
from mibench.intake.reading import artifact_faults

SIZES = {MODEL: ModelSizes(GRAPH, WIDTH, 64), "other": ModelSizes(Graph(3, 4, False), WIDTH, 64)}


def faults(path, **changes):
    return [error.why for error in artifact_faults(path, ArtifactEntry(**entry(path, path.name, **changes)), SIZES)]


# Circuits.


@pytest.mark.parametrize("suffix", [".safetensors", ".json"])
def test_scores_of_the_model_are_fine(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    save_scores(scores(), path)
    assert faults(path) == []


def test_scores_are_held_against_every_model(tmp_path):
    path = tmp_path / "a.safetensors"
    save_scores(scores(), path)
    (why,) = faults(path, models=[MODEL, "other", "unknown"])
    assert "this one has 3 layers" in why


def test_another_level_is_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    save_scores(scores(level=Level.NODE), path)
    assert faults(path, level="node") == []
    assert "node scores, not edge scores" in faults(path)[0]


def series(sizes):
    """Nine circuits of the edges with the best scores."""
    order = np.argsort(-np.where(GRAPH.real_mask, scores().scores, -np.inf), axis=None)
    members = []
    for number, size in enumerate(sizes):
        chosen = np.zeros(GRAPH.shape, np.bool_)
        chosen.flat[order[:size]] = True
        members.append(Member(f"c{number}", chosen))
    return series_of(GRAPH, Level.EDGE, WIDTH, {Ranking.SIGNED: members})


def test_circuits_of_nine_sizes_are_held_against_their_budgets(tmp_path):
    assert GRAPH.n_edges == 110
    small, large = tmp_path / "small.safetensors", tmp_path / "large.safetensors"
    # Below one edge nothing is allowed, and of empty circuits there may be several.
    save_scores(series([0, 0, 0, 1, 2, 5, 11, 22, 55]), small)
    save_scores(series([5, 10, 20, 30, 40, 50, 60, 80, 100]), large)
    assert faults(small) == []
    assert len(BUDGETS) == 9
    assert any("% of 110 are" in why for why in faults(large))
    assert "a budget is for one" in faults(small, budget=0.5)[0]


def test_one_circuit_is_held_against_the_budget_that_is_stated(tmp_path):
    path = tmp_path / "a.safetensors"
    members = np.zeros(GRAPH.shape, np.bool_)
    members[GRAPH.edge_index("input->logits")] = True
    save_scores(scores(in_graph=members, binary=True), path)
    assert faults(path, budget=0.01) == []
    assert faults(path, budget=1 / 110) == []
    assert "has 1 edges; its budget of 0.5 %" in faults(path, budget=0.005)[0]


# Featurizers.


def featurizers(path, site="residual-post.L1@last", width=WIDTH, **changes):
    named = {"model": MODEL, "task": TASK, "variable": "answer"} | changes
    save_featurizers({site: [Operation("orthogonal", {"rotation": np.eye(width, 2, dtype=np.float32)})]}, path, **named)
    return path


VARIABLE = {"track": "variable", "level": None, "variable": "answer"}


def test_featurizers_of_the_model_are_fine(tmp_path):
    assert faults(featurizers(tmp_path / "a.safetensors"), **VARIABLE) == []


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"model": "other"}, "its model is other"),
        ({"task": "ioi"}, "its task is ioi"),
        ({"variable": "query"}, "its variable is query"),
        ({"site": "residual-post.L2@last"}, "is not in a model of 2 layers"),
        ({"width": 64}, "shape [64, 2]"),
        ({"site": "residual-post.L1@nowhere"}, "no position nowhere"),
    ],
)
def test_featurizers_of_something_else_are_refused(tmp_path, changes, word):
    found = faults(featurizers(tmp_path / "a.safetensors", **changes), **VARIABLE)
    assert any(word in why for why in found), found


# Dictionaries.


def dictionary(path, *, d_in=WIDTH, layer=1, model=MODEL):
    found = example("relu", d_in, 8)
    save_dictionary(replace(found, place=Place(model, HookPoint(layer, HookKind.RESIDUAL_POST))), path)
    return path


SAE = {"track": "sae", "level": None, "hook": "residual-post.L1", "tasks": ["sae-core"]}


def test_a_dictionary_of_the_model_is_fine(tmp_path):
    assert faults(dictionary(tmp_path / "a.safetensors"), **SAE) == []


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"model": "gpt2"}, "its model is gpt2"),
        ({"model": ""}, "its model is none"),
        ({"layer": 0}, "its hook is residual-post.L0"),
        ({"layer": 7}, "is not in a model of 2 layers"),
        ({"d_in": 64}, "reads 64 entries"),
    ],
)
def test_dictionaries_of_something_else_are_refused(tmp_path, changes, word):
    found = faults(dictionary(tmp_path / "a.safetensors", **changes), **SAE)
    assert any(word in why for why in found), found


def test_a_dictionary_may_call_its_model_as_the_hub_does(tmp_path):
    path = dictionary(tmp_path / "a.safetensors", model="openai-community/GPT2")
    assert faults(path, **SAE | {"models": ["gpt2"]}) == []


def test_a_dictionary_of_generated_data_is_for_its_task(tmp_path):
    path = dictionary(tmp_path / "a.safetensors", model="sae-synthetic-toy")
    own = {"track": "sae", "level": None, "models": []}
    assert faults(path, **own, tasks=["sae-synthetic-toy"]) == []
    assert "its task is sae-synthetic-toy" in faults(path, **own, tasks=["sae-synthetic"])[0]
