from __future__ import annotations

import json
from pathlib import Path

import pytest

from mibench.core.errors import UsageError
from mibench.records.encode import stable_bytes
from mibench.records.store import Store
from mibench.runner.driving.events import Tail
from mibench.runner.execute import run
from mibench.runner.executors import work
from mibench.runner.executors.executor import Order
from mibench.runner.executors.work import do, settings_of, settings_text
from mibench.runner.observe import Quiet
from mibench.runner.plan import plan_cells
from mibench.runner.settings import run_settings

GOLDEN = Path(__file__).parents[3] / "golden" / "tiny_gpt2"
METHOD = "def twice(view, *, power: float = 1.0):\n    return view.scores(view.attribute() * power)\n"


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Settings of a run in a folder of its own, with relative paths."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.py").write_text(METHOD)
    (tmp_path / "pairs.jsonl").write_text((GOLDEN / "pairs_A.jsonl").read_text())

    def make(**values):
        told = {"task": "pairs.jsonl", "model": str(GOLDEN), "out": "r", "limit": 2, "floor_draws": 1}
        return run_settings(told | {"method": ["my.py:twice", "random"]} | values)

    return make


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"method": ["cmd: python my.py {pairs} {out}", "my.py:twice"], "set": {"my.py:twice.power": 0.1, "steps": 3}},
        {"sweep": {"my.py:twice": [{"power": 1e-300}, {"power": 2}]}, "scheduler": {"partition": "gpu", "n": [1, 2.5]}},
        {"cells": [{"task": "pairs.jsonl", "model": str(GOLDEN), "by_method": {"random": {"batch-size": 3}}}]},
        {"time_limit": 0.1, "devices": "cpu", "extras": "minimality", "ablation": "zero", "baseline": "b"},
    ],
)
def test_settings_come_to_workers_as_they_are(asked, values):
    settings = asked(**values)
    found = settings_of(settings_text(settings))
    assert found == settings
    assert found.model_fields_set == settings.model_fields_set


def test_settings_that_mean_nothing_here_are_refused():
    with pytest.raises(UsageError, match="Unknown executor 'slrum'"):
        settings_of(json.dumps({"settings": {"task": ["a"], "executor": "slrum"}}))


def test_an_order_is_done_in_the_folder_of_its_run(asked, tmp_path, monkeypatch):
    settings = asked(method=["my.py:twice", "random"], set={"power": 2.0})
    whole = run(settings.model_copy(update={"out": Path("whole")}), Quiet())
    order = Order(settings_text(settings), tuple(range(len(plan_cells(settings)))), tmp_path / "e" / "1.jsonl")
    monkeypatch.chdir("/")
    monkeypatch.setattr(work, "_OPEN", {})
    do(order)
    assert Path.cwd() == tmp_path
    ended = [event for event in Tail(order.events).read() if event.ends]
    assert [(event.job, event.event, event.status) for event in ended] == [(0, "done", "ok"), (1, "done", "ok")]
    assert ended[0].seconds > 0
    for event, (_, record) in zip(ended, whole.jobs, strict=True):
        assert stable_bytes(Store("r").read(event.cell)) == stable_bytes(record)
        assert (tmp_path / "r" / event.record).is_file()


def test_a_model_stays_loaded_from_one_order_to_the_next(asked, tmp_path, monkeypatch):
    from mibench.runner.cells.workbench import Workbench

    monkeypatch.setattr(work, "_OPEN", {})
    loaded, load = [], Workbench.load
    monkeypatch.setattr(Workbench, "load", lambda *given, **more: loaded.append(1) or load(*given, **more))
    text = settings_text(asked())
    for place in (0, 1):
        do(Order(text, (place,), tmp_path / f"{place}.jsonl"))
    assert loaded == [1]


def test_a_worker_whose_driver_is_gone_stops(asked, tmp_path, monkeypatch):
    monkeypatch.setattr(work, "_OPEN", {})
    monkeypatch.setattr("mibench.runner.driving.workplace.is_gone", lambda folder: folder == tmp_path / "e")
    do(Order(settings_text(asked()), (0, 1), tmp_path / "e" / "1.jsonl"))
    assert Tail(tmp_path / "e" / "1.jsonl").read() == []


def test_smaller_batches_and_the_reason_of_a_job_that_was_given_up_are_in_its_record(asked, tmp_path, monkeypatch):
    monkeypatch.setattr(work, "_OPEN", {})
    do(Order(settings_text(asked()), (0, 1), tmp_path / "1.jsonl", batch_size=3, given_up={1: "So it is."}, attempt=4))
    ended = {event.job: Store("r").read(event.cell) for event in Tail(tmp_path / "1.jsonl").read() if event.ends}
    made = ended[0].volatile.provenance
    assert (made.batch_size, made.attempt, ended[0].status) == (3, 4, "ok")
    assert made.batch_tokens < 512
    assert (ended[1].status, ended[1].problem.why) == ("failed", "So it is.")
