"""`mibench shared-task`: a round from its rules to its results, as an organiser types it."""

from __future__ import annotations

import json

import pytest
import yaml
from opening_cases import CIRCUITS, model, opened, score, values
from submission_cases import MODEL, TASK, change, good

from mibench.shared_task.folder import RoundFolder
from mibench.shared_task.state import RoundState

FAR_AWAY = "2126-05-01T12:00:00+00:00"


@pytest.fixture
def place(tmp_path):
    """A round that is filled in, and open for a long time."""
    return tmp_path / "ROUND"


@pytest.fixture
def opened_place(run, place, tmp_path):
    assert run("shared-task", "init", place, "--name", "demo").status == 0
    fill_in(place, tmp_path)
    assert run("shared-task", "open", place).status == 0
    return place


def fill_in(place, tmp_path, **changes):
    own = values(tmp_path, opens="2026-01-01T00:00:00+00:00", deadline=FAR_AWAY, **changes)
    (place / "round.yaml").write_text(yaml.safe_dump(json.loads(json.dumps(own))))


def submission(parent, version="1", **changes):
    """A submission that passes its check, for cells that the round does not have: nothing of it is scored."""
    folder = good(parent, f"team__method@{version}")
    change(folder, version=version, **changes)
    return folder


@pytest.fixture
def planted(place, tmp_path):
    """An open round that `submission` is for; its split is of another task, since that one cannot be private."""
    folder, own = opened(tmp_path)
    cells = [{"track": "circuit", "tasks": ["ioi", TASK], "models": ["tiny", MODEL]}]
    changed = json.loads(own.model_dump_json()) | {"cells": cells, "deadline": FAR_AWAY}
    folder.round_file.write_text(json.dumps(changed))
    return place


@pytest.fixture
def key(run, planted):
    return run("shared-task", "register", planted, "team", "--contact", "a@example.org", "--json").json["key"]


def test_a_draft_is_written_once(run, place):
    done = run("shared-task", "init", place, "--name", "demo", "--json")
    assert done.json == {"rules": str(place / "round.yaml")}
    again = run("shared-task", "init", place, "--name", "demo")
    assert (again.status, "not overwritten" in again.err) == (2, True)


def test_a_draft_that_is_not_filled_in_does_not_open(run, place):
    run("shared-task", "init", place, "--name", "demo")
    done = run("shared-task", "open", place)
    assert done.status == 1
    assert done.out.count("   why: ") == done.out.count("   do:  ") == 5
    assert "The round is not open: 5 failures." in done.out
    as_json = run("shared-task", "open", place, "--json")
    assert (as_json.status, len(as_json.json["failures"])) == (1, 5)


def test_opening_prints_the_commitments_and_a_second_time_that_it_is_open(run, opened_place):
    commitments = json.loads((opened_place / "round.json").read_text())["commitments"]
    done = run("shared-task", "open", opened_place)
    assert (done.status, "is open already" in done.out) == (0, True)
    done = run("shared-task", "open", opened_place, "--json")
    assert (done.json["already_open"], done.json["commitments"]) == (True, commitments)


def test_models_can_be_given_as_folders(run, place, tmp_path):
    run("shared-task", "init", place, "--name", "demo")
    fill_in(place, tmp_path, private=None, cells=[CIRCUITS])
    assert run("shared-task", "open", place, "--model-folder", "tiny=nowhere").status == 2
    assert run("shared-task", "open", place, "--model-folder", f"tiny={model(tmp_path / 'tiny')}").status == 0


def test_a_key_is_shown_once_and_can_be_renewed(run, planted, key):
    assert key not in run("shared-task", "status", planted, "--json").out
    assert run("shared-task", "register", planted, "team", "--contact", "b").status == 1
    other = run("shared-task", "register", planted, "team", "--contact", "b", "--renew").out.split()[-1]
    assert other.startswith("mbk_")
    assert other != key


