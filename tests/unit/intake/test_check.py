from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from submission_cases import FILE, NAME, change, entry, good, manifest, scores, write_manifest

from mibench.artifacts.files import save_scores
from mibench.core.errors import UsageError
from mibench.graph.graph import Graph
from mibench.intake.check import Asked, check_submission
from mibench.intake.rules import Coverage, Rules


def test_a_good_submission_passes(tmp_path):
    report = check_submission(good(tmp_path))
    assert report.passed
    assert (report.name, report.n_files, report.n_read) == (NAME, 3, 1)
    assert report.n_bytes == sum(path.stat().st_size for path in (tmp_path / NAME).rglob("*") if path.is_file())


def test_a_path_without_its_folders_is_found(tmp_path, monkeypatch):
    monkeypatch.chdir(good(tmp_path))
    assert check_submission(".").name == NAME


def test_everything_that_is_wrong_is_told_in_one_run(tmp_path):
    folder = good(tmp_path)
    save_scores(scores(Graph(3, 4, False)), folder / "artifacts/b.safetensors")
    (folder / "artifacts/c.safetensors").write_bytes(b"PK\x03\x04")
    (folder / "zz_results.json").write_text("{}", encoding="utf-8")
    (folder / "README.md").chmod(0o755)
    own = [
        entry(folder / FILE, sha256="0" * 64),
        entry(folder / "artifacts/b.safetensors", "artifacts/b.safetensors", seed=1),
        entry(folder / "artifacts/c.safetensors", "artifacts/c.safetensors", seed=2),
        entry(folder / FILE, "artifacts/d.safetensors", seed=3),
    ]
    write_manifest(folder, yaml.dump(manifest(own, licence=None), Dumper=_NoAliases))
    found = {(one.file, one.index, one.what) for one in check_submission(folder).failures}
    assert found == {
        ("README.md", None, "README.md is marked as executable."),
        ("submission.yaml", None, "'licence' is missing."),
        ("zz_results.json", None, "zz_results.json does not belong here."),
        (FILE, 0, f"{FILE} is not the file that was listed."),
        ("artifacts/b.safetensors", 1, "artifacts/b.safetensors cannot be used."),
        ("artifacts/c.safetensors", 2, "artifacts/c.safetensors is a zip archive, as .pt and .npz files are."),
        ("artifacts/d.safetensors", 3, "There is no file artifacts/d.safetensors."),
    }


class _NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, data):
        return True


def test_an_artifact_on_the_hub_is_noted_and_not_read(tmp_path):
    folder = good(tmp_path)
    (folder / FILE).unlink()
    hub = {"repo": "org/name", "revision": "a" * 40, "path": "b.safetensors"}
    change(folder, first={"file": None, "hub": hub})
    report = check_submission(folder)
    assert report.passed
    assert report.notes == ("artifacts[0] is on the hub and was not read: b.safetensors.",)


def test_an_artifact_on_the_hub_is_fetched_and_read_where_that_is_asked(tmp_path, monkeypatch):
    folder = good(tmp_path)
    away = (folder / FILE).rename(tmp_path / "b.safetensors")
    hub = {"repo": "org/name", "revision": "a" * 40, "path": "b.safetensors"}
    change(folder, first={"file": None, "hub": hub})
    asked = []
    monkeypatch.setattr("mibench.intake.check.hub_file", lambda *place: asked.append(place) or away)
    assert check_submission(folder, Asked(fetch=True)).n_read == 1
    assert asked == [("org/name", "b.safetensors", "a" * 40, away.stat().st_size)]
    save_scores(scores(Graph(3, 4, False)), away, overwrite=True)
    found = [one.what for one in check_submission(folder, Asked(fetch=True)).failures]
    assert found == ["b.safetensors is not the file that was listed."] * 2 + ["b.safetensors cannot be used."]


def test_a_file_that_may_not_be_read_is_a_failure(tmp_path, monkeypatch):
    folder = good(tmp_path)

    def forbidden(path, name):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("mibench.intake.check.content_fault", forbidden)
    (failure,) = check_submission(folder).failures
    assert (failure.what, failure.why) == (f"{FILE} cannot be read.", "Permission denied.")


def test_training_on_the_test_split_is_noted(tmp_path):
    folder = good(tmp_path)
    change(folder, training_data={"splits": ["train", "test"]})
    report = check_submission(folder)
    assert report.passed
    assert "test split" in report.notes[0]


def test_limits_and_coverage_can_be_chosen(tmp_path):
    folder = good(tmp_path)
    assert "is too large" in check_submission(folder, Asked(Rules(file_bytes=1000))).failures[0].what
    assert "covers too little" in check_submission(folder, Asked(Rules(coverage=Coverage(2, 1)))).failures[0].what


def test_a_model_of_this_machine_is_named_with_its_folder(tmp_path):
    folder = good(tmp_path)
    change(folder, first={"models": ["mine"]})
    assert "is not known" in check_submission(folder).failures[0].what
    model = tmp_path / "model"
    model.mkdir()
    config = '{"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_layer": 2, "n_head": 4, "n_embd": 256}'
    (model / "config.json").write_text(config, encoding="utf-8")
    assert check_submission(folder, Asked(folders={"mine": model})).passed
    (model / "config.json").write_text(config.replace('"n_layer": 2', '"n_layer": 3'), encoding="utf-8")
    assert not check_submission(folder, Asked(folders={"mine": model})).passed


@pytest.mark.parametrize("name", ["absent", "absent.zip", "file.txt", "x\0y", "x" * 5000])
def test_a_path_to_nothing_of_the_kind_is_wrong_usage(tmp_path, name):
    if name == "file.txt":
        (tmp_path / name).touch()
    with pytest.raises(UsageError):
        check_submission(Path(tmp_path) / name)
