"""A round from first command to last: three tracks, good, careless and hostile teams, a worker that is killed."""

from __future__ import annotations

import json
import threading
import time
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import psutil
import pytest
import yaml
from dictionary_examples import example
from safetensors import safe_open
from safetensors.numpy import save_file
from stand_in import write_model, write_rows
from submission_cases import entry, manifest, scores, write_manifest

from mibench.artifacts.dictionaries.dictionary import Place
from mibench.artifacts.dictionaries.native import save_dictionary
from mibench.artifacts.featurizers.files import save_featurizers
from mibench.artifacts.featurizers.operation import Operation
from mibench.artifacts.files import save_scores
from mibench.core.hook_points import HookPoint
from mibench.core.specs import Level
from mibench.graph.graph import Graph
from mibench.records.store import Store

MODEL = "tiny"
SITE = "residual-post.L1@last"
VARIABLE = "output_position"


@pytest.fixture
def scene(tmp_path, backend):
    """A model that reads the words of IOI, and text that nobody has."""
    rows = write_rows(tmp_path / "rows", 400)
    write_model(tmp_path / MODEL, rows, n_positions=160)
    sentences = [f"{row['prompt']} {row['choices'][row['answerKey']]}." for row in rows]
    documents = [" ".join(sentences[start : start + 20]) for start in range(0, len(sentences), 20)]
    held_back = "".join(json.dumps({"text": text}) + "\n" for text in documents)
    (tmp_path / "held-back.jsonl").write_text(held_back, encoding="utf-8")
    return tmp_path


def fill_in(place):
    """What an organiser writes into the draft."""
    path = place / "round" / "round.yaml"
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    now = datetime.now(UTC)
    values |= {
        "title": "A round",
        "organiser": "Somebody",
        "contact": "a@example.org",
        "opens": (now - timedelta(days=1)).isoformat(),
        "deadline": (now + timedelta(days=30)).isoformat(),
        "cells": [
            {"track": "circuit", "tasks": ["ioi"], "models": [MODEL], "level": "node"},
            {"track": "variable", "tasks": ["ioi"], "models": [MODEL], "variables": [VARIABLE], "heads": ["0.1"]},
            {"track": "sae", "tasks": ["sae-core"], "models": [MODEL], "hooks": ["residual-post.L1"]},
        ],
        "boards": [
            {"name": "circuits", "track": "circuit", "headline": "distance_absolute"},
            {"name": "variables", "track": "variable", "headline": "explained_variance"},
            {"name": "dictionaries", "track": "sae", "headline": "explained_variance_global"},
        ],
        "private": {"model_folders": {MODEL: str(place / MODEL)}, "texts": {"sotu": str(place / "held-back.jsonl")}},
    }
    values["scoring"]["rows"] = 6
    values["limits"] |= {"seconds": 300, "memory_bytes": 4 * 2**30}
    path.write_text(yaml.safe_dump(values), encoding="utf-8")


def graph_of(place):
    config = json.loads((place / MODEL / "config.json").read_text(encoding="utf-8"))
    return Graph(config["n_layer"], config["n_head"], parallel=False), config["n_embd"]


def hand_in(place, team, version, files, **changes):
    """Write a submission of one artifact or more."""
    folder = place / f"{team}__method@{version}"
    (folder / "artifacts").mkdir(parents=True)
    listed = [
        entry(path, f"artifacts/{path.name}", **own) for path, own in ((save(folder), own) for save, own in files)
    ]
    tracks = sorted({one["track"] for one in listed})
    write_manifest(folder, manifest(listed, team=team, version=version, tracks=tracks, **changes))
    return folder


def circuit(place):
    graph, width = graph_of(place)

    def save(folder):
        path = folder / "artifacts" / "nodes.safetensors"
        save_scores(scores(graph, width, 0, Level.NODE), path)
        return path

    return save, {"tasks": ["ioi"], "models": [MODEL], "level": "node"}


