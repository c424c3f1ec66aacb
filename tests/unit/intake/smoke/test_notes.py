"""Which artifacts are scored on what, and what is said where that cannot be."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from submission_cases import FILE, TASK, change, entry, good, manifest, scores, write_manifest

from mibench.artifacts.files import save_scores
from mibench.graph.graph import Graph
from mibench.intake.check import Asked, check_submission
from mibench.intake.pack import pack_submission
from mibench.models.known import known_folder

EXAMPLES = sorted((Path(__file__).parents[4] / "submissions").glob("example__*"))
ROWS = Asked(smoke=10)


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_the_examples_of_all_tracks_have_no_warning(folder):
    assert check_submission(folder, ROWS).notes == ()


def test_an_archive_is_scored_too(tmp_path):
    folder = good(tmp_path)
    pack_submission(folder, tmp_path / "a.zip")
    assert check_submission(tmp_path / "a.zip", ROWS).notes == check_submission(folder, ROWS).notes != ()


def test_the_first_cell_of_each_artifact_is_scored(tmp_path):
    folder = good(tmp_path)
    for tasks, said in ((["ioi", TASK], "was not scored on validation rows: "), ([TASK, "ioi"], "looks wrong: ")):
        change(folder, first={"tasks": tasks})
        (note,) = check_submission(folder, ROWS).notes
        assert note.startswith(f"artifacts[0] ({FILE}) {said}")


def test_a_model_that_is_not_on_this_machine_is_not_fetched(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.snapshot_download", None)
    folder = good(tmp_path)
    (folder / FILE).unlink()
    save_scores(scores(Graph(12, 12, False), 768), folder / FILE)
    write_manifest(folder, manifest([entry(folder / FILE, tasks=["ioi"], models=["gpt2"])]))
    report = check_submission(folder, ROWS)
    assert report.passed, report.failures
    (note,) = report.notes
    assert note.startswith(f"artifacts[0] ({FILE}) was not scored on validation rows: The model gpt2 is not on this ")
    assert note.endswith(" openai-community/gpt2 is not in the cache of the hub.")


def test_a_model_in_a_folder_is_scored(tmp_path):
    copy = shutil.copytree(known_folder("planted-induction-gpt2"), tmp_path / "copy")
    folder = good(tmp_path)
    change(folder, first={"models": ["mine"]})
    notes = check_submission(folder, Asked(smoke=3, folders={"mine": copy})).notes
    assert notes == check_submission(good(tmp_path / "other"), Asked(smoke=3)).notes != ()
