from __future__ import annotations

import pytest

from mibench.core.errors import UsageError
from mibench.core.specs import Ablation
from mibench.runner.plan import plan


def names(jobs):
    return [(job.task, job.model, job.method.name, job.seed) for job in jobs]


def refusal(call) -> UsageError:
    with pytest.raises(UsageError) as caught:
        call()
    return caught.value


def test_lists_give_the_product_models_first_the_floor_before_the_methods(settings):
    jobs = plan(settings(task=["a", "b"], model=["x", "y"], method=["eap", "random"], seeds=2, floor_draws=1))
    per_ground = [("random", 0), ("eap", None), ("random", 1)]
    expected = [(t, m, name, seed) for m in ("x", "y") for t in ("a", "b") for name, seed in per_ground]
    assert names(jobs) == expected


def test_methods_that_draw_nothing_have_no_seeds(settings):
    assert [job.seed for job in plan(settings(method="eap", seeds=5))] == [None]
    assert [job.seed for job in plan(settings(method="random", seeds=3))] == [0, 1, 2]


def test_the_floor_is_marked_unless_random_was_asked_for(settings):
    assert [job.control for job in plan(settings(floor_draws=2))] == [True, True, False]
    assert not any(job.control for job in plan(settings(method=["random"], floor_draws=2)))
    assert not any(job.control for job in plan(settings(against=["random"], floor_draws=2)))


def test_what_is_compared_with_is_run_too_and_once(settings):
    assert [job.method.name for job in plan(settings(method=["eap-ig-inputs", "eap"], against=["eap"]))] == [
        "eap-ig-inputs",
        "eap",
    ]
    assert [job.method.name for job in plan(settings(method=[], against=["eap"]))] == ["eap"]


def test_parameters_are_brought_to_their_types_and_defaults_are_filled_in(settings):
    (job,) = plan(settings(method="eap-ig-inputs", set={"steps": "7", "ablation": "zero"}))
    assert job.params == {"steps": 7, "rule": "left", "ablation": Ablation.ZERO, "variant": "mibench"}
    assert type(job.params["steps"]) is int
    (same,) = plan(settings(method="eap-ig-inputs", set={"steps": 7, "ablation": Ablation.ZERO}))
    assert same.params == job.params


def test_a_parameter_goes_to_every_method_that_has_it_and_a_dotted_one_to_its_own(settings):
    given = {"eap-ig-inputs.steps": 3, "ablation": "zero", "eap.variant": "mib"}
    eap, ig = plan(settings(method=["eap", "eap-ig-inputs"], set=given))
    assert eap.params == {"ablation": "zero", "variant": "mib"}
    assert ig.params == {"steps": 3, "rule": "left", "ablation": "zero", "variant": "mibench"}


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ({"stps": 5}, "'steps'"),
        ({"eap-ig-inputs.stps": 5}, "'steps'"),
        ({"steps": "many"}, "default is 5"),
        ({"steps": 0}, "default is 5"),
        ({"steps": 2.5}, "default is 5"),
        ({"rule": "centre"}, "default is left"),
    ],
)
def test_a_wrong_parameter_gets_a_hint(settings, given, hint):
    error = refusal(lambda: plan(settings(method="eap-ig-inputs", set=given)))
    assert hint in error.do


def test_a_parameter_that_no_method_has_is_refused_though_the_floor_runs(settings):
    refusal(lambda: plan(settings(method="eap", set={"steps": 5}, floor_draws=2)))


@pytest.mark.parametrize("level", ["node", "neuron"])
def test_a_level_that_a_method_cannot_score_is_refused(settings, level):
    error = refusal(lambda: plan(settings(level=level)))
    assert "edge" in error.why
    assert [job.method.name for job in plan(settings(level=level, method="random"))] == ["random"]


def test_the_convention_of_mib_sets_the_variant_unless_it_is_given(settings):
    variants = [job.params["variant"] for job in plan(settings(method=["eap", "eap-ig-inputs"], convention="mib"))]
    assert variants == ["mib", "mib"]
    (job,) = plan(settings(convention="mib", set={"variant": "mibench"}))
    assert job.params["variant"] == "mibench"


def test_the_convention_of_mib_leaves_the_variant_of_a_users_method_alone(settings, user_file):
    path = user_file("def f(view, variant: str = 'mine'):\n    return view\n")
    (job,) = plan(settings(method=f"{path}:f", convention="mib"))
    assert job.params == {"variant": "mine"}


@pytest.mark.parametrize("turn", [1, -1])
def test_a_parameter_for_one_method_goes_over_one_for_all_in_either_order(settings, turn):
    given = dict([("eap.ablation", "mean"), ("ablation", "zero")][::turn])
    eap, ig = plan(settings(method=["eap", "eap-ig-inputs"], set=given))
    assert (eap.params["ablation"], ig.params["ablation"]) == (Ablation.MEAN, Ablation.ZERO)


def test_the_convention_of_another_track_is_refused(settings):
    assert "dictionaries" in refusal(lambda: plan(settings(convention="saebench"))).why


def test_methods_of_one_name_in_two_files_are_both_run(settings, user_file):
    body = "def eap(view):\n    return view.scores(view.attribute() * {})\n"
    one, two = user_file(body.format(1), "one/m.py"), user_file(body.format(2), "two/n.py")
    jobs = plan(settings(method=[f"{one}:eap", f"{two}:eap", "eap"]))
    assert [job.method.name for job in jobs] == ["eap", "eap", "eap"]
    assert len({job.method.code_digest for job in jobs}) == 3
