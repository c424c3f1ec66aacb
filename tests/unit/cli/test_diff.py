"""`mibench diff`: one line that says what differs, and the numbers that do."""

from __future__ import annotations

import pytest

from mibench.core.specs import Convention
from mibench.records.record import Provenance


@pytest.fixture
def other(store, make_cell, add_record):
    """A record of another convention, parameter and version."""
    cell = make_cell("eap", seed=3, steps=5)
    method = cell.method.model_copy(update={"version": 2})
    return add_record(store, cell.model_copy(update={"method": method, "convention": Convention.MIB}), seed=4)


def test_what_fixes_the_numbers_is_told_in_one_line_and_the_numbers_in_a_table(run, store, make_cell, other):
    ran = run("diff", store.path(make_cell("eap")), store.path(other.cell))
    assert ran.status == 0, ran.err
    line, *rest = ran.out.splitlines()
    assert line == (
        "differs: method.version 1 → 2; method.params.steps none → 5; method.seed none → 3; convention mibench → mib"
    )
    assert any("cpr" in row for row in rest)
    assert "metrics have the same number in both" in rest[-1]


def test_equal_cells_are_the_same_cell_and_the_environment_is_told(run, store, tmp_path, make_cell):
    record = store.read(make_cell("eap"))
    path = store.path(record.cell)
    assert run("diff", path, path).out.splitlines()[0] == "the same cell"
    made = {"mibench": "1", "python": "3.11", "platform": "Linux", "created_at": "2026-01-01T00:00:00Z"}
    copies = []
    for name, threads in (("one", 1), ("two", 4)):
        volatile = record.volatile.model_copy(update={"provenance": Provenance(**made, threads=threads)})
        moved = record.model_copy(update={"tables": {}, "volatile": volatile})
        copies.append(type(store)(tmp_path / name))
        copies[-1].write(moved)
    ran = run("diff", *(copy.path(record.cell) for copy in copies))
    assert ran.out.splitlines()[0] == "the same cell | made: threads 1 → 4"


def test_json_holds_every_difference_and_number(run, store, make_cell, other):
    found = run("diff", store.path(make_cell("eap")), store.path(other.cell), "--json").json
    assert found["same_cell"] is False
    assert {"where": "method.seed", "first": None, "second": 3} in found["cell"]
    (cpr,) = [one for one in found["metrics"] if one["metric"] == "cpr"]
    assert cpr["difference"] == cpr["first"] - cpr["second"] != 0


def test_ids_are_found_in_the_folder_and_unknown_ones_are_refused(run, store, make_cell):
    one, other = make_cell("eap").id, make_cell("random", seed=0).id
    assert run("diff", one, other, "--records", store.folder).status == 0
    ran = run("diff", one, "ffff0000", "--records", store.folder)
    assert (ran.status, "Traceback" in ran.err) == (2, False)