def test_adding_prints_what_check_prints_and_the_quota(run, planted, key, tmp_path):
    folder = submission(tmp_path)
    checked = run("submit", "check", folder, "--round", planted / "round.json")
    done = run("shared-task", "add", planted, folder, "--key", key)
    assert done.status == 0
    assert done.out.startswith(checked.out)
    assert "Entry 1 is CHECKED; team has 1 of 2 valid submissions in seven days left." in done.out
    assert key not in done.out + done.err


def test_a_submission_that_does_not_pass_is_status_1_and_costs_nothing(run, planted, key, tmp_path):
    done = run("shared-task", "add", planted, submission(tmp_path, licence=None), "--key", key, "--json")
    assert done.status == 1
    assert (done.json["entry"], done.json["state"], done.json["quota_left"]) == (1, "FAILED", 2)
    assert [one["what"] for one in done.json["report"]["failures"]] == ["'licence' is missing."]


def test_the_key_comes_from_the_environment_and_a_wrong_one_is_not_repeated(run, planted, key, tmp_path, monkeypatch):
    folder = submission(tmp_path)
    assert run("shared-task", "add", planted, folder).status == 2
    monkeypatch.setenv("MIBENCH_TEAM_KEY", "mbk_wrong")
    wrong = run("shared-task", "add", planted, folder)
    assert (wrong.status, "mbk_wrong" in wrong.out + wrong.err) == (1, False)
    monkeypatch.setenv("MIBENCH_TEAM_KEY", f" {key}\n")
    assert run("shared-task", "add", planted, folder).status == 0


def test_the_key_is_asked_for_without_being_shown(run, planted, key, tmp_path, monkeypatch):
    asked = {}
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.prompt", lambda text, **how: asked.update(how) or key)
    assert run("shared-task", "add", planted, submission(tmp_path)).status == 0
    assert asked["hide_input"] is True


def test_an_entry_is_nominated_and_withdrawn_with_its_teams_key(run, planted, key, tmp_path):
    run("shared-task", "add", planted, submission(tmp_path), "--key", key)
    done = run("shared-task", "nominate", planted, 1, "--key", key, "--json")
    assert done.json == {"entry": 1, "nominated": [1]}
    other = run("shared-task", "register", planted, "other", "--contact", "b", "--json").json["key"]
    for name in ("nominate", "withdraw"):
        assert run("shared-task", name, planted, 1, "--key", other).status == 1
    done = run("shared-task", "withdraw", planted, 1, "--key", key)
    assert "Entry 1 is WITHDRAWN; 2 of 2 are left." in done.out
    assert run("shared-task", "withdraw", planted, 7, "--key", key).status == 1


def test_status_has_counts_and_entries_and_nothing_private(run, planted, key, tmp_path):
    run("shared-task", "add", planted, submission(tmp_path), "--key", key)
    run("shared-task", "add", planted, submission(tmp_path, "2", licence=None), "--key", key)
    done = run("shared-task", "status", planted, "--audit")
    assert (done.status, "1 team; entries: 1 CHECKED, 1 FAILED." in done.out) == (0, True)
    assert "whole" in done.out
    found = run("shared-task", "status", planted, "--json").json
    assert [(one["entry"], one["method"], one["state"]) for one in found["entries"]] == [
        (1, "method", "CHECKED"),
        (2, "method", "FAILED"),
    ]
    salt = (planted / "private" / "salt").read_text().strip()
    assert [word for word in (key, salt, "a@example.org", str(tmp_path)) if word in json.dumps(found)] == []


def test_a_broken_audit_log_is_status_1(run, planted, key):
    import sqlite3

    with sqlite3.connect(planted / "state.sqlite") as db:
        db.execute("DROP TRIGGER audit_is_fixed")
        db.execute("UPDATE audit SET reason = 'nobody' WHERE seq = 2")
    assert run("shared-task", "status", planted).status == 0
    assert run("shared-task", "status", planted, "--audit").status == 1


