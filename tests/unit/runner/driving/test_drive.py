"""The driver on executors that lose workers in every way, in this process."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest

from mibench.core.errors import MibenchError, ModelError, StoreError, UsageError
from mibench.records.encode import stable_bytes
from mibench.records.store import Store
from mibench.runner import execute
from mibench.runner.cells.log import log_lost
from mibench.runner.driving.events import TIME, Event, EventFile
from mibench.runner.execute import run
from mibench.runner.executors.executor import Lost
from mibench.runner.executors.work import do
from mibench.runner.observe import Quiet


@dataclass
class Task:
    ended: Lost | Exception | None

    def done(self):
        return True

    def lost(self):
        if isinstance(self.ended, Exception):
            raise self.ended
        return self.ended


def told(order):
    return order.events.exists() and '"at work"' in order.events.read_text()


class Flaky:
    """Does orders in this process; ``fate`` says how many of an order's jobs are done, and how its worker ends."""

    def __init__(self, fate):
        self.fate, self.orders, self.closed = fate, [], False

    def submit(self, orders):
        return [self.one(order) for order in orders]

    def one(self, order):
        self.orders.append(order)
        n_done, ended = self.fate(order)
        do(replace(order, jobs=order.jobs[: max(0, n_done)]))
        if isinstance(ended, Lost) and 0 <= n_done < len(order.jobs) and not told(order):
            EventFile(order.events).write(Event("started", order.jobs[n_done], "at work"))
        return Task(ended)

    def close(self):
        self.closed = True


@pytest.fixture
def flaky(monkeypatch):
    """Takes the place of the executor."""

    def use(fate):
        made = Flaky(fate)
        monkeypatch.setattr(execute, "EXECUTORS", SimpleNamespace(load=lambda name: lambda means: made))
        return made

    return use


def stable(folder):
    return {record.cell.id: stable_bytes(record) for record in Store(folder).query()}


@pytest.fixture
def asked(settings):
    known = {"method": ["eap", "random"], "seeds": 4, "floor_draws": 2, "limit": 2}
    return lambda **values: settings(**(known | values))


class Heard(Quiet):
    def __init__(self):
        self.counts = []

    def heard(self, event, done, total):
        if event.event == "done":
            self.counts.append((done, total))


def test_jobs_of_lost_workers_are_done_by_others_and_the_report_is_in_order(asked, flaky, tmp_path):
    whole = run(asked(out=str(tmp_path / "whole")), Quiet())
    crew = flaky(lambda order: (1, Lost("It was killed.")) if len(order.jobs) > 1 else (1, None))
    observer = Heard()
    report = run(asked(out=str(tmp_path / "lost")), observer)
    assert [job.label for job, _ in report.jobs] == [job.label for job, _ in whole.jobs]
    assert stable(tmp_path / "lost") == stable(tmp_path / "whole")
    assert [record.volatile.provenance.attempt for _, record in report.jobs] == [1, 2, 1, 2, 1]
    assert observer.counts == [(number, 5) for number in range(1, 6)]
    assert crew.closed


def test_no_cell_is_scored_before_its_floor_is_there(asked, flaky):
    crew = flaky(lambda order: (len(order.jobs), None))
    run(asked(), Quiet())
    assert [order.jobs for order in crew.orders] == [(0, 1), (2, 3, 4)]


def test_what_a_worker_was_at_is_tried_by_itself_and_the_rest_goes_on(asked, flaky):
    lost = iter([True])
    crew = flaky(lambda order: (1, Lost("It was killed.")) if next(lost, False) else (len(order.jobs), None))
    run(asked(floor_draws=0), Quiet())
    assert [(order.jobs, order.attempt) for order in crew.orders] == [
        ((0, 1, 2, 3, 4), 1), ((1,), 2), ((2, 3, 4), 1),
    ]  # fmt: skip
    assert {order.batch_size for order in crew.orders} == {None}


def test_a_job_that_loses_three_workers_is_given_up_with_the_reason(asked, flaky, tmp_path):
    crew = flaky(lambda order: (0, Lost("It was killed.")) if 0 in order.jobs and not order.given_up else
                 (len(order.jobs), None))  # fmt: skip
    report = run(asked(floor_draws=0), Quiet())
    statuses = {job.label.partition(" · ")[0]: record.status for job, record in report.jobs}
    assert statuses.pop("eap") == "failed"
    assert set(statuses.values()) == {"ok"}
    (failed,) = [record for _, record in report.jobs if record.status == "failed"]
    assert failed.problem.what == "eap was given up."
    assert failed.problem.why == "3 workers were lost at it. It was killed."
    assert [order.attempt for order in crew.orders if 0 in order.jobs] == [1, 2, 3, 4]


