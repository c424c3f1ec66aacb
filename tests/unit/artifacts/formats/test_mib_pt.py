"""MIB .pt: documented dicts are read; nothing is executed, nothing grows, nothing odd passes."""

from __future__ import annotations

import collections
import os
import pickle  # noqa: TID251 - to make hostile files
import struct
import zipfile

import numpy as np
import pytest
import torch

from mibench.artifacts.files import load_scores, save_scores
from mibench.core.errors import ArtifactError
from mibench.core.specs import Level
from mibench.graph.graph import Graph

GRAPH, D_MODEL = Graph(2, 3), 4
S, D = GRAPH.shape


def good(**changes) -> dict:
    content = {
        "cfg": {"n_layers": 2, "n_heads": 3, "parallel_attn_mlp": False, "d_model": D_MODEL},
        "src_nodes": list(GRAPH.source_names),
        "dst_nodes": list(GRAPH.destination_names),
        "edges_scores": torch.randn(S, D, generator=torch.Generator().manual_seed(0)),
        "edges_in_graph": torch.zeros(S, D, dtype=torch.bool),
        "nodes_in_graph": torch.zeros(S, dtype=torch.bool),
    }
    return {key: value for key, value in (content | changes).items() if value is not None}


@pytest.fixture
def read(tmp_path):
    def load(content, **how):
        torch.save(content, tmp_path / "s.pt")
        return load_scores(tmp_path / "s.pt", **how)

    return load


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_every_floating_type_is_read(read, dtype):
    content = good(edges_scores=torch.randn(S, D).to(dtype))
    scores = read(content)
    assert scores.scores.dtype == (np.float64 if dtype is torch.float64 else np.float32)
    mask = GRAPH.real_mask
    assert np.array_equal(scores.scores[mask], content["edges_scores"].double().numpy()[mask])


def test_minus_infinity_off_the_edges_is_counted_and_left_out(read):
    values = torch.randn(S, D)
    values[~torch.from_numpy(GRAPH.real_mask.copy())] = -torch.inf
    scores = read(good(edges_scores=values))
    assert scores.counters == {"minus_inf_off_graph": int((~GRAPH.real_mask).sum())}
    assert np.isfinite(scores.scores).all()


def test_node_scores_are_read_without_edge_scores(read):
    values = torch.arange(float(S))
    values[0] = torch.nan
    scores = read(good(edges_scores=None, nodes_scores=values))
    assert (scores.level, scores.counters) == (Level.NODE, {"nan_unscored": 1})
    assert read(good(edges_scores=torch.zeros(S, D), nodes_scores=values)).level is Level.NODE


def test_neuron_scores_go_before_edge_scores_and_it_is_said(read):
    content = good(neurons_scores=torch.randn(S, D_MODEL), neurons_in_graph=torch.zeros(S, D_MODEL, dtype=torch.bool))
    scores = read(content)
    assert scores.level is Level.NEURON
    assert "neurons and edges" in scores.notes[0]
    assert read(content, level=Level.EDGE).level is Level.EDGE


def test_pairs_that_are_not_edges_are_left_out_of_a_circuit(read):
    members = torch.zeros(S, D, dtype=torch.bool)
    members[0], members[5] = True, True
    scores = read(good(edges_in_graph=members), binary=True)
    assert not (scores.in_graph & ~GRAPH.real_mask).any()


def test_a_parameters_gradient_flag_does_not_matter(read):
    assert read(good(edges_scores=torch.randn(S, D, requires_grad=True))).level is Level.EDGE


