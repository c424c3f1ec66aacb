from __future__ import annotations

import csv
import io
import shutil

import pytest

from mibench.metrics.circuit import compare_circuits
from mibench.metrics.per_example import CircuitTables


def numbers(store, cell) -> CircuitTables:
    record = store.read(cell)
    return CircuitTables(store.table(record, "examples"), store.table(record, "endpoints"), 1000)


def test_methods_of_one_task_and_model_share_a_table_best_first(run, store):
    (group,) = run("compare", store.folder, "--json").json
    assert (group["task"], group["model"], group["level"]) == ("ioi", "smollm2-135m", "edge")
    assert [one["method"] for one in group["methods"]] == ["eap", "random", "attribution"]
    assert group["methods"][2]["metrics"] == {}
    assert "attribution: The method ran out of memory." in group["notes"]
    assert any("dequantised from GGUF" in note for note in group["notes"])


def test_another_task_is_another_table(run, store, add_record, make_cell):
    add_record(store, make_cell("eap", task="other"))
    groups = run("compare", store.folder, "--json").json
    assert sorted(group["task"] for group in groups) == ["ioi", "other"]


def test_against_gives_the_paired_differences_of_the_stored_tables(run, store, make_cell):
    ran = run("compare", store.folder, "--against", "random", "--json", "--metric", "cmd", "--metric", "cpr")
    differences = {one["method"]: one for one in ran.json[0]["differences"]}
    sides = (numbers(store, make_cell("eap")), numbers(store, make_cell("random", seed=0)))
    expected = compare_circuits(*sides)["cmd"]
    found = differences["eap"]["metrics"]
    assert set(found) == {"cmd", "cpr"}
    assert found["cmd"]["difference"] == pytest.approx(expected.difference, rel=1e-12)
    assert (found["cmd"]["ci_low"], found["cmd"]["verdict"]) == (expected.ci_low, "better")
    assert found["cmd"]["difference"] < 0 < found["cpr"]["difference"]


def test_a_pair_that_cannot_be_measured_is_said_and_is_status_1(run, store):
    ran = run("compare", store.folder, "--against", "random")
    assert ran.status == 1
    assert "attribution − random: There is nothing to pair. The method ran out of memory." in ran.out
    assert "eap − random" in ran.out
    assert "better" in ran.out


def test_equal_circuits_tie_and_other_examples_are_refused(run, tmp_path, add_record, make_cell):
    from mibench.records.store import Store

    store = Store(tmp_path / "more")
    add_record(store, make_cell("eap"))
    add_record(store, make_cell("same"))
    add_record(store, make_cell("fewer"), n=20)
    ran = run("compare", store.folder, "--against", "eap", "--json")
    differences = {one["method"]: one for one in ran.json[0]["differences"]}
    assert differences["same"]["metrics"]["cmd"]["verdict"] == "tie"
    assert "10 examples were measured for one of them only" in differences["fewer"]["problem"]
    assert ran.status == 1


def test_cells_of_one_method_are_told_apart_by_what_differs(run, store, add_record, make_cell):
    for seed, steps in ((0, 5), (1, 5), (0, 10)):
        add_record(store, make_cell("ig", seed=seed, steps=steps))
    labels = {one["method"] for one in run("compare", store.folder, "--json").json[0]["methods"]}
    assert labels >= {"ig (steps=5, seed=0)", "ig (steps=5, seed=1)", "ig (steps=10, seed=0)"}


def test_a_folder_above_the_store_and_the_same_record_twice_are_fine(run, store, tmp_path):
    shutil.copytree(store.folder, tmp_path / "copy")
    (group,) = run("compare", store.folder.parent, tmp_path / "copy", "--against", "random", "--json").json
    assert len(group["methods"]) == 3
    assert group["differences"][0]["metrics"]["cpr"]["verdict"] == "better"


def test_csv_has_one_line_a_number_and_parses(run, store):
    text = run("compare", store.folder, "--format", "csv", "--metric", "cmd", "--against", "random").out
    rows = list(csv.DictReader(io.StringIO(text)))
    kinds = [(row["method"], row["minus"], row["metric"]) for row in rows]
    expected = [
        ("eap", "", "cmd"),
        ("random", "", "cmd"),
        ("attribution", "", "cmd"),
        ("eap", "random", "cmd"),
    ]
    assert kinds == expected
    assert rows[2]["value"] == ""
    assert rows[3]["verdict"] == "better"
    difference = float(rows[0]["value"]) - float(rows[1]["value"])
    assert float(rows[3]["value"]) == pytest.approx(difference, rel=1e-9)


def test_latex_is_booktabs_with_its_special_characters_escaped(run, store, add_record, make_cell):
    add_record(store, make_cell("my_method"))
    ran = run("compare", store.folder, "--format", "latex", "--against", "random")
    lines = [line for line in ran.out.splitlines() if line and not line.startswith("%")]
    assert [lines.count(rule) for rule in ("\\toprule", "\\midrule", "\\bottomrule")] == [2, 2, 2]
    assert any(line.startswith("my\\_method & ") and line.endswith(" \\\\") for line in lines)
    assert "distance\\_absolute $\\downarrow$" in ran.out
    assert "$-$" in ran.out
    columns = {line.count(" & ") for line in lines if line.endswith("\\\\")}
    assert columns == {4}


@pytest.mark.parametrize(("words", "hint"), [(["--metric", "cmdd"], "'cmd'"), (["--against", "randm"], "'random'")])
def test_unknown_metrics_and_methods_get_a_hint(run, store, words, hint):
    ran = run("compare", store.folder, *words)
    assert ran.status == 2
    assert hint in ran.err


def test_a_damaged_table_is_a_problem_of_its_pair_only(run, store, make_cell):
    record = store.read(make_cell("eap"))
    store.path(record.cell).with_name(record.tables["examples"].file).write_bytes(b"x")
    ran = run("compare", store.folder, "--against", "random")
    assert ran.status == 1
    assert "Its sha256 is not the one in the record" in ran.out
