"""The published graph gives true edges by their names here, or is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lens_models import GRAPH, TRUE_EDGES, lens_graph

from mibench.core.errors import ModelError, UsageError
from mibench.graph.graph import Graph
from mibench.models.interpbench.graph_truth import graph_size, truth_edges

NAMES = Graph(6, 4).edge_names()


def written(folder: Path, content: object) -> Path:
    (folder / GRAPH).write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def refuse(folder: Path) -> str:
    with pytest.raises(ModelError, match="no graph of a true circuit") as caught:
        truth_edges(folder)
    return caught.value.why


def test_true_edges_come_in_the_order_of_the_graph(tmp_path: Path) -> None:
    found = truth_edges(written(tmp_path, lens_graph(TRUE_EDGES)))
    assert found == ("input->m0", "m0->a1.h1<q>", "a1.h1->a2.h1<v>", "a2.h1->a4.h1<k>", "a4.h1->logits")
    assert graph_size(tmp_path) == (6, 4)


@settings(max_examples=20, deadline=None)
@given(true=st.sets(st.sampled_from(NAMES), min_size=1, max_size=1107))
def test_any_circuit_comes_back(true: set[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = written(tmp_path_factory.mktemp("graph"), lens_graph(true))
    assert set(truth_edges(folder)) == true


def test_scores_need_not_be_there_or_be_numbers(tmp_path: Path) -> None:
    content = lens_graph(TRUE_EDGES)
    for place, fields in enumerate(content["edges"].values()):
        if place % 2:
            del fields["score"]
        else:
            fields["score"] = float("nan")
    assert set(truth_edges(written(tmp_path, content))) == TRUE_EDGES


def parts(content: dict[str, Any]) -> None:
    content["edges"]["input->logits"] = True


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda content: content.pop("nodes"), "has no nodes"),
        (lambda content: content.pop("cfg"), "has no cfg"),
        (lambda content: content.update(cfg=[6, 4]), "n_layers"),
        (lambda content: content["cfg"].update(n_heads=True), "n_heads"),
        (lambda content: content["cfg"].update(n_layers=10**9), "n_layers"),
        (lambda content: content["cfg"].update(n_layers="6"), "n_layers"),
        (lambda content: content["cfg"].update(n_layers=5), "is no edge of this graph"),
        (lambda content: content["cfg"].update(n_layers=7), "is missing"),
        (lambda content: content["cfg"].update(parallel_attn_mlp=True), "is no edge of this graph"),
        (lambda content: content["cfg"].update(parallel_attn_mlp=1), "neither true nor false"),
        (lambda content: content.update(edges=[]), "no object"),
        (lambda content: content.update(edges={}), "is missing"),
        (lambda content: content["edges"].pop("input->m0"), "input->m0 is missing"),
        (lambda content: content["edges"].update({"m0->a0.h0<q>": {"in_graph": True}}), "m0->a0.h0<q> is no edge"),
        (lambda content: content["edges"]["input->m0"].update(in_graph=1), "in_graph of input->m0"),
        (lambda content: content["edges"]["input->m0"].pop("in_graph"), "in_graph of input->m0"),
        (parts, "in_graph of input->logits"),
    ],
)
def test_what_is_no_whole_graph_is_refused(change: Callable[[Any], object], why: str, tmp_path: Path) -> None:
    content = lens_graph(TRUE_EDGES)
    change(content)
    assert why in refuse(written(tmp_path, content))


@pytest.mark.parametrize("true", [set(), set(NAMES)])
def test_a_circuit_of_nothing_or_everything_is_refused(true: set[str], tmp_path: Path) -> None:
    assert "nothing is told apart" in refuse(written(tmp_path, lens_graph(true)))


@pytest.mark.parametrize(
    "content", ["", "[]", "null", "{", "[" * 100_000, '{"cfg": {}, "cfg": {}}', '{"a": ' * 50_000, "3"]
)
def test_what_is_no_json_object_is_refused(content: str, tmp_path: Path) -> None:
    assert refuse(written(tmp_path, content))


def test_an_edge_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    text = json.dumps(lens_graph(TRUE_EDGES))
    again = text.replace('"edges": {', '"edges": {"input->m0": {"in_graph": false}, ')
    assert "input->m0 is given twice" in refuse(written(tmp_path, again))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / GRAPH).write_bytes(b"\xff\xfe{}")
    assert refuse(tmp_path)


def test_a_folder_without_a_graph_is_a_wrong_command(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        truth_edges(tmp_path)
