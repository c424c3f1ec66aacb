"""What runs inside the sandbox: every track is scored, and what fails stops nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from circuit_series import circuits
from open_rounds import rules
from submission_cases import FILE, MODEL, TASK, change, entry, good, manifest, scores, write_manifest

from mibench.artifacts.files import save_scores
from mibench.artifacts.series import BUDGETS, CircuitSeries
from mibench.core.specs import Convention
from mibench.shared_task.collect import collect
from mibench.shared_task.jobs import Job
from mibench.shared_task.pieces import pieces_of, read_piece, read_submission
from mibench.shared_task.score_entry import Ground, Scoring, grounds_of, main, score
from mibench.tasks.private.overlay import use_overlay

EXAMPLES = Path(__file__).parents[3] / "submissions"


@pytest.fixture(autouse=True)
def _no_overlay_after():
    yield
    use_overlay(None)


def job_for(tmp_path, submission, cells, **scoring):
    """A job for a submission in a round of these cells."""
    overlay = tmp_path / "overlay"
    overlay.mkdir()
    tasks = {task: 1 for group in cells for task in group["tasks"]}
    boards = [{"name": "board", "track": cells[0]["track"], "headline": "cpr"}]
    own = {"cells": cells, "boards": boards, "tasks": tasks, "models": {}, "scoring": {"rows": 4} | scoring}
    path = tmp_path / "round.json"
    published = type(rules()).model_validate(rules().model_dump(mode="json") | own)
    path.write_text(published.model_dump_json(), encoding="utf-8")
    limits = {"seconds": 60, "memory_bytes": 2**32, "file_bytes": 2**28}
    return Job(entry=1, split="standings", submission=submission, overlay=overlay, round=path, **limits)


def cells_of(folder):
    """All cells of a submission."""
    listed = yaml.safe_load((folder / "submission.yaml").read_text(encoding="utf-8"))["artifacts"]
    keys = ("track", "tasks", "models", "level")
    return [{key: one[key] for key in keys if key in one} for one in listed]


@pytest.mark.parametrize("folder", sorted(EXAMPLES.glob("example__*")), ids=lambda folder: folder.name)
def test_the_example_of_each_track_is_scored_and_its_records_are_taken(folder, tmp_path):
    job = job_for(tmp_path, folder, cells_of(folder))
    done = score(job, tmp_path / "out")
    assert (done.failures, done.n_done) == ([], done.n_cells)
    found = collect(tmp_path / "out" / "records", job)
    assert (found.n_good, found.n_cells) == (done.n_cells, done.n_cells)
    for record, tables in found.found:
        assert record.cell.method.name == folder.name.replace("__", "/")
        assert record.cell.task.split == "test"
        assert tables
    lines = (tmp_path / "out" / "progress.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) >= done.n_cells
    assert json.loads(lines[0])["done"] == 0


def test_one_artifact_that_fails_does_not_stop_the_others(tmp_path, capsys):
    folder = good(tmp_path)
    listed = [entry(folder / FILE, seed=0)]
    for seed in (1, 2):
        file = f"artifacts/{seed}.safetensors"
        save_scores(scores(seed=seed), folder / file)
        listed.append(entry(folder / file, file, seed=seed))
    write_manifest(folder, manifest(listed))
    (folder / "artifacts" / "1.safetensors").write_bytes(b"x")
    job = job_for(tmp_path, folder, cells_of(folder)[:1])
    path = tmp_path / "job.json"
    path.write_text(job.model_dump_json(), encoding="utf-8")
    assert main([str(path), str(tmp_path / "out")]) == 0
    assert "artifacts/1.safetensors is not the file that was handed in" in capsys.readouterr().err
    found = collect(tmp_path / "out" / "records", job)
    assert (found.n_good, found.n_cells) == (2, 3)
    assert sorted(record.cell.method.seed for record, _ in found.found) == [0, 2]
    result = json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))
    assert (result["cells"], result["records"], len(result["failures"])) == (3, 2, 1)


def test_a_model_that_cannot_be_had_fails_its_cells_only(tmp_path):
    folder = good(tmp_path)
    change(folder, first={"models": [MODEL, "gone"]})
    job = job_for(tmp_path, folder, cells_of(folder))
    done = score(job, tmp_path / "out")
    assert (done.n_cells, done.n_done) == (2, 1)
    assert "gone" in done.failures[0]


def test_a_job_that_cannot_be_used_is_said_on_standard_error(tmp_path, capsys):
    folder = good(tmp_path)
    job = job_for(tmp_path, folder, cells_of(folder))
    path = tmp_path / "job.json"
    path.write_text(job.model_dump_json(), encoding="utf-8")
    shutil.rmtree(folder)
    assert main([str(path), str(tmp_path / "out")]) == 2
    assert "submission.yaml cannot be read" in capsys.readouterr().err


def test_nine_circuits_of_one_ranking_are_read_as_one_series_with_its_budgets_checked(tmp_path):
    folder = circuits(tmp_path, BUDGETS, seed=3)
    job = job_for(tmp_path, folder, [{"track": "circuit", "tasks": [TASK], "models": [MODEL]}])
    own = read_submission(folder)
    published = type(rules()).model_validate_json(job.round.read_text(encoding="utf-8"))
    (piece,) = pieces_of(own, published)
    ((ground, pieces),) = grounds_of([piece], published)
    scoring = Scoring(job, published, own, tmp_path)
    series, method = scoring.read(piece, scoring.settings(ground, pieces))
    assert isinstance(series, CircuitSeries)
    assert (method.name, method.version, method.seed, method.params) == ("team/method@1", 1, 3, {})
    assert method.artifact_digest == series.digest == read_piece(piece, folder).digest


def test_pieces_share_a_run_where_their_cells_are_a_product(tmp_path):
    folder = good(tmp_path)
    file = "artifacts/b.safetensors"
    save_scores(scores(seed=1), folder / file)

    def both():  # the same list twice would be an alias, which manifests may not have
        return {"tasks": ["ioi", TASK], "models": [MODEL, "gpt2-small"]}

    write_manifest(folder, manifest([entry(folder / FILE, **both()), entry(folder / file, file, **both(), seed=1)]))
    own = read_submission(folder)
    whole = _round(both())
    ((ground, pieces),) = grounds_of(pieces_of(own, whole), whole)
    assert ground == Ground("circuit", ("ioi", TASK), ("gpt2-small", MODEL), "edge", None)
    assert len(pieces) == 2
    some = _round({"tasks": [TASK], "models": [MODEL]}, {"tasks": ["ioi"], "models": ["gpt2-small"]})
    grounds = [ground for ground, _ in grounds_of(pieces_of(own, some), some)]
    assert [(one.tasks, one.models) for one in grounds] == [(("ioi",), ("gpt2-small",)), ((TASK,), (MODEL,))]


def _round(*groups):
    own = rules().model_dump(mode="json") | {"cells": [{"track": "circuit", **group} for group in groups]}
    return type(rules()).model_validate(own)


def test_a_convention_that_a_track_does_not_have_is_ours_there(tmp_path):
    folder = EXAMPLES / "example__sae-pca@1"
    job = job_for(tmp_path, folder, cells_of(folder), convention="mib")
    score(job, tmp_path / "out")
    ((record, _),) = collect(tmp_path / "out" / "records", job).found
    assert record.cell.convention is Convention.MIBENCH
