from __future__ import annotations

from mibench.cli.score import command
from mibench.runner.handed_in import ArtifactMeta, read_meta
from mibench.runner.settings import RunSettings

OWN = {"files", "meta", "binary", "as_json"}


def test_what_it_shares_with_run_has_the_same_names():
    names = {str(one.name).rstrip("_") for one in command.params}
    assert names - OWN <= set(RunSettings.model_fields)
    assert {"task", "model", "level", "split", "against", "floor_draws", "out"} <= names


def test_a_meta_file_says_what_it_knows(tmp_path):
    file = tmp_path / "meta.yaml"
    file.write_text("method: mine\nversion: 2\nparams: {depth: 3}\nseed: 4\nselection: top-n\n")
    assert read_meta(file) == ArtifactMeta(method="mine", version=2, params={"depth": 3}, seed=4, selection="top-n")
    file.write_text("")
    assert read_meta(file) == ArtifactMeta()


def test_a_score_without_files_is_wrong_usage(run):
    ran = run("score", "--task", "ioi")
    assert ran.status == 2
    assert "FILE" in ran.err
