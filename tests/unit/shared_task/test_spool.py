"""The queue: one place for a job at every moment, whoever dies and however many want it."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mibench.core.errors import StoreError
from mibench.shared_task import spool as module
from mibench.shared_task.jobs import Job, Verdict
from mibench.shared_task.spool import Spool

DONE = Verdict(status="done", exit_code=0)


def job(number, split="standings", **changes):
    place = Path("/nowhere")
    own = {"submission": place, "overlay": place, "round": place, "seconds": 60, "memory_bytes": 2**30}
    return Job(entry=number, split=split, file_bytes=2**30, **own | changes)


@pytest.fixture
def spool(tmp_path):
    found = Spool(tmp_path / "spool")
    found.create()
    return found


def tokens(spool):
    """Every place where a job is, by key."""
    found = {}
    for path in sorted(spool.path.rglob("*.json")):
        if path.name == "job.json":
            found.setdefault(path.parent.name.partition(".")[0], []).append(path)
        elif path.parent.name == "jobs":
            found.setdefault(path.name.partition(".")[0], []).append(path)
    return found


def test_jobs_are_taken_in_order_of_arrival(spool):
    for number in (10, 2, 1, 100):
        assert spool.put(job(number))
    assert [spool.claim().job.entry for _ in range(4)] == [1, 2, 10, 100]
    assert spool.claim() is None


def test_a_job_is_what_was_put(spool):
    put = job(3, folders={"local:m": Path("/m")}, threads=2)
    spool.put(put)
    assert spool.claim().job == put


def test_a_job_that_is_anywhere_in_the_queue_is_not_put_again(spool):
    assert spool.put(job(1))
    assert not spool.put(job(1))
    claim = spool.claim()
    assert not spool.put(job(1))
    assert spool.finish(claim, DONE)
    assert not spool.put(job(1))
    ((done, verdict),) = spool.take_done()
    assert (done.job, verdict) == (job(1), DONE)
    spool.drop(done)
    assert spool.take_done() == []
    assert spool.put(job(1))
    assert spool.put(job(1, "final"))


def test_what_the_scorer_wrote_comes_with_the_job(spool):
    spool.put(job(1))
    claim = spool.claim()
    (claim.out / "record").write_text("a", encoding="utf-8")
    assert spool.finish(claim, DONE)
    ((done, _),) = spool.take_done()
    assert (done.out / "record").read_text(encoding="utf-8") == "a"
    spool.drop(done)
    assert list((spool.path / "done").iterdir()) == []


def test_a_job_that_is_given_back_has_its_old_place_and_one_more_try(spool):
    for number in (1, 2):
        spool.put(job(number))
    spool.claim()
    assert [claim.job.entry for claim in spool.give_back(0.0)] == [1]
    assert spool.waiting() == ["000001-standings", "000002-standings"]
    again = spool.claim()
    assert (again.job.entry, again.job.attempt) == (1, 2)


def test_a_job_goes_to_those_that_are_done_after_its_last_try(spool):
    spool.put(job(1))
    for _ in range(3):
        spool.claim()
        assert len(spool.give_back(0.0, attempts=3)) == 1
    ((done, verdict),) = spool.take_done()
    assert (done.job.attempt, verdict.status) == (3, "lost")
    assert spool.claim() is None


def test_a_worker_that_stirs_keeps_its_job_and_one_that_does_not_loses_it(spool, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    spool.put(job(1))
    claim = spool.claim()
    assert spool.give_back(10.0) == []
    now[0] += 9
    assert spool.beat(claim)
    assert spool.give_back(10.0) == []
    now[0] += 9
    assert spool.give_back(10.0) == []
    now[0] += 2
    assert len(spool.give_back(10.0)) == 1


def test_the_clock_of_another_machine_is_not_believed(spool):
    spool.put(job(1))
    claim = spool.claim()
    for stamp in (0, 2**33):
        os.utime(claim.folder / "beat", (stamp, stamp))
        assert spool.give_back(60.0) == []


def test_a_worker_that_was_thought_dead_hands_in_nothing(spool):
    spool.put(job(1))
    slow = spool.claim()
    spool.give_back(0.0)
    fast = spool.claim()
    assert not spool.beat(slow)
    assert not spool.finish(slow, DONE)
    assert spool.finish(fast, DONE)
    assert [claim.folder for claim, _ in spool.take_done()] == [spool.path / "done" / fast.folder.name]


def test_a_worker_whose_job_is_taken_while_it_hands_in_leaves_litter_only(spool, monkeypatch):
    spool.put(job(1))
    slow = spool.claim()
    write = module.atomic_write

    def late(path, content):
        write(path, content)
        spool.give_back(0.0)
        slow.folder.mkdir(exist_ok=True)

    monkeypatch.setattr(module, "atomic_write", late)
    assert not spool.finish(slow, DONE)
    monkeypatch.undo()
    assert len(tokens(spool)["000001-standings"]) == 1
    assert spool.take_done() == []
    assert list((spool.path / "done").iterdir()) == []
    assert spool.claim().job.attempt == 2


def test_a_worker_of_this_machine_that_is_gone_loses_its_job_at_once(spool):
    spool.put(job(1))
    code = "import os, sys; from mibench.shared_task.spool import Spool; Spool(sys.argv[1]).claim(); os.abort()"
    subprocess.run([sys.executable, "-c", code, str(spool.path)], check=False)
    assert [claim.job.entry for claim in spool.give_back(3600.0)] == [1]
    assert spool.claim().job.attempt == 2


def test_a_rename_whose_answer_is_lost_has_still_happened(spool, monkeypatch):
    spool.put(job(1))
    rename = os.rename

    def twice(source, target):
        rename(source, target)
        rename(source, target)

    monkeypatch.setattr(os, "rename", twice)
    claim = spool.claim()
    assert claim.job.entry == 1
    assert spool.finish(claim, DONE)
    assert len(spool.take_done()) == 1


def test_what_is_in_the_folders_besides_is_left_alone(spool):
    for name in ("jobs/.x.tmp", "jobs/notes.txt", "jobs/1.json", "taken/x", "done/y"):
        (spool.path / name).write_text("{", encoding="utf-8")
    assert spool.waiting() == []
    assert spool.claim() is None
    assert spool.give_back(0.0) == []
    assert spool.take_done() == []


def test_a_claim_that_was_cut_off_before_its_rename_is_litter(spool):
    spool.put(job(1))
    litter = spool.path / "taken" / "000001-standings.1@elsewhere-00000000-1-00000000"
    litter.mkdir()
    assert spool.give_back(0.0) == []
    assert not litter.exists()
    assert spool.claim().job.entry == 1


def test_a_job_that_was_cancelled_is_not_taken(spool):
    spool.put(job(1))
    spool.put(job(2))
    spool.cancel("000001-standings")
    assert spool.claim().job.entry == 2


def test_a_file_that_is_no_job_is_said_to_be_none(spool):
    (spool.path / "jobs" / "000001-standings.1.json").write_text('{"entry": 1}', encoding="utf-8")
    with pytest.raises(StoreError, match="is no job"):
        spool.claim()


WORKER = """
import sys, time
from mibench.shared_task.jobs import Verdict
from mibench.shared_task.spool import Spool
spool, log, end = Spool(sys.argv[1]), open(sys.argv[2], "a", buffering=1), time.monotonic() + float(sys.argv[3])
while time.monotonic() < end:
    claim = spool.claim()
    if claim is None:
        time.sleep(0.002)
        continue
    time.sleep(float(sys.argv[4]))
    if spool.finish(claim, Verdict(status="done", exit_code=0)):
        log.write(f"{claim.job.entry} {claim.job.attempt}\\n")
