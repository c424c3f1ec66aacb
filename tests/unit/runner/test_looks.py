from __future__ import annotations

import pytest

from mibench.records.store import Store
from mibench.runner.execute import run
from mibench.runner.observe import Quiet


def looks(settings, folder, steps, **values):
    """Looks at the test split by steps, of a run of these variants in this order."""
    sweep = {"eap-ig-inputs": [{"steps": one} for one in steps]}
    asked = settings(method="eap-ig-inputs", split="test", sweep=sweep, out=folder, limit=2, **values)
    return {record.cell.method.params["steps"]: record.looks_at_test for _, record in run(asked, Quiet()).jobs}


def test_variants_are_counted_in_the_order_of_the_plan_and_after_those_of_earlier_runs(settings, tmp_path):
    folder = str(tmp_path / "r")
    assert looks(settings, folder, [5, 2]) == {5: 1, 2: 2}
    assert looks(settings, folder, [3, 4]) == {3: 3, 4: 4}
    assert looks(settings, folder, [4, 5]) == {4: 4, 5: 1}


@pytest.mark.parametrize("lost", [2, 3, 5])
def test_a_run_that_goes_on_after_a_stop_counts_as_if_it_had_not_stopped(settings, tmp_path, lost):
    folder = str(tmp_path / "r")
    whole = looks(settings, folder, [5, 2, 3])
    store = Store(folder)
    for record in store.query():
        if record.cell.method.params["steps"] == lost:
            store.path(record.cell).unlink()
    assert looks(settings, folder, [5, 2, 3]) == whole == {5: 1, 2: 2, 3: 3}


def test_records_beside_are_read_once_and_not_for_every_cell(settings, tmp_path, monkeypatch):
    asked = []
    beside = Store.beside
    monkeypatch.setattr(Store, "beside", lambda self, cell: asked.append(cell) or beside(self, cell))
    run(settings(method="random", seeds=6, split="test", limit=1), Quiet())
    assert len(asked) == 1
