"""Which edges follow from a causal graph, and which alignments are refused."""

from __future__ import annotations

from itertools import islice

import pytest

from mibench.core.errors import UsageError
from mibench.graph.graph import Graph
from mibench.siit.alignment import Alignment, edges_between, place_of
from mibench.siit.recipes import RECIPES
from mibench.tasks.causal.model import CausalModel, Variable

CHAIN = CausalModel(
    "chain",
    (
        Variable("a"),
        Variable("b"),
        Variable("c"),
        Variable("sum", ("a", "b"), lambda a, b: a + b),
        Variable("twice", ("sum",), lambda value: 2 * value),
        Variable("out", ("twice", "c"), lambda value, c: value * c),
    ),
    output="out",
)
GRAPH = Graph(3, 2)


def chain(**nodes: str) -> Alignment:
    return Alignment(CHAIN, GRAPH, {name: tuple(found.split()) for name, found in nodes.items()})


def test_edges_follow_the_causal_graph_past_variables_without_nodes() -> None:
    found = chain(sum="a0.h1", out="m2")
    assert set(found.flows) == {("input", "a0.h1"), ("a0.h1", "m2"), ("input", "m2"), ("m2", "logits")}
    assert found.links["input", "out"] == ("c",)


def test_an_output_without_nodes_is_read_by_the_logits() -> None:
    assert set(chain(sum="m0").flows) == {("input", "m0"), ("m0", "logits"), ("input", "logits")}


def test_an_aligned_input_is_read_from_the_prompt_by_its_own_nodes_alone() -> None:
    found = chain(a="a0.h0", sum="m0", out="m1")
    assert found.links["input", "a"] == ("a",)
    assert found.links["input", "sum"] == ("b",)
    assert ("a0.h0", "m0") in found.flows


def test_inputs_can_share_a_node() -> None:
    found = Alignment(CHAIN, GRAPH, {"a+b": ("a0.h0",), "sum": ("m0",), "out": ("m1",)})
    assert found.links["input", "a+b"] == ("a", "b")
    assert found.links["a+b", "sum"] == ("a", "b")
    assert ("input", "sum") not in found.links


def test_several_nodes_of_a_variable_are_all_read() -> None:
    found = chain(sum="a0.h0 a0.h1", out="m2")
    assert {("a0.h0", "m2"), ("a0.h1", "m2"), ("input", "a0.h0"), ("input", "a0.h1")} <= set(found.flows)


def test_an_edge_into_a_head_is_one_into_each_of_its_slots() -> None:
    assert edges_between(("input", "a1.h0")) == ("input->a1.h0<q>", "input->a1.h0<k>", "input->a1.h0<v>")
    assert edges_between(("m0", "m1")) == ("m0->m1",)


def test_a_mixture_is_computed_link_by_link() -> None:
    found = chain(sum="a0.h1", out="m2")
    base, other = {"a": 1, "b": 2, "c": 3}, {"a": 10, "b": 20, "c": 30}
    into, held, end = {("input", "sum")}, {("input", "out")}, {("sum", "out"), ("out", "logits")}
    assert found.mixed(into | held | end, base, other) == 2 * 3 * 3
    assert found.mixed((), base, other) == 2 * 30 * 30
    assert found.mixed(into | end, base, other) == 2 * 3 * 30
    assert found.mixed(held | end, base, other) == 2 * 30 * 3
    assert found.mixed(into | held, base, other) == 2 * 30 * 30
    assert found.mixed(held | {("out", "logits")}, base, other) == 2 * 30 * 3


def test_a_mixture_can_leave_the_output_to_the_logits() -> None:
    found = chain(sum="m0")
    base, other = {"a": 1, "b": 2, "c": 3}, {"a": 10, "b": 20, "c": 30}
    assert found.mixed([("input", "logits")], base, other) == 2 * 30 * 3
    assert found.mixed([("input", "sum"), ("sum", "logits")], base, other) == 2 * 3 * 30