def test_a_job_that_is_lost_even_when_it_is_given_up_becomes_a_problem(asked, flaky):
    flaky(lambda order: (0, Lost("It was killed.")) if 0 in order.jobs else (len(order.jobs), None))
    report = run(asked(floor_draws=0), Quiet())
    ((job, error),) = report.problems
    assert job.method.name == "eap"
    assert "It was killed." in error.why
    assert len(report.jobs) == 4


def test_memory_halves_the_batch_of_that_job_down_to_one_and_keeps_its_cell(asked, flaky, tmp_path):
    whole = run(asked(out=str(tmp_path / "whole")), Quiet())
    crew = flaky(lambda order: (0, Lost("Killed for its memory.", memory=True))
                 if 2 in order.jobs and order.batch_size != 1 else (len(order.jobs), None))  # fmt: skip
    report = run(asked(), Quiet())
    assert [order.batch_size for order in crew.orders if 2 in order.jobs] == [None, 10, 5, 2, 1]
    assert [record.cell for _, record in report.jobs] == [record.cell for _, record in whole.jobs]
    made = [record.volatile.provenance for _, record in report.jobs]
    assert [(one.batch_size, one.attempt) for one in made] == [(20, 1)] * 2 + [(1, 5)] + [(20, 1)] * 2


def test_a_worker_that_was_ended_for_its_time_is_not_tried_again(asked, flaky):
    def fate(order):
        if 0 in order.jobs and not order.given_up:
            EventFile(order.events).write(Event("started", 0, "at work"))
            EventFile(order.events).write(Event("problem", 0, status=TIME))
            return 0, Lost("It did not stop.")
        return len(order.jobs), None

    crew = flaky(fate)
    report = run(asked(floor_draws=0, time_limit=9.5), Quiet())
    (failed,) = [record for _, record in report.jobs if record.status == "failed"]
    assert "a cell may take 9.5 seconds" in failed.problem.why
    assert [order.attempt for order in crew.orders if 0 in order.jobs] == [1, 2]


def test_workers_that_never_begin_end_the_run(asked, flaky):
    crew = flaky(lambda order: (-1, Lost("It cannot be started.")))
    with pytest.raises(MibenchError, match="No worker") as caught:
        run(asked(), Quiet())
    assert caught.value.why.endswith("It cannot be started.")
    assert len(crew.orders) == 3
    assert crew.closed


def test_a_disk_that_is_full_ends_the_run(asked, flaky):
    crew = flaky(lambda order: (1, StoreError("No space.", why="Full.", do="Free some.")))
    with pytest.raises(StoreError, match="No space"):
        run(asked(), Quiet())
    assert crew.closed


def test_wrong_usage_at_the_first_job_ends_the_run_and_later_it_does_not(asked, flaky):
    def told(kind, place):
        def fate(order):
            n_before = order.jobs.index(place) if place in order.jobs else len(order.jobs)
            if place in order.jobs:
                do(replace(order, jobs=order.jobs[:n_before]))
                event = Event("problem", place, error=kind.__name__, what="No.", why="So.", do="Else.")
                EventFile(order.events).write(event)
                do(replace(order, jobs=order.jobs[n_before + 1 :]))
                return 0, None
            return len(order.jobs), None

        return fate

    flaky(told(UsageError, 0))
    with pytest.raises(UsageError, match=r"^No"):
        run(asked(), Quiet())
    for kind, place in ((ModelError, 0), (UsageError, 3)):
        flaky(told(kind, place))
        report = run(asked(), Quiet())
        ((_, error),) = report.problems
        assert type(error) is kind
        assert len(report.jobs) == 4


def test_a_log_has_a_line_for_every_try(asked, settings, tmp_path):
    run(settings(limit=1), Quiet())
    (log,) = (settings().out / "logs").glob("*.jsonl")
    log_lost(Event("started", 0, cell=log.stem, attempt=2), "It was killed.", "process", Store(settings().out))
    log_lost(Event("started", 0), "Nobody knows its cell.", "process", Store(settings().out))
    first, second = (json.loads(line) for line in log.read_text().splitlines())
    assert (first["status"], first["attempt"], first["executor"], first["batch_size"]) == ("ok", 1, "serial", 20)
    assert first["seconds"] > 0
    assert first["started"] < first["ended"]
    assert (second["status"], second["attempt"], second["problem"]["why"]) == ("lost", 2, "It was killed.")
    run(settings(limit=1), Quiet())
    assert len(log.read_text().splitlines()) == 2