def test_a_round_is_closed_published_revealed_and_verified(run, planted, key, tmp_path):
    run("shared-task", "add", planted, submission(tmp_path), "--key", key)
    state, folder = RoundState(RoundFolder(planted)), RoundFolder(planted)
    score(folder, state, state.entry(1), "standings", 0.5)
    run("shared-task", "nominate", planted, 1, "--key", key)
    assert run("shared-task", "publish", planted, "--reveal").status == 1
    assert run("shared-task", "close", planted).status == 1
    assert "is closed" in run("shared-task", "close", planted, "--early", "all are done").out
    waits = run("shared-task", "publish", planted, "--json").json
    assert (waits["splits"], waits["waiting_for_final"], waits["revealed"]) == (["standings"], 1, False)
    score(folder, state, state.entry(1), "final", 0.5)
    assert run("shared-task", "close", planted, "--json").json["already_closed"] is True
    done = run("shared-task", "publish", planted, "--reveal")
    assert "final, standings. Salt and splits are revealed." in done.out
    verified = run("shared-task", "verify", planted / "round.json", planted / "public" / "reveal")
    assert (verified.status, verified.out.count("is what was committed to")) == (0, 2)
    rows = planted / "public" / "reveal" / "final" / "ioi" / "test.jsonl"
    rows.write_text(rows.read_text()[:-2])
    verified = run("shared-task", "verify", planted / "round.json", planted / "public" / "reveal", "--json")
    assert (verified.status, bool(verified.json[1]["fault"])) == (1, True)


def test_evaluation_takes_what_waits_and_says_what_became_of_it(run, planted, monkeypatch):
    from mibench.shared_task.drive import EvaluationReport

    seen = {}

    def evaluate(folder, split, workers, backend, pace):
        seen.update(split=split, workers=workers, backend=backend)
        pace.observer(1, 2)
        unmade = [] if pace.trust_code else [3, 4]
        return EvaluationReport(split, "none", scored=[1], failed={2: "Scoring crashed."}, unmade=unmade)

    monkeypatch.setattr("mibench.sandbox.backends.find_backend", lambda name: f"{name} back-end")
    monkeypatch.setattr("mibench.shared_task.drive.evaluate", evaluate)
    done = run("shared-task", "evaluate", planted, "--workers", 2, "--sandbox", "unshare")
    assert (done.status, seen) == (0, {"split": "standings", "workers": 2, "backend": "unshare back-end"})
    assert "standings: 1 scored, 1 failed, 0 withdrawn; in none." in done.out
    assert "2: Scoring crashed." in done.out
    assert "1 of 2" in done.err
    assert "3, 4 hold code and go on waiting; --trust-code" in done.out
    assert "hold code" not in run("shared-task", "evaluate", planted, "--trust-code").out
    seen.update(backend="unshare back-end")
    done = run("shared-task", "evaluate", planted, "--split", "final")
    assert (done.status, seen["split"]) == (1, "standings")
    assert "error: " in done.err
    done = run("shared-task", "evaluate", planted, "--json")
    assert done.json["failed"] == {"2": "Scoring crashed."}


def test_a_worker_takes_jobs_of_a_spool(run, tmp_path, monkeypatch):
    monkeypatch.setattr("mibench.shared_task.work.stop_on_terminate", lambda: None)
    monkeypatch.setattr("mibench.shared_task.work.work", lambda spool, backend, once: 3 if once else 0)
    monkeypatch.setattr("mibench.sandbox.backends.find_backend", lambda name: type("B", (), {"name": "none"}))
    assert run("shared-task", "work", tmp_path / "nowhere").status == 2
    assert "3 done; in none." in run("shared-task", "work", tmp_path, "--once").out


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["register", "team", "--contact", "a"],
        ["evaluate"],
        ["close"],
        ["publish"],
        ["add", "x", "--key", "k"],
    ],
)
def test_what_is_no_open_round_is_said(run, tmp_path, words):
    done = run("shared-task", words[0], tmp_path, *words[1:])
    assert done.status == 1
    assert "holds no open round" in done.err
    assert not list(tmp_path.iterdir())