"""


def start(spool, log, seconds, pause):
    words = [sys.executable, "-c", WORKER, str(spool.path), str(log), str(seconds), str(pause)]
    return subprocess.Popen(words, stderr=subprocess.PIPE)


def test_eight_workers_on_200_jobs_lose_none_and_do_none_twice(spool, tmp_path):
    logs = [tmp_path / f"{number}.txt" for number in range(8)]
    workers = [start(spool, log, 60, 0.0) for log in logs]
    for number in range(1, 201):
        assert spool.put(job(number))
    done, end = {}, time.monotonic() + 60
    while len(done) < 200 and time.monotonic() < end:
        for claim, verdict in spool.take_done():
            assert claim.job.entry not in done
            assert (claim.job.attempt, verdict) == (1, DONE)
            done[claim.job.entry] = claim
            spool.drop(claim)
        assert spool.give_back(60.0) == []
    for worker in workers:
        worker.kill()
        assert worker.communicate()[1] == b""
    assert sorted(done) == list(range(1, 201))
    written = [int(line.split()[0]) for log in logs if log.exists() for line in log.read_text().splitlines()]
    assert sorted(written) == list(range(1, 201))
    assert tokens(spool) == {}


def hammer(spool, tmp_path, kills, seed):
    """Workers that are killed at random moments, and a driver that gives their jobs back; return how often."""
    draw, total, done = random.Random(seed), 6 * kills, []
    for number in range(1, total + 1):
        spool.put(job(number))
    workers, killed, given_back, end = [], 0, 0, time.monotonic() + 100
    while len(done) < total and time.monotonic() < end:
        workers = [worker for worker in workers if worker.poll() is None]
        if len(workers) < 3:
            workers.append(start(spool, tmp_path / "log.txt", 100, 0.05))
        time.sleep(draw.uniform(0.05, 0.25))
        busy = {int(name.split("-")[-2]) for name in spool.taken()}
        victims = [worker for worker in workers if worker.pid in busy and worker.poll() is None]
        if killed < kills and victims:
            draw.choice(victims).kill()
            killed += 1
        for worker in workers:
            worker.poll()
        given_back += len(spool.give_back(60.0, attempts=999))
        for claim, _ in spool.take_done():
            done.append(claim.job.entry)
            spool.drop(claim)
    for worker in workers:
        worker.kill()
        worker.communicate()
    assert sorted(done) == list(range(1, total + 1))
    assert tokens(spool) == {}
    return killed, given_back


def test_workers_that_are_killed_lose_no_job_and_do_none_twice(spool, tmp_path):
    killed, given_back = hammer(spool, tmp_path, kills=12, seed=1)
    assert killed > 6
    assert given_back > 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_workers_that_are_killed_very_often_lose_no_job_and_do_none_twice(spool, tmp_path, seed):
    killed, given_back = hammer(spool, tmp_path, kills=60, seed=seed)
    assert killed > 30
    assert given_back > 5
