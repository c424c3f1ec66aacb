"""The native format: headers are checked before anything is believed."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mibench.artifacts.files import load_scores, save_scores
from mibench.artifacts.selection import Selection
from mibench.core.errors import ArtifactError
from mibench.core.specs import Level, Ranking
from mibench.graph.graph import Graph

GRAPH = Graph(2, 3)
HEADER = {
    "schema_version": 1,
    "level": "node",
    "graph": {"n_layers": 2, "n_heads": 3, "parallel": False},
    "d_model": 4,
    "binary": False,
    "selection": "top-n",
    "method": "m",
    "params": {},
    "meta": {},
    "counters": {},
    "notes": [],
}
TENSORS = {"scores": np.arange(9.0), "scored": np.ones(9, dtype=np.bool_)}


@pytest.fixture
def read(tmp_path):
    def load(header=HEADER, tensors=TENSORS, metadata=None):
        text = header if isinstance(header, str) else json.dumps(header)
        save_file(tensors, tmp_path / "s.safetensors", metadata=metadata or {"mibench": text})
        return load_scores(tmp_path / "s.safetensors")

    return load


def test_the_documented_header_is_read(read):
    scores = read()
    assert (scores.level, scores.graph, scores.method) == (Level.NODE, GRAPH, "m")
    assert np.array_equal(scores.scores, np.arange(9.0))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema_version": 2}, "schema version 2"),
        ({"schema_version": [1]}, "schema version a list"),
        ({"level": "layer"}, "level"),
        ({"level": "edge"}, "not BOOL [9, 21]"),
        ({"level": "neuron", "d_model": None}, "d_model"),
        ({"graph": {"n_layers": 4000, "n_heads": 4000, "parallel": False}}, "too large"),
        ({"graph": {"n_layers": 3, "n_heads": 3, "parallel": False}}, "[13]"),
        ({"method": "x" * 300}, "method"),
        ({"more": 1}, "more"),
        ({"binary": True}, "one circuit"),
    ],
)
def test_a_wrong_header_is_refused(read, change, said):
    with pytest.raises(ArtifactError) as caught:
        read(HEADER | change)
    assert said in caught.value.why


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, '{"a": ' + "9" * 10_000 + "}", " " * 2**21])
def test_a_header_that_is_not_ours_is_refused(read, text):
    with pytest.raises(ArtifactError):
        read(text)


def test_a_file_without_our_header_is_refused(read):
    with pytest.raises(ArtifactError) as caught:
        read(metadata={"format": "pt"})
    assert "metadata" in caught.value.why


@pytest.mark.parametrize(
    "tensors",
    [
        {"scores": np.arange(9.0)},
        TENSORS | {"weights": np.zeros(3)},
        TENSORS | {"scores": np.arange(9)},
        TENSORS | {"scores": np.arange(9).astype(np.float16)},
        TENSORS | {"scores": np.arange(8.0)},
        TENSORS | {"scored": np.ones(9)},
        TENSORS | {"in_graph": np.ones(9, dtype=np.uint8)},
        TENSORS | {"scores": np.full(9, np.inf)},
        TENSORS | {"scored": np.zeros(9, dtype=np.bool_)},
    ],
)
def test_wrong_tensors_are_refused(read, tensors):
    with pytest.raises(ArtifactError):
        read(tensors=tensors)


@pytest.mark.parametrize("length", [2**63, 2**62, 2**40, 10**8, 1])
def test_a_header_that_declares_more_than_the_file_is_refused(tmp_path, length):
    (tmp_path / "s.safetensors").write_bytes(struct.pack("<Q", length) + b"{}")
    with pytest.raises(ArtifactError):
        load_scores(tmp_path / "s.safetensors")


@pytest.mark.parametrize("end", [2**62, 2**20, 10])
def test_a_tensor_that_declares_more_than_the_file_is_refused(tmp_path, make_scores, end):
    save_scores(make_scores(Level.NODE), tmp_path / "s.safetensors")
    data = (tmp_path / "s.safetensors").read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    header["scores"]["data_offsets"][1] = end
    text = json.dumps(header).encode()
    (tmp_path / "s.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data[8 + size :])
    with pytest.raises(ArtifactError):
        load_scores(tmp_path / "s.safetensors")


def test_a_file_of_another_level_is_refused_when_a_level_is_asked_for(tmp_path, make_scores):
    save_scores(make_scores(Level.NODE), tmp_path / "s.safetensors")
    with pytest.raises(ArtifactError):
        load_scores(tmp_path / "s.safetensors", level=Level.EDGE)


@pytest.mark.parametrize(
    ("selection", "said"),
    [("best", "top-n, greedy"), ({"rule": "pnr", "positive_share": 2}, "less than"), ({"rule": 1}, "top-n")],
)
def test_a_rule_that_is_not_known_is_refused(read, selection, said):
    with pytest.raises(ArtifactError) as caught:
        read(HEADER | {"selection": selection})
    assert said in caught.value.why


def test_a_rule_is_read_as_a_name_or_with_its_parameters(read):
    header = HEADER | {"level": "edge"}
    values = np.arange(GRAPH.real_mask.size, dtype=np.float64).reshape(GRAPH.shape)
    tensors = {"scores": values, "scored": GRAPH.real_mask.copy()}
    assert read(header | {"selection": "greedy"}, tensors).selection == Selection(rule="greedy")
    parameters = {"rule": "pnr", "positive_share": 0.25}
    assert read(header | {"selection": parameters}, tensors).selection.positive_share == 0.25


def nine(**changes):
    circuits = np.zeros((9, 9), dtype=np.bool_)
    circuits[np.arange(9), np.arange(9)] = True
    return TENSORS | {"circuits_signed": circuits} | changes


@pytest.mark.parametrize(
    ("series", "tensors", "said"),
    [
        ({"signed": list("abcdefgh")}, nine(), "8 circuits"),
        ({"absolute": list("abcdefghi")}, nine(), "belong together"),
        (None, nine(), "belong together"),
        ({"signed": list("abcdefghi")}, TENSORS, "belong together"),
        ({}, TENSORS, "belong together"),
        ({"signed": list("abcdefghi")}, nine(circuits_signed=np.zeros((8, 9), dtype=np.bool_)), "not BOOL [9, 9]"),
        ({"signed": list("abcdefghi")}, nine(circuits_signed=np.zeros((9, 9))), "not BOOL [9, 9]"),
        ({"signed": list("abcdefghi")}, nine(circuits_signed=np.ones((9, 9), dtype=np.bool_)), "a and b are the same"),
        ({"other": list("abcdefghi")}, nine(), "series"),
    ],
)
def test_a_damaged_series_is_refused(read, series, tensors, said):
    with pytest.raises(ArtifactError) as caught:
        read(HEADER | {"series": series}, tensors)
    assert said in caught.value.why


def packed(*bits):
    """A series of which each circuit has its bits in two bytes."""
    return TENSORS | {"circuits_signed": np.array(bits, dtype=np.uint8).reshape(9, 2)}


def test_circuits_of_a_series_have_a_bit_an_item(read, tmp_path):
    header = HEADER | {"series": {"signed": list("abcdefghi")}}
    one_each = [byte for place in range(9) for byte in ((0x8000 >> place) >> 8, (0x8000 >> place) & 0xFF)]
    found, plain = read(header, packed(*one_each)), read(header, nine())
    assert found.digest == plain.digest
    for mine, theirs in zip(found.of(Ranking.SIGNED), plain.of(Ranking.SIGNED), strict=True):
        assert mine.members.dtype == np.bool_
        np.testing.assert_array_equal(mine.members, theirs.members)
    save_scores(plain, tmp_path / "again.safetensors")
    assert (
        load_file(tmp_path / "again.safetensors")["circuits_signed"].tolist()
        == packed(*one_each)["circuits_signed"].tolist()
    )
    assert load_scores(tmp_path / "again.safetensors").digest == plain.digest


def test_bits_beyond_the_last_item_are_refused(read):
    header = HEADER | {"series": {"signed": list("abcdefghi")}}
    with pytest.raises(ArtifactError) as caught:
        read(header, packed(*[0x80, 0x01] * 9))
    assert "after the last item" in caught.value.why
    with pytest.raises(ArtifactError) as caught:
        read(header, TENSORS | {"circuits_signed": np.zeros((9, 3), dtype=np.uint8)})
    assert "not U8 [9, 2]" in caught.value.why


def test_a_series_is_read(read):
    series = read(HEADER | {"series": {"signed": list("abcdefghi")}}, nine())
    assert [one.name for one in series.of(Ranking.ABSOLUTE)] == list("abcdefghi")
