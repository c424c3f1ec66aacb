"""A round is evaluated for real: private rows, a sandbox, the scorer, blinded records."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from evaluation_cases import SALT
from round_cases import START, Clock, rules
from stand_in import write_model
from submission_cases import change, entry, good, manifest, scores, write_manifest

from mibench.artifacts.files import save_scores
from mibench.core.errors import SandboxError
from mibench.core.specs import Level, Track
from mibench.graph.graph import Graph
from mibench.intake.check import Asked, check_submission
from mibench.models.digest import folder_digest
from mibench.records.store import Store
from mibench.sandbox.backends import find_backend
from mibench.shared_task.drive import Pace, evaluate
from mibench.shared_task.folder import RoundFolder
from mibench.shared_task.state import RoundState
from mibench.shared_task.states import State
from mibench.tasks.private.make import PrivateWish, make_splits

MODEL = "local:tiny"
ROWS = 6


@pytest.fixture
def backend():
    try:
        return find_backend()
    except SandboxError as error:
        pytest.skip(str(error))


@pytest.fixture
def state(tmp_path):
    """An open round on IOI with private rows, and a model that reads them."""
    folder = RoundFolder(tmp_path / "ROUND")
    folder.private.mkdir(parents=True, mode=0o700)
    make_splits(PrivateWish(tasks=((Track.CIRCUIT, "ioi"),), rows=ROWS), SALT, folder.private)
    model = write_model(tmp_path / "tiny", private_rows(folder))
    group = {"track": "circuit", "tasks": ["ioi"], "models": [MODEL], "level": "node"}
    own = {
        "cells": [group],
        "scoring": {"rows": ROWS},
        "limits": {"seconds": 300},
        "tasks": {"ioi": 1},
        "models": {MODEL: folder_digest(model)},
    }
    published = rules().model_validate(rules().model_dump(mode="json") | own)
    folder.round_file.write_text(published.model_dump_json(), encoding="utf-8")
    folder.salt_file.write_text(SALT.hex(), encoding="ascii")
    (folder.private / "organiser.json").write_text(json.dumps({"model_folders": {MODEL: str(model)}}), encoding="utf-8")
    found = RoundState(folder, Clock(START + timedelta(days=1)))
    found.create()
    return found


def private_rows(folder):
    paths = [folder.split(split) / "ioi" / "test.jsonl" for split in ("standings", "final")]
    return [json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]


def submission(parent, model, method, seed):
    """Scores of the nodes of a model."""
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    graph = Graph(config["n_layer"], config["n_head"], parallel=False)
    folder = good(parent, f"team__{method}@1")
    path = folder / "artifacts" / "a.safetensors"
    save_scores(scores(graph, config["n_embd"], seed, Level.NODE), path, overwrite=True)
    listed = entry(path, tasks=["ioi"], models=[MODEL], level="node")
    write_manifest(folder, manifest([listed], method=method))
    change(folder, parameters={"alpha": 1})
    return folder


def test_a_round_is_scored_on_its_private_rows_and_nothing_of_them_is_told(state, tmp_path, backend):
    key, model = state.register("team", "a@example.org"), tmp_path / "tiny"
    for number, method in enumerate(("good", "changed")):
        source = submission(tmp_path / "home", model, method, number)
        taken, report = state.hand_in(source, key, lambda path: check_submission(path, Asked(folders={MODEL: model})))
        assert report.passed, report.failures
    # What was handed in is not what is there when it is scored.
    changed = state.folder.submission(2) / taken.folder_name / "artifacts" / "a.safetensors"
    changed.write_bytes(changed.read_bytes()[::-1])

    report = evaluate(state.folder, "standings", 1, backend, Pace(threads=1))

    logs = {path.name: path.read_text(encoding="utf-8") for path in (state.folder.private / "logs").iterdir()}
    assert report.scored == [1], logs
    assert report.failed == {2: "Every cell failed (1 of 1)."}
    assert "is not the file that was handed in" in logs["000002-standings-1.txt"]
    assert [one.state for one in state.entries()] == [State.SCORED, State.FAILED]
    (record,) = Store(state.folder.records("standings")).query()
    assert (record.status, record.cell.method.name) == ("ok", "team/good@1")
    assert (record.cell.method.version, record.cell.method.params) == (1, {"alpha": 1})
    assert (record.cell.task.name, record.cell.task.split, record.cell.task.limit) == ("ioi", "test", ROWS)
    assert record.cell.model.name == MODEL
    assert record.metrics["cpr"].value is not None
    assert record.volatile.provenance.threads == 1
    told = b"".join(path.read_bytes() for path in state.folder.records("standings").rglob("*") if path.is_file())
    for row in private_rows(state.folder):
        assert row["prompt"].encode() not in told
    assert list((state.folder.spool / "done").iterdir()) == []
