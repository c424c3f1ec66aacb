from __future__ import annotations

import pytest
from submission_cases import manifest

from mibench.core.specs import Track
from mibench.intake.cells import coverage_faults, repeated, task_faults, track_faults
from mibench.intake.manifest import ArtifactEntry, Submission
from mibench.intake.rules import Coverage, Rules


def values(number=0, **changes):
    own = {
        "track": "circuit",
        "tasks": ["ioi"],
        "models": ["gpt2"],
        "level": "edge",
        "file": f"{number}.safetensors",
        "sha256": f"{number:064d}",
        "bytes": 9,
    }
    return {key: value for key, value in (own | changes).items() if value is not None}


def one(**changes):
    return ArtifactEntry(**values(**changes))


def whole(*artifacts, **changes):
    return Submission(**manifest(list(artifacts), **changes))


def covered(submission, rules=None):
    return [one.why for one in coverage_faults(submission, rules or Rules())]


def test_no_board_asks_for_nothing():
    assert covered(whole(values())) == []


def test_mibs_board_asks_for_two_tasks_and_two_models():
    boards = {"boards": ["mib"]}
    assert "there are 1 and 1" in covered(whole(values(), **boards))[0]
    assert "there are 2 and 1" in covered(whole(values(tasks=["ioi", "mcqa"]), **boards))[0]
    assert "there are 1 and 2" in covered(whole(values(), values(1, models=["qwen2.5-0.5b"]), **boards))[0]
    assert covered(whole(values(tasks=["ioi", "mcqa"], models=["gpt2", "qwen2.5-0.5b"]), **boards)) == []


def test_each_track_is_to_be_covered_by_itself():
    variable = values(1, track="variable", level=None, variable="output_token")
    both = {"tasks": ["ioi", "mcqa"], "models": ["gpt2", "qwen2.5-0.5b"]}
    found = list(
        coverage_faults(whole(values(**both), variable, tracks=["circuit", "variable"], boards=["mib"]), Rules())
    )
    assert [one.what for one in found] == ["The track variable covers too little."]


def test_a_board_without_the_track_is_refused():
    dictionary = values(track="sae", level=None, hook="residual-post.L1", tasks=["sae-core"])
    assert "It is for circuit, variable" in covered(whole(dictionary, tracks=["sae"], boards=["mib"]))[0]


def test_a_rule_of_the_check_is_asked_too():
    rules = Rules(coverage=Coverage(3, 1))
    assert "asks for 3 tasks and 1 models" in covered(whole(values()), rules)[0]


def test_tracks_are_those_of_the_artifacts():
    assert list(track_faults(whole(values()))) == []
    assert len(list(track_faults(whole(values(), tracks=["circuit", "sae"])))) == 1


def test_an_artifact_may_come_again_for_another_seed():
    entries = {0: one(), 1: ArtifactEntry(**values(1, seed=1)), 2: ArtifactEntry(**values(2, seed=2))}
    assert list(repeated(entries)) == []
    entries[3] = ArtifactEntry(**values(3, seed=2, tasks=["mcqa", "ioi"]))
    (found,) = repeated(entries)
    assert found.what == "artifacts[2] and artifacts[3] are for the same cell."
    assert found.index == 3


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({}, ""),
        ({"tasks": ["ioi", "iio"]}, "There is no task 'iio'"),
        ({"tasks": ["sae-core"]}, "There is no task 'sae-core' in the track circuit"),
        ({"models": ["gpt2", "gpt2"]}, "models names gpt2 twice"),
        ({"track": "variable", "level": None, "variable": "nothing", "tasks": ["ioi"]}, "ioi has no variable"),
        ({"track": "variable", "level": None, "variable": "query+answer", "tasks": ["planted-induction"]}, ""),
        ({"track": "variable", "level": None, "variable": "query+x", "tasks": ["planted-induction"]}, "variable 'x'"),
        ({"track": "sae", "level": None, "hook": "residual-post.L1", "tasks": ["sae-core"]}, ""),
        ({"track": "sae", "level": None, "tasks": ["sae-core"], "models": []}, "names no model"),
        ({"track": "sae", "level": None, "tasks": ["sae-synthetic"], "models": []}, ""),
        ({"track": "sae", "level": None, "tasks": ["sae-synthetic"]}, "generated data and for more"),
        ({"track": "sae", "level": None, "tasks": ["sae-synthetic", "sae-core"], "models": []}, "and for more"),
    ],
)
def test_tasks_and_variables_are_known(changes, word):
    found = [failure.what for failure in task_faults(0, one(**changes))]
    assert word in found[0] if word else found == [], found


def test_every_track_has_tasks():
    from mibench.intake.cells import TASKS

    assert set(TASKS) == set(Track)
