"""The examples in ``submissions/`` pass, and are what the commands of their READMEs make."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file

from mibench.cli.main import main
from mibench.intake.check import check_submission

FOLDERS = sorted((Path(__file__).parents[2] / "submissions").glob("example__*"))


def commands(folder, *first):
    """The commands of a README that begin so, as words."""
    lines = (folder / "README.md").read_text(encoding="utf-8").splitlines()
    words = [shlex.split(line) for line in lines if line.startswith("mibench ")]
    return [line[1:] for line in words if tuple(line[1 : 1 + len(first)]) == first]


def called(words):
    with pytest.raises(SystemExit) as stop:
        main(words)
    return stop.value.code


def test_there_is_one_for_each_track():
    manifests = [yaml.safe_load((folder / "submission.yaml").read_text(encoding="utf-8")) for folder in FOLDERS]
    assert sorted(track for one in manifests for track in one["tracks"]) == ["circuit", "sae", "variable"]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_an_example_passes_without_a_note(folder):
    report = check_submission(folder)
    assert report.passed, report.failures
    assert report.notes == ()
    assert report.n_bytes < 100_000


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_commands_of_its_readme_make_it(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words in (*commands(folder, "discover"), *commands(folder, "submit", "init")):
        assert called(words) in (0, None)
    made = tmp_path / "submissions" / folder.name
    for path in sorted((folder / "artifacts").iterdir()):
        own, again = load_file(path), load_file(made / "artifacts" / path.name)
        assert own.keys() == again.keys()
        for name, array in own.items():
            # Signs and rounding of other machines' linear algebra may differ.
            np.testing.assert_allclose(np.abs(again[name].astype(np.float64)), np.abs(array), rtol=1e-3, atol=1e-5)
    stated, found = (yaml.safe_load((one / "submission.yaml").read_text(encoding="utf-8")) for one in (folder, made))
    for one in (*stated["artifacts"], *found["artifacts"]):
        del one["sha256"], one["bytes"]
    assert found == stated
    assert check_submission(made).passed


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_other_commands_of_its_readme_name_what_is_there(folder):
    (score,) = commands(folder, "score")
    assert (folder.parents[1] / score[1]).is_file()
    assert commands(folder, "submit", "check") == [["submit", "check", f"submissions/{folder.name}"]]
