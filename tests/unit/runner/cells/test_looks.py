from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mibench.records.store import Store
from mibench.runner.cells.looks import _numbers
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


def test_variants_of_earlier_runs_behind_a_new_one_in_the_plan_count_too(settings, tmp_path):
    folder = str(tmp_path / "r")
    assert looks(settings, folder, [2]) == {2: 1}
    assert looks(settings, folder, [3, 2]) == {3: 2, 2: 1}
    whole = looks(settings, folder, [4, 3, 2])
    assert whole == {4: 3, 3: 2, 2: 1}
    assert looks(settings, folder, [4, 3, 2], seeds=2, only="all") == whole


_STEPS = st.permutations([1, 2, 3, 4, 5])


@given(_STEPS, st.integers(0, 4), st.lists(st.integers(0, 4), unique=True))
def test_numbers_do_not_depend_on_which_cells_of_the_plan_were_done_first(steps, n_earlier, done):
    planned = [str(one) for one in steps]
    scored = {one: number for number, one in enumerate([*sorted(planned)[:n_earlier], "elsewhere"], start=1)}
    whole = _numbers(planned, scored)
    later = scored | {planned[place]: whole[planned[place]] for place in done}
    assert _numbers(planned, later) == whole
    assert len(set(whole.values())) == len(planned)


def test_a_failed_record_is_no_look(settings, tmp_path, monkeypatch):
    folder = str(tmp_path / "r")

    def broken(work, meter):
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr("mibench.runner.cells.circuit._run_method", broken)
        looks(settings, folder, [2])
    assert looks(settings, folder, [3]) == {3: 1}
    assert looks(settings, folder, [2]) == {2: 2}


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
