from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mibench.artifacts.circuit import CircuitScores
from mibench.artifacts.files import save_scores
from mibench.artifacts.selection import Selection
from mibench.artifacts.series import BUDGETS
from mibench.cli.score import command
from mibench.core.errors import DataError
from mibench.core.specs import Level, Ranking
from mibench.graph.graph import Graph
from mibench.graph.select import FRACTIONS, edges_at, rank_edges, requested
from mibench.runner.handed_in.score import ArtifactMeta, read_meta
from mibench.runner.settings import RunSettings

OWN = {"files", "meta", "binary", "position_map", "dry_run", "as_json"}


def test_what_it_shares_with_run_has_the_same_names():
    names = {str(one.name).rstrip("_") for one in command.params}
    assert names - OWN <= set(RunSettings.model_fields)
    assert {"task", "model", "level", "split", "against", "floor_draws", "out"} <= names


def test_a_meta_file_says_what_it_knows(tmp_path):
    file = tmp_path / "meta.yaml"
    file.write_text("method: mine\nversion: 2\nparams: {depth: 3}\nseed: 4\nselection: top-n\n")
    assert read_meta(file) == ArtifactMeta(method="mine", version=2, params={"depth": 3}, seed=4, selection=Selection())
    file.write_text("selection: {rule: pnr, positive_share: 0.25}\n")
    assert read_meta(file).selection == Selection(rule="pnr", positive_share=0.25)
    file.write_text("")
    assert read_meta(file) == ArtifactMeta()


def test_a_score_without_files_is_wrong_usage(run):
    ran = run("score", "--task", "ioi")
    assert ran.status == 2
    assert "FILE" in ran.err


GOLDEN = Path(__file__).parents[2] / "golden" / "tiny_gpt2"
GROUND = ["--model", GOLDEN, "--task", GOLDEN / "pairs_A.jsonl", "--floor-draws", 0]


@pytest.fixture
def artifact(tmp_path, monkeypatch):
    """Writes MIB's JSON for the tiny model: so many edges scored, and those in the circuit."""
    monkeypatch.chdir(tmp_path)
    graph = Graph(2, 4)
    names = graph.edge_names()

    def write(name: str, scored: int, members: int = 0) -> Path:
        edges = {
            edge: ({"score": place + 1.0} if place < scored else {}) | {"in_graph": place >= len(names) - members}
            for place, edge in enumerate(names)
        }
        cfg = {"n_layers": 2, "n_heads": 4, "parallel_attn_mlp": False, "d_model": 32}
        path = tmp_path / name
        path.write_text(json.dumps({"cfg": cfg, "nodes": {}, "edges": edges}))
        return path

    return write


def test_a_reader_learns_what_a_file_left_out(run, artifact):
    path = artifact("few.json", scored=9)
    n = len(json.loads(path.read_text())["edges"])
    ran = run("score", path, *GROUND)
    assert ran.status == 0, ran.err
    assert f"note: few.json: edges defaulted: {n - 9} of {n}" in ran.out
    assert "note: few.json: It is named after its file; version and seed unknown." in ran.out
    assert any("edges defaulted" in note for note in run("score", path, *GROUND, "--json").json["notes"])


def test_a_file_with_a_name_in_its_meta_is_not_said_to_be_named_after_itself(run, artifact, tmp_path):
    (tmp_path / "meta.yaml").write_text("method: mine\n")
    assert "named after" not in run("score", artifact("a.json", scored=9), *GROUND, "--meta", "meta.yaml").out


def test_an_empty_circuit_is_refused(run, artifact):
    ran = run("score", artifact("few.json", scored=9), *GROUND, "--binary")
    assert ran.status == 1
    assert "in_graph is false for every edge" in ran.err
    assert not Path("mibench-records").exists()


def test_the_one_point_of_a_binary_artifact_is_in_the_table(run, artifact):
    path = artifact("circuit.json", scored=0, members=1000)
    words = ["score", path, *GROUND, "--binary"]
    (record,) = run(*words, "--json").json["records"]
    (point,) = next(iter(record["curves"].values()))
    table = run(*words).out
    assert f"{point['value']:.3f}" in table
    assert f"at {point['fraction']:.3f} of the edges" in table


@pytest.mark.parametrize(
    "text", ["seed: yes", "version: 1.0", "method: a\nmethod: b", "selection: best", "selection: 3"]
)
def test_a_meta_file_that_says_something_odd_is_refused(tmp_path, text):
    (tmp_path / "meta.yaml").write_text(text)
    with pytest.raises(DataError):
        read_meta(tmp_path / "meta.yaml")