def test_a_mixture_without_an_answer_is_none() -> None:
    reader = RECIPES["siit-mcqa"].reader
    base, other = (
        {"object": "box", "asked": asked}
        | {f"colour{number}": colour for number, colour in enumerate(colours.split(), start=1)}
        | {f"symbol{number}": symbol for number, symbol in enumerate("ABC", start=1)}
        for asked, colours in (("red", "red blue green"), ("pink", "pink white black"))
    )
    assert reader.alignment.mixed([("input", "asked"), ("asked", "answer_pointer")], base, other) is None
    assert reader.alignment.mixed(list(reader.alignment.links), base, other) == "A"


@pytest.mark.parametrize("name", RECIPES)
def test_a_mixture_of_everything_or_of_nothing_is_the_one_prompt_or_the_other(name: str) -> None:
    reader = RECIPES[name].reader
    for base, other in islice(reader.program.rows("test", "random"), 20):
        assert reader.alignment.mixed(list(reader.alignment.links), base, other) == reader.program.answer(base)
        assert reader.alignment.mixed([], base, other) == reader.program.answer(other)


def test_a_link_is_live_where_it_alone_changes_the_answer() -> None:
    found = chain(sum="a0.h1", out="m2")
    base = {"a": 1, "b": 2, "c": 3}
    assert found.live_links([(base, {"a": 2, "b": 1, "c": 4})]) == (("input", "out"), ("out", "logits"))
    assert set(found.live_links([(base, {"a": 5, "b": 2, "c": 3})])) == {
        ("input", "sum"),
        ("sum", "out"),
        ("out", "logits"),
    }
    assert found.live_links([(base, base)]) == ()


@pytest.mark.parametrize(
    "nodes",
    [
        {"nothing": ("m0",)},
        {"sum": ("m9",)},
        {"sum": ("m0",), "out": ("m0",)},
        {"sum": ("m1",), "out": ("a1.h0",)},
        {"sum": ("input",)},
        {"a+sum": ("m0",), "sum": ("m1",)},
    ],
)
def test_an_alignment_that_cannot_be_is_refused(nodes: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(UsageError):
        Alignment(CHAIN, GRAPH, nodes)


@pytest.mark.parametrize("name", RECIPES)
def test_every_variable_of_a_recipe_comes_after_its_parents(name: str) -> None:
    alignment = RECIPES[name].reader.alignment
    rows = {name: number for number, name in enumerate(alignment.graph.source_names)}
    for source, end in alignment.links:
        if source in alignment.nodes and end in alignment.nodes:
            first = min(rows[node] for node in alignment.nodes[end])
            assert max(rows[node] for node in alignment.nodes[source]) < first
    for edge in alignment.edges_of(alignment.links):
        alignment.graph.edge_index(edge)


@pytest.mark.parametrize("name", RECIPES)
def test_every_variable_of_a_recipe_matters_in_the_first_set(name: str) -> None:
    reader = RECIPES[name].reader
    rows = islice(reader.program.rows("test", next(iter(reader.program.sets))), 120)
    assert set(reader.alignment.live_links(rows)) == set(reader.alignment.links)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_leaves_nodes_outside_the_circuit(name: str) -> None:
    alignment = RECIPES[name].reader.alignment
    assert alignment.others
    assert not set(alignment.others) & set(alignment.circuit)
    assert len(alignment.others) + len(alignment.circuit) == alignment.graph.n_sources - 1


def test_the_true_edges_of_addition_are_those_of_its_sets() -> None:
    reader = RECIPES["siit-addition"].reader
    found = {
        name: set(reader.alignment.live_links(islice(reader.program.rows("test", name), 100)))
        for name in reader.program.sets
    }
    carry = {("input", "ones1"), ("input", "ones2"), ("ones1", "carry"), ("ones2", "carry"), ("carry", "answer")}
    tens = {("input", "tens1"), ("input", "tens2"), ("tens1", "answer"), ("tens2", "answer")}
    end = {("answer", "logits")}
    assert found == {"random": carry | tens | end, "carry": carry | end, "tens": tens | end}


def test_nodes_are_read_as_layer_and_head() -> None:
    assert place_of("a3.h12") == (3, 12)
    assert place_of("m4") == (4, None)
    with pytest.raises(UsageError):
        place_of("input")


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipes_positions_are_those_of_its_program(name: str) -> None:
    recipe = RECIPES[name]
    assert set(recipe.at) <= set(recipe.nodes)
    assert set(recipe.at.values()) <= {position.name for position in recipe.loaded.positions}
