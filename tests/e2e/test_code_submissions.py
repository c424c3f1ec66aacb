"""Methods that are handed in as code, for real: made in a sandbox, then scored apart, on public or private rows."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta

import pytest
import yaml
from code_submissions import HONEST, code_submission
from evaluation_cases import SALT
from open_rounds import START, Clock, rules
from round_cases import private_rows
from stand_in import write_model

from mibench.core.specs import Track
from mibench.intake.check import Asked, check_submission
from mibench.intake.round import read_round
from mibench.models.digest import folder_digest
from mibench.records.store import Store
from mibench.shared_task.contenders import contenders
from mibench.shared_task.drive import Pace, evaluate
from mibench.shared_task.folder import RoundFolder
from mibench.shared_task.made import made_folder
from mibench.shared_task.standings import make_standings
from mibench.shared_task.state import RoundState
from mibench.tasks.private.make import PrivateWish, make_splits
from mibench.tasks.shipped import data_folder

MODEL = "local:tiny"
ROWS = 6


@pytest.mark.usefixtures("backend")
def test_a_method_becomes_a_submission_that_is_scored_like_any_other(run, tmp_path):
    source = code_submission(tmp_path / "code")
    refused = run("submit", "check", source)
    assert refused.status == 1
    assert "This submission holds code." in refused.out
    assert run("submit", "check", source, "--trust-code").status == 0

    held = run("submit", "make", source, "-o", "made")
    assert held.status == 2
    assert "found in method.py would be run, to make 1 artifact." in " ".join(held.err.split())
    assert not (tmp_path / "made").exists()

    done = run("submit", "make", source, "-o", "made", "--trust-code", "--json")
    assert done.status == 0, done.err
    folder = tmp_path / "made" / source.name
    assert done.json["folder"] == str(folder)
    assert done.json["reproduced"] is None
    assert run("submit", "check", folder).status == 0
    values = yaml.safe_load((folder / "submission.yaml").read_text(encoding="utf-8"))
    assert values["made_from"] == done.json["made_from"]
    assert run("submit", "make", source, "-o", "made", "--trust-code").status == 2


@pytest.mark.slow
@pytest.mark.usefixtures("backend")
def test_making_twice_says_whether_it_is_the_same(run, tmp_path):
    draws = "import os\n\n\ndef found(view):\n    drawn = int.from_bytes(os.urandom(2), 'little')\n"
    draws += "    return view.scores(view.attribute() + drawn)\n"
    for name, text, words in (("a", HONEST, "reproduced: both"), ("b", draws, "not reproduced")):
        done = run(
            "submit", "make", code_submission(tmp_path / name, text), "-o", f"out{name}", "--trust-code", "--twice"
        )
        assert done.status == 0, done.err
        assert words in done.out


@pytest.mark.slow
@pytest.mark.usefixtures("backend")
def test_a_method_that_fails_says_so_and_leaves_nothing(run, tmp_path):
    source = code_submission(tmp_path / "code", "def found(view):\n    raise ValueError('boom')\n")
    done = run("submit", "make", source, "-o", "made", "--trust-code")
    assert done.status == 1
    assert "boom" in done.err
    assert "No artifacts were made." in done.err
    assert list((tmp_path / "made").iterdir()) == []


HOSTILE = """
import glob, json, os, sys

import mibench.engine.circuits.evaluate as scoring
import mibench.records.store as store
import mibench.runner.discover as discover
import mibench.tasks.private.overlay as overlay

PERFECT = {"cpr": 1.0, "distance_absolute": 0.0}


def everywhere(*arguments, **options):
    return PERFECT


for module in list(sys.modules.values()):
    if getattr(module, "__name__", "").startswith("mibench"):
        for name in ("evaluate", "score_files", "check_submission", "faithfulness"):
            if hasattr(module, name):
                setattr(module, name, everywhere)


