"""Evaluation with a scorer that pretends: every submission comes to one end, whatever is killed on the way."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import evaluation_cases
import pytest
from evaluation_cases import PID, NoSandbox, prepare
from open_rounds import open_round, passes, submission

from mibench.core.errors import RoundError, SandboxError
from mibench.records.store import Store
from mibench.shared_task.drive import Pace, evaluate
from mibench.shared_task.locks import held
from mibench.shared_task.spool import Spool
from mibench.shared_task.states import State

TESTS = Path(evaluation_cases.__file__).parent
WORKER = (sys.executable, str(TESTS / "evaluation_cases.py"))
PACE = Pace(worker=WORKER, poll=0.02, stale=60.0, attempts=50)


@pytest.fixture
def state(tmp_path):
    found = open_round(tmp_path, valid_per_week=1000)
    prepare(found.folder)
    return found


@pytest.fixture
def key(state):
    return state.register("team", "a@example.org")


def put(state, tmp_path, key, number, description="good"):
    source = submission(tmp_path / f"home{number}", str(number), description=description)
    return state.hand_in(source, key, passes)[0]


def ends(state, split="standings"):
    return {entry.id: (entry.on(split), entry.reason) for entry in state.entries()}


def check_whole(state, scored, split="standings"):
    """Every submission that was scored has its record and one line in the log; nothing is left in the queue."""
    records = Store(state.folder.records(split)).query()
    assert sorted(record.cell.method.name for record in records) == sorted(f"team/method@{one}" for one in scored)
    moved = [line.entry for line in state.audit() if line.what == f"{split} SCORED"]
    assert sorted(moved) == sorted(scored)
    spool = Spool(state.folder.spool)
    assert (spool.waiting(), spool.taken(), spool.take_done()) == ([], [], [])
    state.check_audit()
    return records


def everything_written(folder):
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_submissions_are_scored_in_order_once_and_their_records_are_blinded(state, tmp_path, key):
    for number in (1, 2, 3):
        put(state, tmp_path, key, number, "tables" if number == 1 else "good")
    told = []
    pace = Pace(worker=WORKER, poll=0.02, observer=lambda *numbers: told.append(numbers))
    report = evaluate(state.folder, "standings", 2, NoSandbox(), pace)
    assert (sorted(report.scored), report.failed, report.given_back, report.backend) == ([1, 2, 3], {}, 0, "none")
    assert ends(state) == dict.fromkeys((1, 2, 3), (State.SCORED, None))
    assert told[-1] == (3, 3)
    records = check_whole(state, (1, 2, 3))
    assert all(record.cell.task.digest != "rows" and record.artifact is None for record in records)
    assert Store(state.folder.records("standings")).table(records[0], "examples").loss.tolist() == [0.25, 0.5]
    assert [line.entry for line in state.audit() if line.what == "standings RUNNING"] == [1, 2, 3]
    assert evaluate(state.folder, "standings", 1, NoSandbox(), PACE).scored == []
    check_whole(state, (1, 2, 3))


def test_what_fails_says_why_in_words_that_hold_nothing_private(state, tmp_path, key):
    reasons = {
        "timeout": "Scoring took longer than 3600 seconds.",
        "memory": "Scoring took more than 17179869184 bytes of memory.",
        "files": "Scoring wrote more than 838860800 bytes.",
        "crash": "Scoring crashed with exit status 3 (try 1).",
        "failing": "Every cell failed (1 of 1).",
        "nothing": "Every cell failed (1 of 1).",
        "foreign": "The scorer handed back a record that is not of this submission.",
        "suicidal": "Scoring crashed with exit status -9 (try 2).",
    }
    for number, description in enumerate(reasons, start=1):
        put(state, tmp_path, key, number, description)
    put(state, tmp_path, key, 9, "moody")
    report = evaluate(state.folder, "standings", 1, NoSandbox(), Pace(worker=WORKER, poll=0.02, attempts=2))
    assert report.failed == dict(enumerate(reasons.values(), start=1))
    assert (report.scored, report.given_back) == ([9], 2)
    assert ends(state) == {
        **{number: (State.FAILED, reason) for number, reason in report.failed.items()},
        9: (State.SCORED, None),
    }
    logs = state.folder.private / "logs"
    assert "the tail: PRIVATE" in (logs / "000001-standings-1.txt").read_text(encoding="utf-8")
    assert "It is of another method" in (logs / "000007-standings-1.txt").read_text(encoding="utf-8")
    assert len(list(logs.glob("000008-*"))) == 2
    assert stat.S_IMODE(logs.stat().st_mode) == 0o700
    public = [state.folder.records("standings"), state.folder.spool, state.folder.submissions]
    assert b"PRIVATE" not in b"".join(everything_written(folder) for folder in public)
    assert all("PRIVATE" not in str(line) for line in state.audit())
    check_whole(state, (9,))


def test_workers_that_cannot_work_end_the_evaluation_and_lose_nothing(state, tmp_path, key):
    for number, description in ((1, "broken"), (2, "good")):
        put(state, tmp_path, key, number, description)
    with pytest.raises(SandboxError, match="No worker can work"):
        evaluate(state.folder, "standings", 1, NoSandbox(), PACE)
    assert ends(state) == {1: (State.RUNNING, None), 2: (State.RUNNING, None)}
    assert Spool(state.folder.spool).waiting() == ["000001-standings", "000002-standings"]
    state.withdraw(1, key)
    assert evaluate(state.folder, "standings", 1, NoSandbox(), PACE).scored == [2]
    check_whole(state, (2,))


def test_one_that_is_withdrawn_while_it_runs_leaves_no_record(state, tmp_path, key):
    put(state, tmp_path, key, 1, "slow 1.5")
    put(state, tmp_path, key, 2)
    withdrawn = []

    def withdraw(done, total):
        if not withdrawn:
            withdrawn.append(state.withdraw(1, key))

    report = evaluate(state.folder, "standings", 2, NoSandbox(), Pace(worker=WORKER, poll=0.02, observer=withdraw))
    assert (report.scored, report.withdrawn) == ([2], [1])
    check_whole(state, (2,))


def test_two_evaluations_at_once_are_refused_and_one_of_nothing_is_none(state):
    with held(state.folder.private), pytest.raises(RoundError, match="being evaluated already"):
        evaluate(state.folder, "standings", 1, NoSandbox(), PACE)
    report = evaluate(state.folder, "standings", 1, NoSandbox(), PACE)
    assert (report.scored, report.failed) == ([], {})


def test_the_final_split_has_records_and_states_of_its_own(state, tmp_path, key):
    for number in (1, 2):
        put(state, tmp_path, key, number)
    evaluate(state.folder, "standings", 1, NoSandbox(), PACE)
    state.nominate(2, key)
    with pytest.raises(RoundError):
        evaluate(state.folder, "final", 1, NoSandbox(), PACE)
    state.close("early")
    report = evaluate(state.folder, "final", 1, NoSandbox(), PACE)
    assert (report.split, report.scored) == ("final", [2])
    check_whole(state, (2,), "final")
    records = [Store(state.folder.records(split)).query() for split in ("standings", "final")]
    assert len({record.cell.task.digest for found in records for record in found}) == 2


DRIVER = """
import sys
from pathlib import Path
from evaluation_cases import NoSandbox
from mibench.shared_task.drive import Pace, evaluate
from mibench.shared_task.folder import RoundFolder
pace = Pace(worker=(sys.executable, sys.argv[2]), poll=0.02, stale=60.0, attempts=500)
evaluate(RoundFolder(Path(sys.argv[1])), "standings", 2, NoSandbox(), pace)
"""


def start_driver(state):
    words = [sys.executable, "-c", DRIVER, str(state.folder.path), WORKER[1]]
    return subprocess.Popen(words, env=os.environ | {"PYTHONPATH": f"{TESTS}:{TESTS.parent}"})


def workers_of(state):
    """Processes that hold jobs, and those that score for them."""
    spool = Spool(state.folder.spool)
    found = {"worker": [int(name.split("-")[-2]) for name in spool.taken()], "scorer": []}
    for path in (spool.path / "taken").glob(f"*/out/{PID}"):
        with contextlib.suppress(OSError, ValueError):
            found["scorer"].append(int(path.read_text(encoding="ascii")))
    return found


def kill(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        return True
    return False


def check_kills(state, n_entries, kills, seed):
    """Kill workers, scorers and drivers at random moments until all is scored; return how often each was hit."""
    draw, hits, end = random.Random(seed), {"worker": 0, "scorer": 0, "driver": 0}, time.monotonic() + 200
    driver = start_driver(state)
    while sum(hits.values()) < kills and time.monotonic() < end:
        time.sleep(draw.uniform(0.05, 0.4))
        who = draw.choice(["worker", "worker", "worker", "scorer", "scorer", "scorer", "driver"])
        if who == "driver":
            hits[who] += kill(driver.pid)
            driver.wait()
        else:
            found = workers_of(state)[who]
            hits[who] += bool(found) and kill(draw.choice(found))
        if driver.poll() is not None:
            if all(one is State.SCORED for one, _ in ends(state).values()):
                break
            driver = start_driver(state)
    # The last one is let be.
    while driver.wait(timeout=200) != 0:
        driver = start_driver(state)
    assert ends(state) == dict.fromkeys(range(1, n_entries + 1), (State.SCORED, None))
    check_whole(state, range(1, n_entries + 1))
    return hits


def test_whatever_is_killed_nothing_is_lost_and_nothing_scored_twice(state, tmp_path, key):
    for number in range(1, 9):
        put(state, tmp_path, key, number, "slow 0.3")
    hits = check_kills(state, 8, kills=12, seed=1)
    assert sum(hits.values()) >= 6, hits


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_killed_very_often_nothing_is_lost_and_nothing_scored_twice(state, tmp_path, key, seed):
    for number in range(1, 21):
        put(state, tmp_path, key, number, "slow 0.5")
    hits = check_kills(state, 20, kills=60, seed=seed)
    assert min(hits.values()) > 2, hits
    assert sum(hits.values()) > 30, hits
