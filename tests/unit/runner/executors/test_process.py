from __future__ import annotations

import signal
from concurrent.futures import Future

import pytest

from mibench.runner.driving.workplace import OVERDUE
from mibench.runner.executors import worker_process
from mibench.runner.executors.executor import Order
from mibench.runner.executors.worker_process import Sent, lost_for, memory_kills


def test_a_kill_is_of_memory_where_the_machine_has_counted_one(monkeypatch):
    monkeypatch.setattr(worker_process, "memory_kills", lambda: 3)
    assert lost_for(-signal.SIGKILL, 2).memory
    assert not lost_for(-signal.SIGKILL, 3).memory
    assert not lost_for(-signal.SIGSEGV, 2).memory
    assert lost_for(-signal.SIGSEGV, 2).why == "Its process was ended by SIGSEGV."


@pytest.mark.parametrize(
    ("status", "word"), [(1, "with status 1"), (OVERDUE, "time was up"), (-250, "signal 250"), (None, "process ended.")]
)
def test_why_a_worker_ended_is_told(status, word):
    assert word in lost_for(status, 0).why


def test_kills_for_memory_are_counted_where_the_system_counts_them(tmp_path, monkeypatch):
    assert memory_kills() >= 0
    (tmp_path / "memory.events").write_text("low 0\nhigh 7\noom 5\noom_kill 4\noom_group_kill 9\n")
    assert worker_process._counter(tmp_path / "memory.events") == 4
    (tmp_path / "other").write_text("oom_kill many\n")
    assert worker_process._counter(tmp_path / "other") == worker_process._counter(tmp_path / "nowhere") == 0


def test_an_order_that_was_never_given_to_a_worker_is_neither_done_nor_well():
    asked = []
    sent = Sent(None, lambda: asked.append(1))
    assert not sent.done()
    assert not sent.well
    assert asked == [1]
    sent.cancel()
    assert "taken back" in sent.lost().why


def test_a_worker_that_is_gone_for_a_while_is_lost_even_if_the_pool_does_not_tell(tmp_path, monkeypatch):
    class Pool:
        active = True

    sent = Sent(Order("", (0,), tmp_path / "0.jsonl"), lambda: None)
    sent.pool, sent.future = Pool(), Future()
    assert not sent.done()
    monkeypatch.setattr(worker_process, "is_gone", lambda folder: folder == tmp_path / "0.worker")
    assert not sent.done()
    monkeypatch.setattr(worker_process, "_PATIENCE", 0.0)
    assert sent.done()
    assert not sent.well
    assert sent.lost().why == "Its process ended with status 0."
