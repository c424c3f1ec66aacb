"""`mibench rescore`: what can be done from tables is done, and the rest is said first."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from mibench.metrics import circuit
from mibench.metrics.circuit import circuit_metrics
from mibench.metrics.metric import table_metrics
from mibench.metrics.per_example import CircuitTables
from mibench.records.record import RunRecord
from mibench.records.store import Store


@pytest.fixture
def folder(store, make_cell):
    """Two records with the intervals that mibench computes, and one that failed."""
    for record in store.query():
        if record.status == "ok":
            metrics, curves = circuit_metrics(*CircuitTables.stored(record, store))
            store.write(record.model_copy(update={"metrics": metrics, "curves": curves}))
    return store.folder


@pytest.fixture
def new_formula(monkeypatch):
    """Gives cpr another formula of version 2."""
    found = tuple(
        replace(one, version=2, compute=lambda curve, one=one: one(curve) * 2) if one.name == "cpr" else one
        for one in table_metrics()
    )
    monkeypatch.setattr(circuit, "table_metrics", lambda: found)


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_nothing_changes_and_what_cannot_be_done_is_said_first(run, folder):
    before = files(folder)
    ran = run("rescore", folder)
    assert ran.status == 1
    lines = ran.out.splitlines()
    assert lines[0] == "From tables, without a model: 2 of the circuit track."
    assert lines[1].startswith("Cannot be rescored: attribution (")
    assert "out of memory" in lines[1]
    assert lines[-1] == "0 records changed, 2 stayed as they are, 0 failed."
    assert files(folder) == before


def test_a_dry_run_computes_nothing(run, folder, new_formula):
    before = files(folder)
    found = run("rescore", folder, "--dry-run", "--json").json
    assert (len(found["from_tables"]), len(found["cannot"]), found["records"]) == (2, 1, [])
    assert "records changed" not in run("rescore", folder, "--dry-run").out
    assert files(folder) == before


def test_a_new_formula_is_written_with_the_former_number(run, folder, new_formula, make_cell):
    old = Store(folder).read(make_cell("eap"))
    ran = run("rescore", Store(folder).path(old.cell))
    assert ran.status == 0, ran.err
    assert "new version" in ran.out
    new: RunRecord = Store(folder).read(old.cell)
    assert new.metrics["cpr"].value == pytest.approx(2 * old.metrics["cpr"].value)
    assert new.volatile.former["cpr"][0].value == old.metrics["cpr"].value
    assert new.tables == old.tables
    assert run("rescore", Store(folder).path(old.cell)).out.endswith(
        "0 records changed, 1 stayed as they are, 0 failed.\n"
    )


def test_a_number_that_moved_by_itself_is_an_error_and_stays(run, folder, make_cell):
    store = Store(folder)
    old = store.read(make_cell("eap"))
    cpr = old.metrics["cpr"].model_copy(update={"value": 0.9 * old.metrics["cpr"].value})
    store.write(old.model_copy(update={"metrics": old.metrics | {"cpr": cpr}}))
    before = files(folder)
    ran = run("rescore", old.cell.id[:8], "--records", folder)
    assert ran.status == 1
    assert "same version" in ran.err
    assert files(folder) == before


def test_a_file_outside_of_a_folder_of_records_is_refused(run, folder, make_cell, tmp_path):
    path = Store(folder).path(make_cell("eap"))
    (tmp_path / path.name).write_bytes(path.read_bytes())
    ran = run("rescore", tmp_path / path.name)
    assert (ran.status, "no folder of records" in ran.err) == (2, True)
    (tmp_path / "empty").mkdir()
    assert run("rescore", tmp_path / "empty").status == 2


@pytest.mark.parametrize("command", ["rescore", "diff"])
def test_torch_is_not_imported(folder, make_cell, command):
    code = (
        "import sys, mibench.cli.main as m\ntry:\n    m.main(sys.argv[1:])\nfinally:\n    print('torch' in sys.modules)"
    )
    path = str(Store(folder).path(make_cell("eap")))
    words = [path, path] if command == "diff" else [path]
    done = subprocess.run([sys.executable, "-c", code, command, *words], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
