"""Evaluation by workers that a scheduler starts: the same ends as on one machine, whatever is lost on the way."""

from __future__ import annotations

import os
import signal
import stat
import sys
import threading
import time
from importlib.util import find_spec
from pathlib import Path

import evaluation_cases
import pretended_slurm
import pytest
from evaluation_cases import NoSandbox, prepare
from open_rounds import open_round, passes, submission

from mibench.core.errors import MibenchError, SandboxError, UsageError
from mibench.records.store import Store
from mibench.shared_task.crew import Crew
from mibench.shared_task.drive import Pace, evaluate
from mibench.shared_task.scheduled import Start, hire_from, run_worker
from mibench.shared_task.spool import Spool
from mibench.shared_task.states import State

TESTS = Path(evaluation_cases.__file__).parent
WORKER = (sys.executable, str(TESTS / "evaluation_cases.py"))
NEEDS = {"local": "submitit", "slurm": "submitit", "ray": "ray"}
kinds = pytest.mark.parametrize(
    "kind", ["slurm", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("local", "ray"))]
)


@pytest.fixture
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", f"{TESTS}:{TESTS.parent}")
    found = open_round(tmp_path, valid_per_week=1000)
    prepare(found.folder)
    return found


@pytest.fixture
def put(state, tmp_path):
    """Hands in a submission that is scored as its description says."""
    key = state.register("team", "a@example.org")

    def hand_in(number, description="good"):
        source = submission(tmp_path / f"home{number}", str(number), description=description)
        return state.hand_in(source, key, passes)[0]

    return hand_in


@pytest.fixture
def pace(kind, tmp_path, monkeypatch):
    """A pace with workers of a scheduler of this kind; skips where it is not installed."""
    if find_spec(NEEDS[kind]) is None:
        pytest.skip(f"{NEEDS[kind]} is not installed")
    options = {"cluster": "local"} if kind == "local" else {}
    if kind == "slurm":
        (tmp_path / "slurm").mkdir()
        pretended_slurm.install(monkeypatch, tmp_path / "slurm")
    if kind == "ray":
        options = {"object_store_memory": 80_000_000}
    hire = hire_from("ray" if kind == "ray" else "slurm", options)
    return lambda **more: Pace(worker=WORKER, poll=0.05, stale=60.0, attempts=50, hire=hire, **more)


def check_whole(state, scored):
    """Each of these has one record and one line in the log; nothing is left in the queue."""
    records = Store(state.folder.records("standings")).query()
    assert sorted(record.cell.method.name for record in records) == sorted(f"team/method@{one}" for one in scored)
    assert sorted(line.entry for line in state.audit() if line.what == "standings SCORED") == sorted(scored)
    spool = Spool(state.folder.spool)
    assert (spool.waiting(), spool.taken(), spool.take_done()) == ([], [], [])
    state.check_audit()


@kinds
def test_submissions_come_to_the_ends_that_they_come_to_on_one_machine(state, put, pace):
    for number, description in enumerate(["good", "crash", "slow 0.3"], start=1):
        put(number, description)
    report = evaluate(state.folder, "standings", 2, NoSandbox(), pace())
    assert (sorted(report.scored), report.failed) == ([1, 3], {2: "Scoring crashed with exit status 3 (try 1)."})
    check_whole(state, [1, 3])
    logs = state.folder.private / "logs"
    assert stat.S_IMODE(logs.stat().st_mode) == 0o700


@pytest.mark.slow
@kinds
def test_a_worker_that_is_killed_loses_nothing(state, put, pace):
    for number in (1, 2):
        put(number, "slow 1")
    killed = []

    def kill():
        while not killed:
            for name in Spool(state.folder.spool).taken():
                killed.append(int(name.split("-")[-2]))
                os.kill(killed[0], signal.SIGKILL)
                return
            time.sleep(0.02)

    thread = threading.Thread(target=kill)
    thread.start()
    report = evaluate(state.folder, "standings", 1, NoSandbox(), pace())
    thread.join()
    assert (sorted(report.scored), report.given_back) == ([1, 2], 1)
    check_whole(state, [1, 2])


@kinds
def test_an_evaluation_that_is_stopped_has_its_workers_hand_their_jobs_back(state, put, pace):
    put(1)
    put(2, "slow 60")

    def stop(done, total):
        wait_until(lambda: Spool(state.folder.spool).taken())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(state.folder, "standings", 2, NoSandbox(), pace(observer=stop))
    spool = Spool(state.folder.spool)
    wait_until(lambda: spool.waiting() == ["000002-standings"])
    assert spool.taken() == []
    assert [path.name for path in (spool.path / "jobs").iterdir()] == ["000002-standings.1.json"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["local"])
def test_workers_that_cannot_work_end_the_evaluation_and_lose_nothing(state, put, pace):
    put(1, "broken")
    with pytest.raises(SandboxError, match="No worker can work") as caught:
        evaluate(state.folder, "standings", 1, NoSandbox(), pace())
    log = state.folder.private / "logs" / "workers.txt"
    assert str(log) in caught.value.do
    assert "RuntimeError: PRIVATE" in log.read_text(encoding="utf-8")
    assert state.entries()[0].on("standings") is State.RUNNING
    assert Spool(state.folder.spool).waiting() == ["000001-standings"]


@pytest.mark.parametrize("kind", ["slurm"])
def test_what_the_scheduler_refuses_or_does_not_know_ends_the_evaluation_and_loses_nothing(state, put, pace):
    put(1)
    refused = Pace(worker=WORKER, hire=hire_from("slurm", {"partition": pretended_slurm.REFUSED}))
    with pytest.raises(MibenchError, match="Slurm does not take the jobs"):
        evaluate(state.folder, "standings", 1, NoSandbox(), refused)
    with pytest.raises(UsageError, match="Unknown option 'partion'"):
        evaluate(state.folder, "standings", 1, NoSandbox(), Pace(hire=hire_from("slurm", {"partion": "a"})))
    assert evaluate(state.folder, "standings", 1, NoSandbox(), pace()).scored == [1]
    check_whole(state, [1])


class Agency:
    """Starts workers that never begin."""

    def __init__(self):
        self.asked = []

    def start(self, n):
        self.asked.append(n)
        return [self] * n

    def done(self):
        return False


def test_workers_that_wait_in_the_queue_of_a_cluster_are_not_asked_for_again(tmp_path):
    agency = Agency()
    crew = Crew(agency, 5, tmp_path / "log")
    for n_waiting, n_taken in [(3, 0), (3, 0), (1, 2), (4, 3), (4, 3), (9, 5)]:
        crew.keep(n_waiting, n_taken)
    assert agency.asked == [3, 2]


def test_a_worker_stops_when_what_started_it_is_killed(tmp_path):
    command = (
        sys.executable,
        "-c",
        f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(60)",
    )
    parent = os.fork()
    if parent == 0:
        run_worker(Start(command, tmp_path / "log"))
        os._exit(0)
    wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    pid = int((tmp_path / "pid").read_text())
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    wait_until(lambda: not Path(f"/proc/{pid}/cmdline").exists() or not Path(f"/proc/{pid}/cmdline").read_bytes())


def wait_until(is_so, seconds=30):
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it does not come to pass"
        time.sleep(0.02)
