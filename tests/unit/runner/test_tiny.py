from __future__ import annotations

from pathlib import Path

import pytest

from mibench.core.errors import UsageError
from mibench.methods.method import METHODS
from mibench.runner.plan import plan_cells
from mibench.runner.settings import RunSettings, read_run_file
from mibench.runner.tiny import EXAMPLES, SLOW, TOKENS, folder_of, left_out, tiny

RUNS = sorted(path.stem for path in (Path(__file__).parents[3] / "runs").glob("*.yaml"))
OF_METHODS = [name for name in RUNS if not name.startswith("saebench")]


def settings(**values) -> RunSettings:
    return RunSettings.model_validate({"task": "ioi", "method": "eap"} | values)


@pytest.mark.parametrize("name", OF_METHODS)
def test_every_method_of_a_shipped_run_stays_and_none_is_long(name):
    real = RunSettings.model_validate(read_run_file(name))
    small = tiny(real)
    jobs = plan_cells(small)
    assert {job.ref for job, _ in jobs} >= set(real.methods)
    assert {job.task for job, _ in jobs} == {job.task for job, _ in plan_cells(real)}
    for job, own in jobs:
        assert own.limit == EXAMPLES[job.track]
        assert own.train_examples == EXAMPLES[job.track]
        assert job.seed in (None, 0)
        for key in SLOW.keys() & job.params.keys():
            assert _amount(job.params[key]) <= _amount(SLOW[key])


def _amount(value: object) -> float:
    return len(value) if isinstance(value, list | tuple) else float(value or 0)


def test_records_go_to_a_folder_of_their_own_and_nothing_is_taken_from_others():
    small = tiny(settings(out="here/records", baseline="published", seeds=5))
    assert small.out == Path("here/records-tiny")
    assert (small.baseline, small.only, small.seeds) == (None, "all", 1)
    assert folder_of(Path("records")) == Path("records-tiny")


@pytest.mark.parametrize("out", [".", "/", ".."])
def test_a_folder_without_a_name_is_refused(out):
    with pytest.raises(UsageError, match="cannot be used with --tiny"):
        tiny(settings(out=out))


def test_what_is_smaller_already_stays_as_it_is():
    small = tiny(settings(method=["expected-gradients", "eap-ig-inputs"], set={"eap-ig-inputs.steps": 1}))
    assert small.set["expected-gradients.steps"] == 1
    assert small.set["eap-ig-inputs.steps"] == 1
    assert tiny(settings(method="edge-pruning", set={"steps": 1900})).set["edge-pruning.steps"] == 2


def test_members_of_ensembles_are_small_too():
    members = "eap@1,eap-ig-inputs?rule=right,edge-pruning?warm_start=eap"
    small = tiny(settings(method="hybrid-ensemble", set={"members": members}))
    found = small.set["hybrid-ensemble.members"]
    assert found == "eap@1,eap-ig-inputs?rule=right&steps=2,edge-pruning?warm_start=eap&steps=2"
    METHODS.load("hybrid-ensemble").parameters({"members": found})


def test_what_cells_say_of_sizes_for_single_methods_gives_way():
    cell = {"task": "mib/ioi", "model": "gpt2", "train_limit": 1000, "limit": 50,
            "by_method": {"ugs": {"train_limit": 9500, "set": {"steps": 1900, "lr": 0.5}}}}  # fmt: skip
    small = tiny(settings(method="ugs", cells=[cell], task=[]))
    ((job, own),) = [(job, own) for job, own in plan_cells(small) if not job.control]
    assert (job.params["steps"], job.params["lr"]) == (2, 0.5)
    assert (own.limit, own.train_examples) == (2, 2)


def test_a_sweep_keeps_one_variant_of_each_method():
    real = RunSettings.model_validate(read_run_file("smollm2_sae"))
    small = tiny(real)
    assert {name: len(variants) for name, variants in small.sweep.items()} == dict.fromkeys(real.sweep, 1)
    assert small.train_tokens == TOKENS


def test_harder_versions_of_a_planted_model_are_left_out_and_counted():
    real = RunSettings.model_validate(read_run_file("known_truth"))
    small = tiny(real)
    assert len(small.cells) + left_out(real) == len(real.cells)
    assert {cell.task for cell in small.cells} == {cell.task for cell in real.cells}
    assert left_out(RunSettings.model_validate(read_run_file("mib_circuit"))) == 0


def test_layers_positions_and_heads_are_few():
    for _, own in plan_cells(tiny(RunSettings.model_validate(read_run_file("smollm2_variable")))):
        assert len(own.position) <= 2
        assert 1 <= len(own.layer) + len(own.heads) <= 2
    assert tiny(settings(method="das", task="ravel", layer=[3, 4, 5])).layer == [3, 4]
