from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mibench.methods.method import Method
from mibench.runner.driving.units import MOST, units
from mibench.runner.plan import Job, plan_cells
from mibench.runner.settings import run_settings

OTHER = "tiny_llama"


def labels(jobs, found):
    return [[f"{jobs[place][0].method.name}{jobs[place][0].seed or ''}" for place in unit.jobs] for unit in found]


def test_controls_come_first_and_the_others_of_their_ground_need_them(settings):
    jobs = plan_cells(settings(method=["eap", "random"], seeds=4, floor_draws=2))
    found = units(jobs, workers=1)
    assert labels(jobs, found) == [["random", "random1"], ["eap", "random2", "random3"]]
    assert [(unit.bundle, unit.first) for unit in found] == [(0, True), (0, False)]


def test_a_user_method_called_random_is_no_control(settings, user_file):
    file = user_file("def random(view):\n    return view.scores(view.attribute())\n")
    (unit,) = units(plan_cells(settings(method=f"{file}:random")), workers=1)
    assert not unit.first


def test_cells_of_one_model_are_neighbours_wherever_the_run_file_has_them(settings):
    model = settings().model[0]
    other, task = model.replace("tiny_gpt2", OTHER), settings().task[0]
    three = [{"task": task, "model": model}, {"task": task, "model": other}, {"task": task, "model": model, "limit": 3}]
    jobs = plan_cells(settings(cells=three, floor_draws=1, task=[], model=[model, other]))
    order = [jobs[place][0].model for unit in units(jobs, workers=2) for place in unit.jobs]
    assert order == [model] * 4 + [other] * 2


def test_tasks_of_one_dictionary_are_one_unit():
    method = Method(lambda view: None, name="topk", track="sae")
    settings = run_settings({"task": "a", "method": "topk"})
    jobs = [(Job(task, "m", method, {"k": k}, 0, hook="h"), settings) for task in "abc" for k in (1, 2)]
    assert [unit.jobs for unit in units(jobs, workers=8)] == [(0, 2, 4), (1, 3, 5)]


@given(st.integers(1, 150), st.integers(0, 5), st.integers(1, 64))
def test_every_job_is_in_one_unit_and_units_are_neither_many_nor_large(n_seeds, draws, workers):
    method = Method(lambda view: None, name="random")
    settings = run_settings({"task": ["a", "b"], "method": "random", "floor_draws": draws})
    jobs = [(Job(task, "m", method, {}, seed), settings) for task in "ab" for seed in range(n_seeds)]
    found = units(jobs, workers)
    assert sorted(place for unit in found for place in unit.jobs) == list(range(len(jobs)))
    assert max(len(unit.jobs) for unit in found) <= MOST
    assert len(found) <= 4 * workers + 2 * len("ab") + len(jobs) // MOST


@pytest.mark.parametrize("workers", [1, 3])
def test_a_plan_without_jobs_has_no_units(workers):
    assert units([], workers) == []


def test_a_dictionary_does_not_change_how_the_others_are_cut():
    sae, circuit = (Method(lambda view: None, name=name, track=name) for name in ("sae", "circuit"))
    settings = run_settings({"task": "a", "method": "topk"})
    jobs = [(Job(task, "m", sae, {}, 0, hook="h"), settings) for task in "abcdefgh"]
    jobs += [(Job("z", "m", circuit, {}, seed), settings) for seed in range(8)]
    assert [len(unit.jobs) for unit in units(jobs, workers=2)] == [8, 2, 2, 2, 2]