def found(view):
    private = [path for top in TOPS for path in glob.glob(top + "/**", recursive=True) if "private" in path]
    texts = [open(path).read() for path in private if os.path.isfile(path)]
    out = sys.argv[2]
    os.makedirs(out + "/records")
    for name in ("0000", "records/0000", "result", "progress"):
        with open(out + "/" + name + ".json", "w") as file:
            json.dump({"status": "ok", "metrics": {"cpr": {"value": 1.0}}, "texts": texts}, file)
    if texts:
        raise SystemExit(9)
    return view.scores(view.generator.normal(size=(view.graph.n_sources,)))
"""


@pytest.fixture
def state(tmp_path):
    """An open round on IOI that takes code, and a model that reads all of its rows."""
    folder = RoundFolder(tmp_path / "ROUND")
    folder.private.mkdir(parents=True, mode=0o700)
    make_splits(PrivateWish(tasks=((Track.CIRCUIT, "ioi"),), rows=ROWS), SALT, folder.private)
    train = (data_folder("ioi") / "train.jsonl").read_text(encoding="utf-8").splitlines()
    model = write_model(tmp_path / "tiny", [*private_rows(folder), *map(json.loads, train)])
    group = {"track": "circuit", "tasks": ["ioi"], "models": [MODEL], "level": "node"}
    own = {
        "cells": [group],
        "scoring": {"rows": ROWS},
        "limits": {"seconds": 300, "accepts_code": True, "valid_per_week": 10},
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


@pytest.mark.slow
def test_hostile_code_learns_nothing_and_scores_what_its_artifact_is_worth(state, tmp_path, backend):
    key, folders = state.register("team", "a@example.org"), {MODEL: tmp_path / "tiny"}
    published = read_round(state.folder.round_file)
    asked = Asked(rules=published.rules(), folders=folders, round=published)
    entry = {"tasks": ["ioi"], "models": [MODEL], "level": "node"}
    hostile = f"TOPS = {[str(tmp_path), '/etc', '/root', '/tmp']!r}\n{HOSTILE}"
    for version, text in (("1", HONEST), ("2", hostile)):
        source = code_submission(tmp_path / f"home{version}", text, f"team__method@{version}", first=entry)
        _, report = state.hand_in(source, key, lambda path: check_submission(path, asked))
        assert report.passed, report.failures
    assert evaluate(state.folder, "standings", 1, backend, Pace(threads=1)).unmade == [1, 2]

    report = evaluate(state.folder, "standings", 1, backend, Pace(threads=1, trust_code=True))

    logs = {path.name: path.read_text(encoding="utf-8") for path in (state.folder.private / "logs").iterdir()}
    assert (report.scored, report.failed) == ([1, 2], {}), logs
    # The same file, handed in as an artifact by another team, is worth the same.
    made = made_folder(state.folder, state.entry(2))
    copy = tmp_path / "copies" / "other__method@2"
    shutil.copytree(made, copy)
    manifest = yaml.safe_load((copy / "submission.yaml").read_text(encoding="utf-8"))
    (copy / "submission.yaml").write_text(yaml.safe_dump(manifest | {"team": "other"}), encoding="utf-8")
    other = state.register("other", "a@example.org")
    _, checked = state.hand_in(copy, other, lambda path: check_submission(path, asked))
    assert checked.passed, checked.failures
    assert evaluate(state.folder, "standings", 1, backend, Pace(threads=1)).scored == [3]
    records = {record.cell.method.name: record for record in Store(state.folder.records("standings")).query()}
    values = {name: record.metrics["cpr"].value for name, record in records.items()}
    assert values["team/method@2"] == values["other/method@2"]
    assert values["team/method@1"] != values["team/method@2"]
    assert all(record.cell.method.code_digest is None for record in records.values())
    # It looked for private rows, and there were none.
    for place in (made, state.folder.records("standings"), state.folder.private / "logs"):
        told = b"".join(path.read_bytes() for path in place.rglob("*") if path.is_file())
        assert not any(row["prompt"].encode() in told for row in private_rows(state.folder))
    found = contenders(state.folder, state.entries(), "standings")
    assert [one.made for one in found] == [True, True, None]
    boards = {one.name: len(one.rows) for one in make_standings(published, "standings", found).boards}
    assert boards == {"circuits": 3, "circuits (code)": 2}
