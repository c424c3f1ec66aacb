from __future__ import annotations

import pytest
from round_cases import round_of
from submission_cases import FILE, MODEL, TASK, change, good

from mibench.intake.check import Asked, check_submission
from mibench.intake.manifest import ArtifactEntry
from mibench.intake.round_faults import round_faults


def checked(folder, **changes):
    own = round_of(**changes)
    return check_submission(folder, Asked(rules=own.rules(), round=own))


def entry(**changes):
    own = {
        "track": "circuit",
        "tasks": [TASK],
        "models": [MODEL],
        "level": "edge",
        "file": "a.safetensors",
        "sha256": "0" * 64,
        "bytes": 1,
    }
    return ArtifactEntry.model_validate({k: v for k, v in (own | changes).items() if v is not None}, strict=False)


def faults(*entries, **changes):
    return list(round_faults(round_of(**changes), dict(enumerate(entries))))


def test_a_submission_to_the_round_passes_without_a_note(tmp_path):
    report = checked(good(tmp_path))
    assert (report.passed, report.notes) == (True, ())


def test_each_cell_that_is_none_fails_and_names_the_nearest(tmp_path):
    folder = good(tmp_path)
    cells = [{"track": "circuit", "tasks": [TASK], "models": ["planted-induction-llama", "gpt2"]}]
    report = checked(folder, cells=cells)
    (one,) = report.failures
    assert one.what == "planted-induction on planted-induction-gpt2 (circuit, edge) is no cell of the round."
    assert one.do == "Did you mean planted-induction on planted-induction-llama (circuit, edge)?"
    assert (one.file, one.index) == ("submission.yaml", 0)


def test_tasks_times_models_are_looked_at_one_by_one():
    found = faults(entry(tasks=[TASK, "arithmetic-digit"], models=[MODEL, "llama-3.1-8b"]))
    assert [one.what.split(" (")[0] for one in found] == [
        f"{TASK} on llama-3.1-8b",
        f"arithmetic-digit on {MODEL}",
        "arithmetic-digit on llama-3.1-8b",
    ]


def test_another_level_variable_or_hook_is_another_cell():
    (one,) = faults(entry(level="node"))
    assert one.do == f"Did you mean {TASK} on {MODEL} (circuit, edge)?"
    cells = [{"track": "variable", "tasks": [TASK], "models": [MODEL], "variables": ["answer", "query"]}]
    boards = [{"name": "main", "track": "variable", "headline": "normalised_iia"}]
    own = {"track": "variable", "level": None, "variable": "key"}
    (one,) = faults(entry(**own), cells=cells, boards=boards)
    assert one.what.endswith("(variable, key) is no cell of the round.")
    assert one.do == f"Did you mean {TASK} on {MODEL} (variable, answer or query)?"
    assert faults(entry(**own | {"variable": "query"}), cells=cells, boards=boards) == []
    cells = [{"track": "sae", "tasks": ["sae-core"], "models": ["gpt2"], "hooks": ["residual-post.L6"]}]
    boards = [{"name": "main", "track": "sae", "headline": "explained_variance_global"}]
    own = {"track": "sae", "level": None, "tasks": ["sae-core"], "models": ["gpt2"], "hook": "residual-post.L5"}
    (one,) = faults(entry(**own), cells=cells, boards=boards)
    assert one.do == "Did you mean sae-core on gpt2 (sae, residual-post.L6)?"


def test_a_track_that_the_round_does_not_have_is_said():
    own = {"track": "sae", "tasks": ["sae-synthetic-toy"], "models": [], "level": None}
    (one,) = faults(entry(**own))
    assert one.what == "sae-synthetic-toy (sae) is no cell of the round."
    assert one.do == "Leave it out: small is of the track circuit."


def test_many_cells_that_are_none_are_told_soon():
    found = faults(entry(tasks=[f"task-{n}" for n in range(200)], models=[f"model-{n}" for n in range(50)]))
    assert len(found) == 200 * 50
    assert found[-1].do == "Its cells are in round.json."


@pytest.mark.parametrize(("kind", "key", "name"), [("task", "tasks", TASK), ("metric", "metrics", "distance_absolute")])
def test_another_version_than_the_rounds_is_told(tmp_path, kind, key, name):
    own = {"tasks": {TASK: 1, "ioi": 1}, "metrics": {"distance_absolute": 1}}[key]
    (one,) = checked(good(tmp_path), mibench="9.9.9", **{key: own | {name: 7}}).failures
    assert one.what == f"The {kind} {name} is not installed as it is scored."
    assert one.why == "The round was opened with version 7 (mibench 9.9.9); here it is 1."
    assert one.do == "Install mibench 9.9.9."


def test_a_metric_that_is_not_installed_is_told(tmp_path):
    (one,) = checked(good(tmp_path), metrics={"unheard-of": 1}).failures
    assert one.why.endswith("here it is none.")


def test_a_deadline_that_has_passed_is_a_note(tmp_path):
    report = checked(good(tmp_path), days=-1)
    assert report.passed
    (note,) = report.notes
    assert note.startswith("The deadline of small has passed: it was ")


def test_the_limits_are_those_of_the_round(tmp_path):
    limits = {"file_bytes": 1000, "min_tasks": 2}
    found = [one.what for one in checked(good(tmp_path), limits=limits).failures]
    assert f"{FILE} is too large." in found
    assert "The track circuit covers too little." in found


def test_code_is_told_from_other_files_where_the_round_takes_none(tmp_path):
    folder = good(tmp_path)
    (folder / "method.py").write_text("pass\n", encoding="utf-8")
    (one,) = checked(folder).failures
    assert (one.what, one.file) == ("method.py is code.", "method.py")
    assert "small takes artifacts" in one.why
    (one,) = check_submission(folder).failures
    assert one.what == "method.py does not belong here."


def test_too_many_cells_are_one_failure_and_take_no_time(tmp_path):
    folder = good(tmp_path)
    tasks, models = ([f"{kind}{n}" for n in range(200)] for kind in "tm")
    change(folder, first={"tasks": tasks, "models": models})
    found = [one.what for one in checked(folder).failures]
    assert "There are too many cells." in found
    assert not any("no cell of the round" in what for what in found)