@pytest.fixture
def nine(tmp_path, monkeypatch):
    """Writes a folder of nine circuits of the tiny model: the best edges of random scores."""
    monkeypatch.chdir(tmp_path)
    graph = Graph(2, 4)

    def write(name: str, seed: int = 0, **larger: float) -> Path:
        order = rank_edges(graph, np.random.default_rng(seed).random(graph.shape), Ranking.SIGNED)
        for place, share in enumerate(BUDGETS):
            part = order[: requested(larger.get(f"c{place}", share), graph.n_edges)]
            members = edges_at(graph, part)
            one = CircuitScores(graph, Level.EDGE, members * 1.0, 32, in_graph=members, binary=True)
            (tmp_path / name).mkdir(parents=True, exist_ok=True)
            save_scores(one, tmp_path / name / f"c{place}.json")
        return tmp_path / name

    return write


def test_a_folder_of_nine_circuits_gives_two_curves_that_end_at_the_whole_model(run, nine):
    (record,) = run("score", nine("mine"), *GROUND, "--json").json["records"]
    assert record["cell"]["method"]["name"] == "mine"
    for curve in ("faithfulness_signed", "faithfulness_absolute"):
        points = record["curves"][curve]
        assert [point["fraction"] for point in points] == list(FRACTIONS)
        assert points[-1]["value"] == pytest.approx(1)
    assert record["metrics"]["cpr"]["value"] is not None
    assert record["metrics"]["cmd"]["value"] is not None


def test_two_folders_give_each_curve_its_own_circuits(run, nine):
    nine("mine/abs-true", seed=1)
    nine("mine/abs-false", seed=2)
    (both,) = run("score", "mine", *GROUND, "--json").json["records"]
    (first,) = run("score", "mine/abs-true", *GROUND, "--json").json["records"]
    assert both["curves"]["faithfulness_absolute"] == first["curves"]["faithfulness_absolute"]
    assert both["curves"]["faithfulness_signed"] != first["curves"]["faithfulness_signed"]
    assert both["cell"]["method"]["artifact_digest"] != first["cell"]["method"]["artifact_digest"]


def test_the_artifact_of_a_series_can_be_scored_again(run, nine):
    (record,) = run("score", nine("mine"), *GROUND, "--json").json["records"]
    (stored,) = Path("mibench-records").rglob("*.safetensors")
    (again,) = run("score", stored, *GROUND, "--out", "again", "--json").json["records"]
    assert again["curves"] == record["curves"]
    assert again["cell"]["method"]["artifact_digest"] == record["cell"]["method"]["artifact_digest"]


def test_a_circuit_that_is_too_large_is_refused_but_noted_by_mibs_rules(run, nine):
    folder = nine("mine", c6=0.9)
    ran = run("score", folder, *GROUND)
    assert ran.status == 1
    assert "c6.json has" in ran.err
    assert f"50 % of {Graph(2, 4).n_edges} are" in ran.err
    assert not Path("mibench-records").exists()
    ran = run("score", folder, *GROUND, "--convention", "mib")
    assert ran.status == 0, ran.err
    assert "note: mine: c6.json has" in ran.out


def test_a_meta_file_says_how_circuits_are_selected(run, artifact, tmp_path):
    path = artifact("a.json", scored=40)
    (tmp_path / "meta.yaml").write_text("method: mine\nselection: greedy\n")
    (plain,) = run("score", path, *GROUND, "--json").json["records"]
    (greedy,) = run("score", path, *GROUND, "--meta", "meta.yaml", "--json").json["records"]
    assert greedy["status"] == "ok"
    sizes = [[point["n_edges"] for point in one["curves"]["faithfulness_signed"]] for one in (plain, greedy)]
    assert sizes[0] != sizes[1]


def ranked(folder: Path, name: str, **said) -> Path:
    graph = Graph(2, 4, parallel=False)
    scores = np.random.default_rng(0).normal(size=graph.shape)
    target = folder / name
    save_scores(CircuitScores(graph, Level.EDGE, scores, d_model=32, **said), target)
    return target


def test_files_of_equal_scores_are_rows_of_their_own_with_their_intervals(run, tmp_path):
    files = [ranked(tmp_path, name) for name in ("one.json", "two.json")]
    ran = run("score", *files, *GROUND, "--out", tmp_path / "records")
    assert ran.status == 0
    assert "seeds" not in ran.out.partition("95 % interval")[0]
    assert "one" in ran.out
    assert "two" in ran.out


def test_a_selection_rule_stands_beside_the_name(run, tmp_path):
    files = [ranked(tmp_path, f"{rule}.safetensors", method="mine", selection=rule) for rule in ("top-n", "greedy")]
    ran = run("score", *files, *GROUND, "--out", tmp_path / "records")
    assert ran.status == 0
    assert "mine, greedy" in ran.out


def test_a_native_file_is_readable_as_the_umask_says(tmp_path):
    modes = {ranked(tmp_path, name).stat().st_mode for name in ("one.json", "one.safetensors", "one.pt")}
    assert len(modes) == 1
