from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mibench.records.store import Store
from mibench.runner.forecasts import fits

TINY = Path(__file__).parents[2] / "golden" / "tiny_gpt2"
WORDS = ("run", "--task", TINY / "pairs_A.jsonl", "--model", TINY, "--limit", 4, "--floor-draws", 1, "--out", "records")


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_records_of_the_folder_tell_how_long_a_run_takes_and_which_jobs_are_done(run):
    assert run(*WORDS, "--method", "eap").status == 0
    found = run(*WORDS, "--method", "eap", "--method", "eap-ig-inputs", "--dry-run", "--json").json
    by_method = {row["method"]: row for row in found["jobs"]}
    assert {name for name, row in by_method.items() if row["reused"]} == {"random", "eap"}
    assert by_method["eap"]["seconds"]["low"] > 0
    assert "same method, same ground" in by_method["eap"]["seconds"]["basis"]
    assert found["total"]["jobs_reused"] == 2
    assert (found["total"]["model_loads"], found["total"]["shared"]) == (1, 0)


def test_other_examples_or_parameters_are_not_taken_for_those_that_are_there(run):
    assert run(*WORDS, "--method", "eap-ig-inputs").status == 0
    for more in (("--limit", 3), ("--set", "steps=7"), ("--split", "test"), ("--ablation", "zero"), ("--only", "all")):
        rows = run(*WORDS, "--method", "eap-ig-inputs", *more, "--dry-run", "--json").json["jobs"]
        assert not any(row["reused"] for row in rows if row["method"] == "eap-ig-inputs"), more


def test_what_no_record_speaks_of_is_said_to_be_unknown(run):
    file = Path("my.py")
    file.write_text("def own(view, depth: int = 3):\n    return view.scores(view.graph.real_mask * 1.0)\n")
    ran = run(*WORDS, "--method", f"{file}:own", "--dry-run")
    assert "no record tells" in ran.out
    found = run(*WORDS, "--method", f"{file}:own", "--dry-run", "--json").json
    (row,) = [row for row in found["jobs"] if row["method"] == "own"]
    assert row["seconds"] is None
    assert "no record tells of its method" in row["seconds_unknown"]
    assert found["total"]["jobs_unknown"] >= 1


def test_what_does_not_fit_is_said_with_what_would(run, monkeypatch):
    monkeypatch.setattr(fits, "memory_for", lambda _: 10**8)
    ran = run(*WORDS, "--method", "eap", "--dry-run")
    assert ran.status == 0
    assert "would not fit: 2 jobs" in ran.out
    assert "does not fit cpu" in ran.err
    rows = run(*WORDS, "--method", "eap", "--dry-run", "--json").json["jobs"]
    assert {row["fits"] for row in rows} == {False}
    assert all(row["memory_bytes"]["low"] < row["memory_bytes"]["high"] for row in rows)


def test_more_workers_take_less_time(run):
    assert run(*WORDS, "--method", "eap").status == 0
    words = (*WORDS, "--method", "eap", "--seeds", 2, "--only", "all", "--executor", "process", "--dry-run")
    alone, several = (run(*words, "--workers", workers, "--json").json["total"] for workers in (1, 4))
    assert several["seconds"]["high"] <= alone["seconds"]["high"]
    assert several["workers"] == 4
    assert several["memory_bytes"] < several["memory_bytes_all_workers"] <= 4 * several["memory_bytes"]
    assert alone["memory_bytes_all_workers"] == alone["memory_bytes"]
    assert "4 workers at most" in run(*words, "--workers", 4).out


def test_memory_is_what_the_records_of_a_job_took_where_there_are_some(run):
    words = (*WORDS, "--method", "eap", "--only", "all")
    before = _of(run(*words, "--dry-run", "--json").json, "eap")["memory_bytes"]
    assert before["basis"] == "estimated from shapes"
    assert run(*words).status == 0
    took = _peak()
    after = _of(run(*words, "--dry-run", "--json").json, "eap")["memory_bytes"]
    assert after["basis"] == "same job, 1 record"
    assert after["low"] <= took <= after["high"] < 1.3 * took
    other = _of(run(*words, "--batch-size", 2, "--dry-run", "--json").json, "eap")["memory_bytes"]
    assert other["basis"] == "estimated from shapes"


def _of(found, method):
    (row,) = [row for row in found["jobs"] if row["method"] == method]
    return row


def _peak():
    (record,) = [one for one in Store(Path("records")).query() if one.cell.method.name == "eap"]
    return record.volatile.cost.peak_bytes


def test_where_nothing_is_left_no_model_is_said_to_be_loaded(run):
    assert run(*WORDS, "--method", "eap").status == 0
    ran = run(*WORDS, "--method", "eap", "--dry-run")
    assert "Nothing is left to run." in ran.out
    assert "to load" not in ran.out
    assert "The largest job" not in ran.out


def test_a_device_that_is_not_here_is_said(run):
    name = "cuda" if not torch.cuda.is_available() else "cuda:99"
    ran = run(*WORDS, "--method", "eap", "--device", name, "--dry-run")
    assert "would fail: every job on this device" in ran.out
    assert f"The device '{name}' cannot be used on this machine." in ran.err
    elsewhere = run(*WORDS, "--method", "eap", "--device", name, "--executor", "slurm", "--dry-run", "--json")
    assert elsewhere.json["devices"] == []


def test_a_model_that_does_not_exist_is_wrong_usage(run):
    ran = run("run", "--task", "ioi", "--model", "gpt-2", "--method", "eap", "--dry-run")
    assert ran.status == 2
    assert "Did you mean 'gpt2'" in ran.err