def featurizers(place):
    _, width = graph_of(place)

    def save(folder):
        path = folder / "artifacts" / "sites.safetensors"
        rotation = {"rotation": np.eye(width, 4, dtype=np.float32)}
        where = {SITE: [Operation("orthogonal", rotation)]}
        save_featurizers(where, path, model=MODEL, task="ioi", variable=VARIABLE)
        return path

    return save, {"track": "variable", "tasks": ["ioi"], "models": [MODEL], "level": None, "variable": VARIABLE}


def dictionary(place):
    _, width = graph_of(place)

    def save(folder):
        path = folder / "artifacts" / "sae.safetensors"
        save_dictionary(replace(example("relu", width, 24), place=Place(MODEL, HookPoint(1))), path)
        return path

    own = {"track": "sae", "tasks": ["sae-core"], "models": [MODEL], "level": None, "hook": "residual-post.L1"}
    return save, own


def careless(place):
    """Five mistakes in one submission: digest, task, licence, a number that is none, and a file that is not listed."""
    folder = hand_in(place, "careless", "1", [circuit(place)])
    path = folder / "artifacts" / "nan.safetensors"
    path.write_bytes((folder / "artifacts" / "nodes.safetensors").read_bytes())
    put_nan(path)
    values = yaml.safe_load((folder / "submission.yaml").read_text(encoding="utf-8"))
    values["artifacts"].append(
        entry(path, "artifacts/nan.safetensors", tasks=["ioj"], models=[MODEL], level="node", seed=1)
    )
    values["artifacts"][0]["sha256"] = "0" * 64
    values["licence"] = ""
    write_manifest(folder, values)
    (folder / "records.json").write_text("{}", encoding="utf-8")
    return folder