def test_written_files_have_every_key_that_mib_asks_for(tmp_path, make_scores):
    required = {"cfg", "src_nodes", "dst_nodes", "edges_scores", "edges_in_graph", "nodes_in_graph"}
    more = {
        Level.EDGE: set(),
        Level.NODE: {"nodes_scores"},
        Level.NEURON: {"neurons_in_graph", "neurons_scores"},
    }
    for level in Level:
        save_scores(make_scores(level), tmp_path / f"{level}.pt")
        found = torch.load(tmp_path / f"{level}.pt", weights_only=True)
        assert set(found) == required | more[level]
        assert found["edges_scores"].shape == found["edges_in_graph"].shape == (S, D)
        assert found["src_nodes"] == GRAPH.source_names
    assert torch.isnan(found["neurons_scores"]).sum() == 1


SWAPPED = [GRAPH.source_names[1], GRAPH.source_names[0], *GRAPH.source_names[2:]]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([1], "list"),
        (torch.zeros(3), "Tensor"),
        (good(cfg=None), "has no cfg"),
        (good(edges_in_graph=None, nodes_in_graph=None), "has no edges_in_graph, nodes_in_graph"),
        (good(edges_scores=None), "no edges_scores"),
        (
            good(cfg={"n_layers": 3, "n_heads": 3, "parallel_attn_mlp": False, "d_model": 4}),
            "src_nodes has 9 names",
        ),
        (good(cfg={"n_layers": 10**12, "n_heads": 3, "parallel_attn_mlp": False, "d_model": 4}), "n_layers"),
        (
            good(cfg={"n_layers": 4000, "n_heads": 4000, "parallel_attn_mlp": False, "d_model": 4}),
            "too large",
        ),
        (good(cfg=torch.zeros(3)), "cfg"),
        (good(src_nodes=SWAPPED), "another order"),
        (good(src_nodes=[*GRAPH.source_names[:-1], "m9"]), "'m9'"),
        (good(src_nodes=[1] * S), "list of names"),
        (good(dst_nodes="logits"), "list of names"),
        (good(edges_scores=torch.zeros(S, D - 1)), "shape"),
        (good(edges_scores=torch.zeros(D, S).T), "strides"),
        (good(edges_scores=torch.ones(1).expand(S, D)), "strides"),
        (good(edges_scores=torch.zeros(S, D, dtype=torch.complex64)), ""),
        (good(edges_scores=torch.zeros(S, D, dtype=torch.int64)), ""),
        (good(edges_scores=torch.nn.Parameter(torch.zeros(S, D))), "equal"),
        (good(edges_scores=torch.randn(S, D).to_sparse()), "sparse"),
        (good(edges_scores=torch.empty(S, D, device="meta")), "meta"),
        (good(edges_scores=torch.quantize_per_tensor(torch.randn(S, D), 0.1, 0, torch.qint8)), ""),
        (good(edges_scores=[[0.0] * D] * S), "list"),
        (good(edges_scores=torch.full((S, D), torch.nan)), "NaN or infinite"),
        (good(edges_scores=torch.full((S, D), -torch.inf)), "NaN or infinite"),
        (good(edges_scores=torch.zeros(S, D)), "equal"),
        (good(edges_in_graph=torch.zeros(S, D)), "not bool"),
        (good(nodes_scores=torch.zeros(S + 1)), "nodes_scores has shape"),
        (good(neurons_scores=torch.zeros(S, D_MODEL + 1)), "neurons_scores has shape"),
        (good(note=bytearray(8)), "bytearray"),
        (good(note=collections.Counter()), "Counter"),
        (good(note=np.zeros(2)), "numpy"),
    ],
)
def test_wrong_content_is_refused_and_named(read, content, said):
    with pytest.raises(ArtifactError) as caught:
        read(content)
    assert said in caught.value.why


class Payload:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_payload_is_never_executed(tmp_path, zipped):
    marker, path = tmp_path / "executed", tmp_path / "s.pt"
    torch.save(good(note=Payload(f"touch {marker}")), path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ArtifactError):
        load_scores(path)
    assert not marker.exists()
    torch.load(path, weights_only=False)  # the payload works where it is let
    assert marker.exists()


