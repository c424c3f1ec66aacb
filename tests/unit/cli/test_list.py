from __future__ import annotations

import pytest

from mibench.core.registry import Registry
from mibench.models.catalogue import CATALOGUE


@pytest.mark.parametrize("kind", ["task", "method", "metric"])
def test_every_registered_component_is_listed(run, kind):
    rows = run("list", f"{kind}s", "--json").json
    kinds = ("variable_task", "dictionary_task") if kind == "task" else ()
    others = [name for one in kinds for name in Registry(one, "mibench.tasks").names()]
    assert [row["name"] for row in rows] == Registry(kind, f"mibench.{kind}s").names() + others
    assert all(row["description"] and row["version"] >= 1 for row in rows)


def test_models_are_those_of_the_catalogue_with_their_notes(run):
    rows = {row["name"]: row for row in run("list", "models", "--json").json}
    assert list(rows)[: len(CATALOGUE)] == list(CATALOGUE)
    assert "planted-ioi-llama" in rows
    assert "planted-ioi-llama-d1" not in rows
    assert "dequantised from GGUF Q4_1" in rows["smollm2-135m"]["description"]


def test_without_a_kind_all_four_are_there(run):
    assert list(run("list", "--json").json) == ["tasks", "models", "methods", "metrics"]
    shown = run("list").out
    assert all(word in shown for word in ("ioi", "gpt2", "cpr", "mibench list KIND"))


def test_a_record_shows_its_headline_with_interval_or_its_problem(run, store, make_cell):
    rows = {row["method"]: row for row in run("list", "records", "--records", store.folder, "--json").json}
    metric = store.read(make_cell("eap")).metrics["distance_absolute"]
    assert rows["eap"]["headline"] == (
        f"distance_absolute {metric.value:.3f} [{metric.ci_low:.3f}, {metric.ci_high:.3f}]"
    )
    assert rows["attribution"]["headline"] == "The method ran out of memory."
    assert rows["attribution"]["status"] == "failed"
    assert make_cell("eap").id.startswith(rows["eap"]["id"])


def test_an_empty_folder_has_no_records_and_that_is_no_error(run, tmp_path):
    ran = run("list", "records", "--records", tmp_path)
    assert ran.status == 0
    assert "no records" in ran.out
    assert run("list", "records", "--records", tmp_path, "--json").json == []


def test_names_from_records_cannot_steer_the_terminal(run, store, add_record, make_cell):
    add_record(store, make_cell("[/red]\x1b[2J:boom:"))
    shown = run("list", "records", "--records", store.folder)
    assert shown.status == 0
    assert "[/red] [2J:boom:" in shown.out
    assert "\x1b[2J" not in shown.out


def test_a_program_is_listed_once_for_people_and_with_all_its_sets_for_machines(run):
    shown = run("list", "tasks").out
    assert "planted-ioi" in shown
    assert "s2-io-flip" not in shown
    assert "planted-ioi-s2-io-flip" in {row["name"] for row in run("list", "tasks", "--json").json}
