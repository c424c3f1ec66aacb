"""Parts of the compiler: directions, draws, tables of neurons, distractors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted_programs import names

from mibench.planted.attention import HEAD_DIM
from mibench.planted.build import FAMILIES, network_of, planted
from mibench.planted.draws import Draws
from mibench.planted.features import BALLAST, hadamard, place_features
from mibench.planted.gpt2 import POSITIONS as GPT2
from mibench.planted.llama import POSITIONS as LLAMA
from mibench.planted.logic import ONE, Head, table
from mibench.planted.network import D_MLP

NAMES = [ONE, *(f"tok:{number}" for number in range(40))]


def test_directions_are_orthonormal_without_mean():
    rows = hadamard()
    assert np.array_equal(rows @ rows.T, np.eye(256))
    assert not rows[1:].sum(1).any()
    assert set(np.abs(rows).ravel()) == {1 / 16}


def test_a_probe_reads_its_feature_whole_and_in_superposition_a_sixteenth_of_some_others():
    features = place_features(NAMES, ["noise:0"], Draws("test"), overlap=True)
    probes = np.stack([features.probes[name] for name in NAMES])
    directions = np.stack([features.directions[name] for name in NAMES])
    read = probes @ directions.T
    assert np.array_equal(np.diag(read), np.ones(len(NAMES)))
    assert set(read[~np.eye(len(NAMES), dtype=bool)]) == {0.0, 1 / 16}
    noise = features.directions["noise:0"]
    assert noise.sum() == 0
    assert noise @ noise == 1
    assert 0 < np.abs(probes @ noise).max() < 0.3


def test_one_counts_as_one_where_it_is_read():
    features = place_features(NAMES, [], Draws("test"), overlap=False)
    assert features.read({ONE: 3.0}) @ features.write({ONE: 1.0}) == 3.0
    assert np.abs(features.write({ONE: 1.0})).max() == BALLAST / 16


def test_draws_are_those_of_every_version_of_numpy():
    draws = Draws("a", "b")
    assert [draws.below(100) for _ in range(5)] == [57, 80, 78, 50, 91]
    assert draws.some("abcdef", 4) == ("a", "c", "d", "f")
    assert draws.signs(256).sum() == 0


@given(st.lists(st.tuples(st.integers(-20, 20), st.integers(-4, 4), st.integers(-4, 4)), min_size=2, max_size=6))
def test_a_table_of_neurons_is_a_line_between_its_knots(points):
    knots = {x / 4: {"out:a": float(a), "out:b": float(b)} for x, a, b in points}
    if len(knots) < 2:
        return
    neurons = table(1, {"x": 1.0}, knots, 16.0)
    for x in np.linspace(-6, 6, 25):
        on = [max(0.0, neuron.reads.get("x", 0.0) * x + neuron.reads[ONE]) for neuron in neurons]
        for name in ("out:a", "out:b"):
            found = sum(size * neuron.writes.get(name, 0.0) for size, neuron in zip(on, neurons, strict=True))
            places = sorted(knots)
            assert found == pytest.approx(np.interp(x, places, [knots[place][name] for place in places]), abs=1e-9)


@pytest.mark.parametrize(("positions", "family"), [(GPT2, "gpt2"), (LLAMA, "llama")])
@pytest.mark.parametrize("offset", range(1, 7))
def test_a_word_at_the_offset_gets_nearly_all_attention_wherever_it_stands(positions, family, offset):
    rows = positions.rows(Head(0, 0, offsets=(offset,)))
    for at in range(offset, 32):
        scores = np.array([score(rows, at, key, family) for key in range(at + 1)])
        weights = np.exp(scores - scores.max())
        assert (weights / weights.sum())[at - offset] > 0.85


def score(rows, query, key, family):
    """Score of a head between two places, before content."""
    if family == "gpt2":
        return sum(
            value * k.get(f"pos:{key}", 0.0) for _, q, k in rows for name, value in q.items() if name == f"pos:{query}"
        )
    dims = np.zeros((2, HEAD_DIM))
    for dim, q, k in rows:
        dims[0, dim], dims[1, dim] = q.get(ONE, 0.0), k.get(ONE, 0.0)
    half = HEAD_DIM // 2
    turned = [
        (side[:half] + 1j * side[half:]) * np.exp(1j * place * 0.3 ** np.arange(half))
        for side, place in zip(dims, (query, key), strict=True)
    ]
    return float((turned[0] * turned[1].conj()).sum().real)


@pytest.mark.parametrize("name", names(0, 3))
def test_all_weights_are_small_multiples_of_a_power_of_two(name):
    network = network_of(planted(name))
    for matrix in (*network.attention.values(), network.embed, network.unembed, network.gate, network.back):
        assert np.array_equal(matrix * 2.0**24, np.round(matrix * 2.0**24))
        assert np.abs(matrix).max() < 2**12


@pytest.mark.parametrize("name", names(0))
def test_without_difficulty_unused_parts_are_zero(name):
    network = network_of(planted(name))
    used = {(head.layer, head.index) for head in network.logic.heads}
    for layer in range(network.logic.n_layers):
        for index in range(4):
            part = slice(index * HEAD_DIM, (index + 1) * HEAD_DIM)
            assert network.attention["v"][layer, part].any() == ((layer, index) in used)
        busy = any(neuron.layer == layer for neuron in network.logic.neurons)
        assert network.back[layer].any() == busy


@pytest.mark.parametrize("name", names(1, 2, 3))
def test_distractors_fill_all_heads_and_write_only_what_the_program_does_not_read(name):
    logic, whole = planted(name).logic, network_of(planted(name)).logic
    assert {(head.layer, head.index) for head in whole.heads} == {
        (layer, index) for layer in range(logic.n_layers) for index in range(4)
    }
    added = [channel for head in whole.heads[len(logic.heads) :] for channel in head.channels]
    added += list(whole.neurons[len(logic.neurons) :])
    assert all(name.startswith("noise:") for one in added for name in one.writes)
    assert not any(name.startswith("noise:") for one in added for name in one.reads)
    assert any(head.offsets for head in whole.heads[len(logic.heads) :])
    assert any(head.terms for head in whole.heads[len(logic.heads) :])


@pytest.mark.parametrize("name", names(0, 3))
def test_neurons_and_content_fit(name):
    logic = network_of(planted(name)).logic
    layers = [neuron.layer for neuron in logic.neurons]
    assert all(layers.count(layer) <= D_MLP for layer in range(logic.n_layers))
    assert max(len(head.terms) for head in logic.heads) <= len(FAMILIES[planted(name).family].positions.content)
