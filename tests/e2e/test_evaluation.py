"""A round is evaluated for real: private rows, a sandbox, the scorer, blinded records."""

from __future__ import annotations

import json
import threading
import time
from datetime import timedelta

import psutil
import pytest
from evaluation_cases import SALT
from open_rounds import START, Clock, rules
from round_cases import private_rows
from stand_in import write_model
from submission_cases import entry, good, manifest, scores, write_manifest

from mibench.artifacts.files import save_scores
from mibench.core.specs import Level, Track
from mibench.graph.graph import Graph
from mibench.intake.check import Asked, check_submission
from mibench.models.digest import folder_digest
from mibench.records.store import Store
from mibench.shared_task.drive import Pace, evaluate
from mibench.shared_task.folder import RoundFolder
from mibench.shared_task.state import RoundState
from mibench.shared_task.states import State
from mibench.tasks.private.make import PrivateWish, make_splits

MODEL = "local:tiny"
ROWS = 6


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


def submission(parent, model):
    """Scores of the nodes of a model, from two seeds."""
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    graph = Graph(config["n_layer"], config["n_head"], parallel=False)
    folder, listed = good(parent), []
    for seed in (0, 1):
        path = folder / "artifacts" / f"{'ab'[seed]}.safetensors"
        save_scores(scores(graph, config["n_embd"], seed, Level.NODE), path, overwrite=True)
        file = f"artifacts/{path.name}"
        listed.append(entry(path, file, tasks=["ioi"], models=[MODEL], level="node", seed=seed))
    write_manifest(folder, manifest(listed, parameters={"alpha": 1}))
    return folder


def test_a_round_is_scored_on_its_private_rows_and_nothing_of_them_is_told(state, tmp_path, backend):
    key, model = state.register("team", "a@example.org"), tmp_path / "tiny"
    asked = Asked(folders={MODEL: model})
    taken, found = state.hand_in(submission(tmp_path, model), key, lambda path: check_submission(path, asked))
    assert found.passed, found.failures
    # One of its files is not the one that was handed in when it is scored.
    changed = state.folder.submission(1) / taken.folder_name / "artifacts" / "b.safetensors"
    changed.write_bytes(changed.read_bytes()[::-1])

    report = evaluate(state.folder, "standings", 1, backend, Pace(threads=1))

    logs = {path.name: path.read_text(encoding="utf-8") for path in (state.folder.private / "logs").iterdir()}
    assert (report.scored, report.failed) == ([1], {}), logs
    assert "artifacts/b.safetensors is not the file that was handed in" in logs["000001-standings-1.txt"]
    assert (state.entry(1).state, state.entry(1).reason) == (State.SCORED, "1 of 2 cells failed.")
    (record,) = Store(state.folder.records("standings")).query()
    method, task = record.cell.method, record.cell.task
    assert (record.status, method.name, method.version, method.seed) == ("ok", "team/method@1", 1, 0)
    assert method.params == {"alpha": 1}
    assert (task.name, task.split, task.limit, record.cell.model.name) == ("ioi", "test", ROWS, MODEL)
    assert record.metrics["cpr"].value is not None
    assert record.floor_draws == 5
    assert record.volatile.provenance.threads == 1
    told = b"".join(path.read_bytes() for path in state.folder.records("standings").rglob("*") if path.is_file())
    for row in private_rows(state.folder):
        assert row["prompt"].encode() not in told
    assert list((state.folder.spool / "done").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("who", ["worker", "sandbox", "scorer"])
def test_what_is_killed_in_a_real_sandbox_is_scored_in_the_next_try(state, tmp_path, backend, who):
    key, model = state.register("team", "a@example.org"), tmp_path / "tiny"
    state.hand_in(submission(tmp_path, model), key, lambda path: check_submission(path, Asked(folders={MODEL: model})))
    killed = []

    def kill():
        end = time.monotonic() + 120
        while not killed and time.monotonic() < end:
            time.sleep(0.02)
            started = list((state.folder.spool / "taken").glob("*/out/progress.jsonl"))
            if started:
                worker = psutil.Process(int(started[0].parts[-3].split("-")[-2]))
                below = worker.children(recursive=True)
                victim = {"worker": worker, "sandbox": below[0], "scorer": below[-1]}[who]
                victim.kill()
                killed.append((victim, below))

    thread = threading.Thread(target=kill)
    thread.start()
    report = evaluate(state.folder, "standings", 1, backend, Pace(threads=1))
    thread.join()
    assert killed
    assert (report.scored, report.failed, report.given_back) == ([1], {}, 1)
    assert len(Store(state.folder.records("standings")).query()) == 2
    assert not any(process.is_running() for _, below in killed for process in below)