def put_nan(path):
    """Put a NaN into a file of scores, which our own writer refuses."""
    with safe_open(path, "numpy") as stream:
        about, tensors = stream.metadata(), {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
    name = next(name for name, value in tensors.items() if value.dtype == np.float32)
    tensors[name].flat[0] = np.nan
    save_file(tensors, path, metadata=about)


def hostile(place):
    """An archive that leads out of its folder, and a pickle in the place of tensors."""
    path = place / "hostile__method@1.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("hostile__method@1/submission.yaml", "schema_version: 1\n")
        archive.writestr("hostile__method@1/../../../escaped", "x")
        archive.writestr("hostile__method@1/artifacts/a.safetensors", b"\x80\x04cos\nsystem\n(S'touch pwned'\ntR.")
    return path


def kill_one_worker(place, killed):
    """Kill a worker with SIGKILL while its scorer is at work."""
    end = time.monotonic() + 120
    while not killed and time.monotonic() < end:
        time.sleep(0.02)
        for started in (place / "round" / "spool" / "taken").glob("*/out/progress.jsonl"):
            worker = psutil.Process(int(started.parts[-3].split("-")[-2]))
            worker.kill()
            killed.append(worker.pid)
            return


def test_the_story_of_a_round(scene, run):
    assert run("shared-task", "init", "round", "--name", "story").status == 0
    assert run("shared-task", "open", "round").status == 1
    fill_in(scene)
    opened = run("shared-task", "open", "round")
    assert opened.status == 0, opened
    published = json.loads((scene / "round" / "round.json").read_text(encoding="utf-8"))
    keys = {
        team: run("shared-task", "register", "round", team, "--contact", "a", "--json").json["key"]
        for team in ("alpha", "beta", "careless", "hostile")
    }

    def add(team, what):
        return run("shared-task", "add", "round", what, "--key", keys[team])

    perfect = hand_in(scene, "alpha", "1", [circuit(scene), featurizers(scene), dictionary(scene)])
    checked = run(
        "submit", "check", perfect, "--round", "round/round.json", "--model-folder", f"{MODEL}={scene / MODEL}"
    )
    assert checked.status == 0, checked
    assert add("alpha", perfect).status == 0
    assert add("beta", perfect).status == 1, "a team hands in under another's name"

    mistakes = add("careless", careless(scene))
    assert mistakes.status == 1
    for words in ("sha256", "ioj", "licence", "nan", "records.json"):
        assert words in (mistakes.out + mistakes.err).casefold(), words

    attack = add("hostile", hostile(scene))
    assert attack.status == 1
    assert not list(scene.rglob("escaped"))
    assert not list(scene.rglob("pwned"))

    # Two valid ones a week; those that failed do not count.
    assert add("beta", hand_in(scene, "beta", "1", [circuit(scene)])).status == 0
    assert add("beta", hand_in(scene, "beta", "2", [circuit(scene), dictionary(scene)], supersedes="1")).status == 0
    full = add("beta", hand_in(scene, "beta", "3", [circuit(scene)]))
    assert full.status == 1
    assert "seven days" in full.out + full.err

    killed = []
    thread = threading.Thread(target=kill_one_worker, args=(scene, killed))
    thread.start()
    done = run("shared-task", "evaluate", "round", "--workers", "2", "--json")
    thread.join()
    assert done.status == 0, done
    assert killed
    states = {one["entry"]: one["state"] for one in run("shared-task", "status", "round", "--json").json["entries"]}
    assert sorted(states.values()).count("SCORED") == 3, states
    tracks = [record.cell.track.value for record in Store(scene / "round" / "records" / "standings").query()]
    assert sorted(tracks) == ["circuit", "circuit", "circuit", "sae", "sae", "variable"]

    assert run("shared-task", "publish", "round").status == 0
    standings = (scene / "round" / "public" / "standings" / "standings.md").read_text(encoding="utf-8")
    assert "alpha" in standings
    assert not (scene / "round" / "public" / "reveal").exists()

    number = next(one for one in states if states[one] == "SCORED")
    assert run("shared-task", "nominate", "round", number, "--key", keys["alpha"]).status == 0
    assert run("shared-task", "close", "round", "--early", "the story ends").status == 0
    assert add("beta", scene / "beta__method@3").status == 1
    assert run("shared-task", "evaluate", "round", "--split", "final").status == 0
    again = run("shared-task", "evaluate", "round", "--split", "final", "--json")
    assert again.json["scored"] == []
    assert run("shared-task", "close", "round").status == 0
    assert run("shared-task", "publish", "round", "--reveal").status == 0

    revealed = scene / "round" / "public" / "reveal"
    assert json.loads((scene / "round" / "public" / "round.json").read_text(encoding="utf-8")) == published
    assert run("shared-task", "verify", "round/round.json", revealed).status == 0
    rows = next(revealed.rglob("standings/ioi/test.jsonl"))
    rows.write_bytes(rows.read_bytes() + b"\n")
    assert run("shared-task", "verify", "round/round.json", revealed).status == 1
    assert run("shared-task", "status", "round", "--audit").status == 0


@pytest.mark.slow
@pytest.mark.parametrize(("executor", "option"), [("slurm", "cluster=local"), ("ray", "object_store_memory=80000000")])
def test_workers_that_a_scheduler_starts_score_in_the_same_sandbox(executor, option, scene, run):
    pytest.importorskip("submitit" if executor == "slurm" else "ray", reason=f"mibench[{executor}] is not installed")
    run("shared-task", "init", "round", "--name", "story")
    fill_in(scene)
    assert run("shared-task", "open", "round").status == 0
    key = run("shared-task", "register", "round", "alpha", "--contact", "a", "--json").json["key"]
    assert run("shared-task", "add", "round", hand_in(scene, "alpha", "1", [circuit(scene)]), "--key", key).status == 0
    words = ["shared-task", "evaluate", "round", "--executor", executor, "--scheduler", option, "--json"]
    done = run(*words)
    assert (done.status, done.json["scored"], done.json["failed"]) == (0, [1], {}), done
    (record,) = Store(scene / "round" / "records" / "standings").query()
    assert record.status == "ok"