def test_a_bare_pickle_is_never_executed(tmp_path):
    marker, path = tmp_path / "executed", tmp_path / "s.pt"
    path.write_bytes(pickle.dumps(Payload(f"touch {marker}")))
    with pytest.raises(ArtifactError):
        load_scores(path)
    assert not marker.exists()


def repack(source, target, *, instructions=None, compress=zipfile.ZIP_STORED, more=()):
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", compress) as new:
        for entry in old.infolist():
            is_code = entry.filename.endswith("data.pkl")
            new.writestr(entry.filename, instructions(old.read(entry)) if is_code and instructions else old.read(entry))
        for name, content in more:
            new.writestr(name, content)


@pytest.fixture
def whole(tmp_path):
    torch.save(good(), tmp_path / "whole.pt")
    return tmp_path / "whole.pt"


def refusal(path) -> str:
    with pytest.raises(ArtifactError) as caught:
        load_scores(path)
    return caught.value.why


def test_a_compressed_file_that_would_grow_is_refused(tmp_path, whole):
    repack(whole, tmp_path / "s.pt", compress=zipfile.ZIP_DEFLATED, more=[("whole/data/9", bytes(50_000_000))])
    assert (tmp_path / "s.pt").stat().st_size < 200_000
    assert "compressed" in refusal(tmp_path / "s.pt")


def test_parts_that_declare_more_than_the_file_are_refused(tmp_path, whole):
    data = bytearray(whole.read_bytes())
    place = data.index(b"PK\x01\x02")
    data[place + 24 : place + 28] = struct.pack("<I", 2**31)
    (tmp_path / "s.pt").write_bytes(data)
    refusal(tmp_path / "s.pt")


def test_too_many_parts_are_refused(tmp_path, whole):
    repack(whole, tmp_path / "s.pt", more=[(f"whole/{i}", b"") for i in range(100)])
    assert "parts" in refusal(tmp_path / "s.pt")


def test_a_tensor_that_claims_more_than_the_file_has_is_refused(tmp_path, whole):
    torch.save(good(edges_scores=torch.zeros(S, D, dtype=torch.float64)), whole)
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(tmp_path / "s.pt", "w") as new:
        entries = [entry for entry in old.infolist() if entry.filename != "whole/data/0"]
        for entry in entries:
            new.writestr(entry.filename, old.read(entry))
        new.writestr("whole/data/0", bytes(4))
    refusal(tmp_path / "s.pt")


def test_a_tower_of_tuples_is_refused(tmp_path, whole):
    tower = b"\x80\x02}(" + b")" + b"\x85" * 1_000_000 + b"Nu."
    repack(whole, tmp_path / "s.pt", instructions=lambda _: tower)
    assert "tuples" in refusal(tmp_path / "s.pt")


@pytest.mark.parametrize(
    "code",
    [
        b"",
        b"\x80\x02",
        b"\x80\x04\x8c\x05posix\x8c\x06system\x93.",
        b"(S'true'\nios\nsystem\n.",
        b"\x80\x02cposix\nsystem\n.",
        b"\x80\x02\x82\x01.",
        b"\xff" * 50,
        b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".",
        b"\x80\x02}X\x03\x00\x00\x00cfgq\x00" + b"]" * 500 + b"a" * 499 + b"s.",
    ],
)
def test_foreign_instructions_are_refused(tmp_path, whole, code):
    repack(whole, tmp_path / "s.pt", instructions=lambda _: code)
    refusal(tmp_path / "s.pt")


def test_sizes_made_of_nested_lists_do_not_blow_up_the_message(tmp_path, read):
    laughs = [1]
    for _ in range(60):
        laughs = [laughs, laughs]
    content = good(cfg={"n_layers": laughs, "n_heads": 3, "parallel_attn_mlp": False, "d_model": 4})
    with pytest.raises(ArtifactError) as caught:
        read(content)
    assert "n_layers is a list" in caught.value.why
