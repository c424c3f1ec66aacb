from __future__ import annotations

import numpy as np
import pytest

from mibench.artifacts.circuit import CircuitScores
from mibench.artifacts.files import load_scores, save_scores
from mibench.core.specs import Level
from mibench.graph.graph import Graph


@pytest.fixture
def native(tmp_path):
    graph = Graph(2, 3)
    values = np.random.default_rng(0).normal(size=graph.shape)
    scores = CircuitScores(graph, Level.EDGE, values, 4, method="eap", params={"steps": 5})
    path = tmp_path / "scores.safetensors"
    save_scores(scores, path)
    return path


@pytest.mark.parametrize("suffix", [".json", ".pt"])
def test_scores_come_back_and_what_is_lost_is_said(run, native, tmp_path, suffix):
    there, back = tmp_path / f"mib{suffix}", tmp_path / "back.safetensors"
    ran = run("convert", native, there)
    assert ran.status == 0
    assert "edge scores" in ran.out
    assert "method eap" in ran.out
    assert "MIB's formats do not hold method, params." in ran.out
    assert run("convert", there, back).status == 0
    np.testing.assert_allclose(load_scores(back).scores, load_scores(native).scores, rtol=1e-6)


def test_json_tells_what_was_read(run, native, tmp_path):
    found = run("convert", native, tmp_path / "out.json", "--json").json
    assert (found["level"], found["n_layers"], found["n_heads"]) == ("edge", 2, 3)
    assert found["n_scored"] == Graph(2, 3).n_edges
    assert found["digest"] == load_scores(native).digest


def test_a_file_is_replaced_only_when_asked(run, native, tmp_path):
    out = tmp_path / "out.json"
    out.write_text("mine")
    refused = run("convert", native, out)
    assert (refused.status, out.read_text()) == (2, "mine")
    assert run("convert", native, out, "--overwrite").status == 0
    assert load_scores(out).level is Level.EDGE


def test_a_file_that_holds_no_scores_is_status_1_and_writes_nothing(run, tmp_path):
    bad, out = tmp_path / "bad.json", tmp_path / "out.pt"
    bad.write_text("[1, 2")
    ran = run("convert", bad, out)
    assert ran.status == 1
    assert "why:" in ran.err
    assert not out.exists()
