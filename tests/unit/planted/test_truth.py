"""The truth of planted models, found again by interchange, edge by edge and site by site."""

from __future__ import annotations

import numpy as np
import pytest
from planted_programs import Prompts, naive, names

from mibench.core.specs import Level
from mibench.core.truth import TaskTruth, read_truth
from mibench.engine.model import LanguageModel
from mibench.graph.graph import Graph
from mibench.methods.circuit.exact import exact
from mibench.methods.view import CircuitView
from mibench.models.load import load_hf
from mibench.planted.build import network_of, planted, write_planted
from mibench.planted.logic import ONE
from mibench.planted.truth import subspaces_of, truth_of
from mibench.tasks.encode import encode
from mibench.tasks.known.programs import load_program, task_names

SOME = {
    "planted-induction-gpt2": "random",
    "planted-ioi-llama": "s2_io_flip",
    "planted-lookup-gpt2": "entity",
    "planted-carry-llama": "random",
}
"""All others are slow."""


def gap(effects: np.ndarray, graph: Graph, truth: TaskTruth) -> float:
    """The smallest effect of a true edge, by the largest of a false one."""
    true = np.zeros(graph.shape, bool)
    for edge in truth.edges:
        true[graph.edge_index(edge)] = True
    return float(np.abs(effects[true]).min() / max(np.abs(effects[graph.real_mask & ~true]).max(), 1e-9))


def naive_effects(name: str, title: str, count: int) -> tuple[Graph, np.ndarray]:
    """What the answer's lead loses without each edge, on average; by another forward pass for every edge."""
    model, prompts = naive(name), Prompts(planted(name).program, title, count)
    graph = Graph(model.n_layers, 4)
    whole, effects = prompts.lead(model.logits(prompts.base)).mean(), np.zeros(graph.shape)
    written, foreign = (model.run(ids)[0] for ids in (prompts.base, prompts.other))
    extra = {node: foreign[node] - written[node] for node in written}
    for edge in graph.edge_names():
        logits = model.without(prompts.base, extra, edge)
        effects[graph.edge_index(edge)] = whole - prompts.lead(logits).mean()
    return graph, effects


@pytest.mark.parametrize(("name", "title"), SOME.items())
def test_without_a_true_edge_the_answer_suffers_and_without_another_it_does_not(name, title):
    stands_out(name, title)


@pytest.mark.slow
@pytest.mark.parametrize("name", names(0))
def test_every_set_of_counterfactuals_has_exactly_its_own_true_edges(name):
    for title in planted(name).logic.edges:
        stands_out(name, title)


def stands_out(name, title):
    logic = planted(name).logic
    tasks = dict(zip(logic.edges, truth_of(logic, "").tasks.values(), strict=True))
    graph, effects = naive_effects(name, title, 16)
    assert gap(effects, graph, tasks[title]) > 90, title


@pytest.mark.slow
@pytest.mark.parametrize("name", names(0, 1, 2, 3))
def test_true_edges_stand_out_at_every_difficulty(name, tmp_path):
    write_planted(planted(name), tmp_path / name)
    network, known = load_hf(str(tmp_path / name)), read_truth(tmp_path / name)
    program = load_program(planted(name).program)
    for task, title in task_names(program).items():
        pairs = [pair for _, pair in zip(range(64), program.pairs(title)("train", None), strict=False)]
        view = CircuitView(
            LanguageModel(network.model), encode(pairs, network.tokenizer, network.vocab_size), (), Level.EDGE
        )
        assert gap(np.asarray(exact.function(view).scores), view.graph, known.tasks[task]) > 10, title


@pytest.mark.parametrize("name", names(0)[::2])
def test_edges_of_the_first_set_are_where_one_part_writes_what_another_reads(name):
    logic = planted(name).logic
    writers: dict[str, set[str]] = {f"tok:{word}": {"input"} for word in logic.words}
    slots = []
    for head in logic.heads:
        # What is read of every word in the same way says nothing that a counterfactual could change.
        terms = [term for term in head.terms if set(term.query) != {ONE}]
        slots += [(f"{head.name}<q>", name) for term in terms for name in term.query]
        slots += [(f"{head.name}<k>", name) for term in terms for name in term.key]
        for channel in head.channels:
            slots += [(f"{head.name}<v>", name) for name in channel.reads]
            for name in channel.writes:
                writers.setdefault(name, set()).add(head.name)
    for neuron in logic.neurons:
        slots += [(f"m{neuron.layer}", name) for name in neuron.reads if name != ONE]
        for name in neuron.writes:
            writers.setdefault(name, set()).add(f"m{neuron.layer}")
    slots += [("logits", name) for form in logic.answers.values() for name in form]
    found = {f"{writer}->{slot}" for slot, name in slots for writer in writers[name]}
    assert found == set(next(iter(logic.edges.values())))


@pytest.mark.parametrize("name", [*names(0), "planted-induction-gpt2-d3", "planted-carry-llama-d2"])
def test_a_swap_of_the_known_subspace_does_what_the_causal_model_says(name):
    swaps_are_right(name, 12)


@pytest.mark.slow
@pytest.mark.parametrize("name", names(0, 1, 2, 3))
def test_many_swaps_of_the_known_subspace_do_what_the_causal_model_says(name):
    swaps_are_right(name, 100)


def swaps_are_right(name, count):
    logic, model = planted(name).logic, naive(name)
    bases = subspaces_of(logic, network_of(planted(name)).features)
    for title in logic.edges:
        prompts = Prompts(logic.name, title, count)
        causal, held = prompts.program.causal, model.held(prompts.other)
        for site in truth_of(logic, "").tasks[logic.name].sites:
            swaps = [causal.interchange(base, {site.variable: other}) for base, other in prompts.rows]
            expected = prompts.ids([values[causal.output] for values in swaps])
            basis = None if site.subspace is None else bases[site.subspace]
            logits = model.swapped(prompts.base, held, site, prompts.places(site.position), basis)
            assert (logits.argmax(-1) == expected).mean() >= 0.99, (title, site)


@pytest.mark.parametrize("name", names(0, 3))
def test_subspaces_are_orthonormal_and_as_large_as_the_variable(name):
    logic = planted(name).logic
    for place, rows in zip(logic.places, subspaces_of(logic, network_of(planted(name)).features).values(), strict=True):
        assert len(rows) == max(1, len(place.features) - 1)
        assert np.abs(rows @ rows.T - np.eye(len(rows))).max() < 1e-12


@pytest.mark.parametrize("name", names(0)[::2])
def test_truth_names_the_tasks_and_sites_of_the_program(name):
    logic, program = planted(name).logic, load_program(planted(name).program)
    known = truth_of(logic, "")
    assert list(known.tasks) == list(task_names(program))
    sites = known.tasks[program.name].sites
    assert {site.variable for site in sites} == set(program.variables)
    assert {site.position for site in sites} <= {position.name for position in program.positions}
    assert logic.words[: len(program.words)] == program.words


def test_attention_on_the_target_is_near_nine_tenths_unless_it_is_saturated():
    for name, low, high in (("planted-induction-gpt2", 0.9, 0.98), ("planted-induction-gpt2-d3", 0.999999, 1.0)):
        prompts = Prompts("planted-induction", "random", 30)
        # The answer's logit is 10 for all of the attention.
        own = naive(name).logits(prompts.base)[np.arange(30), prompts.answers] / 10
        assert low <= min(own.max(), 1.0) <= high
