"""Metrics of interchange interventions: known answers, a plain twin, and what no-ops are worth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from variable_tables import linear_tables, variable_tables

from mibench.core.errors import DataError
from mibench.metrics.variable.scores import compare_variables, variable_metrics
from mibench.metrics.variable.tables import CONTROL_LABELS, CONTROL_WEIGHTS

THREE = {
    "answer": [[0.1, 0.2], [0.9, 0.4], [0.5, 0.5]],
    "both": [[0.3, 0.2], [0.7, 0.8], [0.1, 0.9]],
    "stays": [[1.0, 1.0], [0.8, 0.2], [0.9, 1.0]],
}
IDLE = {"answer": 0.0, "both": 0.0, "stays": 1.0}


def values(tables, **options):
    return {name: one.value for name, one in variable_metrics(tables, **({"resamples": 50} | options)).items()}


def three(**options):
    return variable_tables(THREE, IDLE, isolate=["stays"], **options)


def normalised(values_of_cause, idle=0.0):
    return (values_of_cause - idle) / (1 - idle)


def test_mibs_average_and_highest_of_three_layers_two_positions_and_three_sets():
    # u by layer: (1.4, 1.4) / 3, (2.4, 1.4) / 3, (1.5, 2.4) / 3; the best of each: 1.4, 2.4, 2.4.
    found = values(three())
    assert found["iia_average"] == pytest.approx((1.4 + 2.4 + 2.4) / 9)
    assert found["iia_highest"] == pytest.approx(2.4 / 3)
    assert found["noop_iia"] == pytest.approx(1 / 3)


def test_every_number_says_floor_direction_and_size():
    metrics = variable_metrics(three(), resamples=200)
    for name in ("iia_average", "iia_highest", "iia_chosen"):
        one = metrics[name]
        assert one.floor == pytest.approx(1 / 3)
        assert (one.ceiling, one.higher_is_better, one.ci_source, one.n) == (1.0, True, "examples", 30)
    assert (metrics["normalised_iia"].floor, metrics["normalised_iia"].n) == (0.0, 20)
    assert (metrics["isolate"].floor, metrics["isolate"].n) == (1.0, 10)
    assert metrics["disentangle"].floor == 0.5
    assert (metrics["noop_iia"].floor, metrics["noop_iia"].higher_is_better) == (None, None)
    assert (metrics["iia_set:both"].floor, metrics["iia_set:both"].n) == (0.0, 10)
    for one in metrics.values():
        assert (one.value is None) == (one.reason is not None)
        assert one.ci_low is None or one.ci_low <= one.ci_high


def test_the_site_is_the_one_that_validation_chose_not_the_best_of_the_test():
    scores = [[0, 1], [0, 0], [0, 0]]
    found = values(three(scores=scores))
    assert found["iia_chosen"] == pytest.approx((0.2 + 0.2 + 1.0) / 3)
    assert found["normalised_iia"] == pytest.approx(0.2)
    assert found["cause"] == pytest.approx(0.2)
    assert found["isolate"] == 1.0
    assert found["disentangle"] == pytest.approx(0.6)
    assert found["iia_set:stays"] == 1.0
    assert found["iia_highest"] == values(three())["iia_highest"]


def test_the_average_without_selection_on_test_takes_each_layers_best_of_validation():
    found = values(three(scores=[[0, 1], [1, 0], [1, 0]]))
    assert found["normalised_average"] == pytest.approx(np.mean([0.2, 0.8, 0.3]))


def test_validation_chooses_by_its_normalised_score_where_there_is_one():
    tables = three(scores=[[0, 1], [1, 0], [1, 0]])
    other = tables.selection.assign(normalised=1 - tables.selection["score"])
    assert values(tables._replace(selection=other))["normalised_average"] == pytest.approx(np.mean([0.2, 0.6, 0.7]))
    undefined = tables.selection.assign(normalised=np.nan)
    assert values(tables._replace(selection=undefined)) == values(tables)


@pytest.mark.parametrize("name", ["iia_average", "normalised_average"])
def test_an_average_over_layers_needs_a_site_in_every_layer(name):
    gap = {key: [*shares[:1], [np.nan, np.nan], *shares[2:]] for key, shares in THREE.items()}
    found = variable_metrics(variable_tables(gap, IDLE, isolate=["stays"]), resamples=20)
    assert found[name].value is None
    assert "1 of 3 layers" in found[name].reason
    assert found["iia_highest"].value == pytest.approx(2.4 / 3)
    assert found["normalised_iia"].value is not None


def test_a_missing_site_is_left_out_and_not_taken_for_a_swap_or_a_zero():
    gap = {key: [shares[0], [np.nan, shares[1][1]], shares[2]] for key, shares in THREE.items()}
    found = values(variable_tables(gap, IDLE, isolate=["stays"]))
    assert found["iia_average"] == pytest.approx((1.4 + 1.4 + 2.4) / 9)


def test_a_cell_of_some_layers_has_its_own_average_but_not_mibs():
    tables = three(n_layers=8, layers=(1, 4, 6))
    assert variable_metrics(tables, resamples=20)["normalised_average"].value is None
    found = variable_metrics(tables._replace(layers=(1, 4, 6)), resamples=20)
    assert found["normalised_average"].value == pytest.approx(np.mean([0.2, 0.8, 0.7]))
    assert "5 of 8 layers" in found["iia_average"].reason


def test_without_the_depth_of_the_model_no_average_is_claimed():
    tables = three()
    bare = tables._replace(examples=tables.examples.drop(columns="n_layers"))
    assert "n_layers" in variable_metrics(bare, resamples=20)["iia_average"].reason
    assert values(bare._replace(n_layers=3)) == values(tables)


def test_doing_nothing_scores_a_third_of_mcqas_pointer_and_nothing_when_normalised():
    idle = {"answerPosition": 0.0, "answerPosition_randomLetter": 0.0, "randomLetter": 1.0}
    same = {name: [[share, share]] * 2 for name, share in idle.items()}
    found = values(variable_tables(same, idle, isolate=["randomLetter"]))
    assert found["iia_average"] == pytest.approx(1 / 3)
    assert found["iia_highest"] == pytest.approx(1 / 3)
    assert (found["normalised_iia"], found["normalised_average"], found["disentangle"]) == (0.0, 0.0, 0.5)


def test_doing_nothing_scores_a_quarter_of_mibs_arithmetic_and_nothing_when_normalised():
    # In MIB's set "random" about half of the rows keep their answer, in "ones_carry" none does.
    idle = {"mixed": 0.51, "ones_carry": 0.0}
    tables = variable_tables({name: [[share]] for name, share in idle.items()}, idle, n=100, positions=("last",))
    kept = tables.noop["set"].eq("mixed") & ~tables.noop["cause"]
    noop = tables.noop.assign(correct=kept)
    right = kept.set_axis(pd.MultiIndex.from_frame(tables.noop[["set", "example"]]))
    told = right.reindex(pd.MultiIndex.from_frame(tables.examples[["set", "example"]])).to_numpy()
    found = values(tables._replace(noop=noop, examples=tables.examples.assign(correct=told)))
    assert found["iia_average"] == pytest.approx(0.25)
    assert found["noop_iia"] == pytest.approx(0.25)
    assert (found["normalised_iia"], found["cause"], found["isolate"]) == (0.0, 0.0, 1.0)


def test_normalising_discounts_what_the_no_op_gets_right_among_rows_that_must_change():
    found = values(variable_tables({"a": [[0.8]], "b": [[0.6]]}, {"a": 0.4, "b": 0.2}, positions=("last",)))
    assert found["normalised_iia"] == pytest.approx((0.7 - 0.3) / (1 - 0.3))


def test_what_cannot_be_computed_says_why():
    metrics = variable_metrics(variable_tables({"a": [[0.5]]}, {"a": 0.0}, positions=("last",)), resamples=20)
    assert "must stay" in metrics["isolate"].reason
    assert metrics["disentangle"].reason == metrics["isolate"].reason
    assert "linear target" in metrics["explained_variance"].reason
    assert "--extra control-weights" in metrics["control_weights"].reason
    kept = variable_tables({"a": [[0.5]]}, {"a": 1.0}, isolate=["a"], positions=("last",))
    assert "no row's answer is changed" in variable_metrics(kept, resamples=20)["normalised_iia"].reason
    full = variable_tables({"a": [[0.5]]}, {"a": 1.0}, positions=("last",))
    assert "already right" in variable_metrics(full, resamples=20)["normalised_iia"].reason
    assert variable_metrics(full, resamples=20)["cause"].value == 0.5


def test_one_row_gives_a_number_without_an_interval():
    one = variable_metrics(variable_tables({"a": [[1.0]]}, {"a": 0.0}, n=1, positions=("last",)))["iia_highest"]
    assert (one.value, one.ci_low) == (1.0, None)
    assert "cannot be resampled" in one.ci_reason


def plain_twin(tables):
    """MIB's two numbers, and the normalised ones, by pandas alone."""
    joined = tables.examples.assign(correct=tables.examples["correct"].astype(float))
    u = joined.groupby(["layer", "position", "set"])["correct"].mean().groupby(["layer", "position"]).mean()
    best = u.groupby("layer").max()
    chosen = tables.selection.loc[tables.selection["chosen"], "group"].iloc[0]
    cause = joined[joined["cause"]]
    c = cause[cause["group"] == chosen].groupby("set")["correct"].mean().mean()
    idle = tables.noop[tables.noop["cause"]].groupby("set")["correct"].mean().mean()
    return best.mean(), best.max(), (c - idle) / (1 - idle)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 3), st.integers(3, 25))
def test_numbers_are_those_of_a_plain_computation(seed, depth, width, n):
    rng = np.random.default_rng(seed)
    names = ("mixed", "a", "b")
    shares = {name: rng.random((depth, width)) for name in names}
    idle = dict(zip(names, rng.random(3) * 0.9, strict=True))
    tables = variable_tables(shares, idle, n=n, positions=("x", "y", "z")[:width], draw=seed)
    found = values(tables, resamples=2)
    expected = plain_twin(tables)
    own = (found["iia_average"], found["iia_highest"], found["normalised_iia"])
    assert own == pytest.approx(expected, nan_ok=True)


def test_the_order_of_rows_changes_nothing_and_the_seed_only_intervals():
    tables = three(draw=3, n=47)
    shuffled = tables._replace(
        examples=tables.examples.sample(frac=1, random_state=1), noop=tables.noop.sample(frac=1, random_state=2)
    )
    assert variable_metrics(shuffled, resamples=100) == variable_metrics(tables, resamples=100)
    one, two = (variable_metrics(tables, seed=seed, resamples=100)["normalised_iia"] for seed in (0, 1))
    assert one.value == two.value
    assert (one.ci_low, one.ci_high) != (two.ci_low, two.ci_high)


def test_the_interval_has_the_width_of_a_stratified_share():
    one = variable_metrics(variable_tables({"a": [[0.5]], "b": [[0.2]]}, {"a": 0, "b": 0}, n=400, positions=("p",)))
    half = 1.96 * np.sqrt(0.25 / 400 + 0.16 / 400) / 2
    found = one["normalised_iia"]
    assert (found.ci_high - found.ci_low) / 2 == pytest.approx(half, rel=0.1)


# --- linear targets


ERRORS = {
    "x": {"7.1": 2.0, "8.1": 1.5, "joint": 1.0, "noop": 3.0},
    "y": {"7.1": 1.0, "8.1": 2.5, "joint": 0.5, "noop": 4.0},
}


def test_heads_that_go_together_are_one_unit_of_mibs_error():
    found = values(linear_tables(ERRORS))
    assert found["mse_average"] == pytest.approx((1 + 0.25) / 2)
    assert found["mse_lowest"] == found["mse_average"]
    assert found["iia_average"] is None


def test_heads_by_themselves_are_compared_within_their_layer():
    alone = {name: {key: error for key, error in by.items() if key != "joint"} for name, by in ERRORS.items()}
    metrics = variable_metrics(linear_tables(alone), resamples=20)
    assert metrics["mse_lowest"].value == pytest.approx((4 + 1) / 2)
    assert "10 of 12 layers" in metrics["mse_average"].reason
    assert "together" in metrics["explained_variance_joint"].reason


def test_explained_variance_is_that_of_the_pooled_rows():
    metrics = variable_metrics(linear_tables(ERRORS, target_scale=2.0), resamples=100)
    assert metrics["explained_variance"].value == pytest.approx(1 - 0.625 / 4)
    assert metrics["explained_variance_joint"].value == pytest.approx(1 - 0.625 / 4)
    assert metrics["explained_variance_single"].value == pytest.approx(1 - 2.5 / 4)
    assert metrics["explained_variance"].floor == pytest.approx(1 - 12.5 / 4)
    assert metrics["mse_average"].floor == pytest.approx(12.5)


def test_a_constant_target_leaves_no_variance_to_explain():
    found = variable_metrics(linear_tables(ERRORS, target_scale=0.0), resamples=20)["explained_variance"]
    assert "same in every row" in found.reason


# --- controls and pairs


def test_selectivity_is_what_is_left_when_the_best_control_is_taken_off():
    tables = three()
    weak = three(draw=1).examples.assign(correct=False, noop=False)
    strong = variable_tables({"answer": [[0.6, 0.1]], "both": [[0.4, 0.1]]}, {"answer": 0, "both": 0}).examples
    strong = strong.assign(noop=False)
    found = values(tables._replace(extras={CONTROL_WEIGHTS: weak, CONTROL_LABELS: strong}))
    assert (found["control_weights"], found["control_labels"]) == (0.0, pytest.approx(0.5))
    assert found["selectivity"] == pytest.approx(found["normalised_iia"] - 0.5)
    alone = values(tables._replace(extras={CONTROL_WEIGHTS: weak}))
    assert alone["selectivity"] == pytest.approx(alone["normalised_iia"])


def test_a_control_is_scaled_by_what_doing_nothing_gives_in_it():
    tables = three()
    half = variable_tables({"answer": [[0.5, 0.5]]}, {"answer": 0}).examples
    idle = half.assign(noop=half["correct"])
    assert values(tables._replace(extras={CONTROL_LABELS: idle}))["control_labels"] == pytest.approx(0.0)
    assert values(tables._replace(extras={CONTROL_LABELS: half.assign(noop=False)}))["control_labels"] == 0.5


def test_of_equal_sites_the_first_of_the_selection_counts_whatever_their_names():
    tables = variable_tables({"answer": [[0.2, 0.9]]}, {"answer": 0}, positions=("z", "b"), scores=[[1, 1]])
    found = values(tables)
    assert found["normalised_average"] == found["normalised_iia"] == pytest.approx(0.2)


def test_rows_that_ask_for_something_else_are_not_compared():
    tables, other = three(), three()
    noop = other.noop.assign(cause=~other.noop["cause"].astype(bool))
    examples = other.examples.assign(cause=~other.examples["cause"].astype(bool))
    with pytest.raises(DataError, match="cannot be compared"):
        compare_variables(tables, other._replace(noop=noop, examples=examples), resamples=10)
    near, far = (linear_tables(ERRORS, target_scale=scale) for scale in (1.0, 2.0))
    with pytest.raises(DataError, match="cannot be compared"):
        compare_variables(near, far, resamples=10)


def test_a_pair_of_equals_differs_by_nothing_and_a_better_one_is_found():
    tables, worse = three(draw=1), variable_tables(THREE, IDLE, isolate=["stays"], scores=[[1, 0], [0, 0], [0, 0]])
    same = compare_variables(tables, tables, resamples=100)["normalised_iia"]
    assert (same.difference, same.ci_low, same.ci_high, same.verdict) == (0.0, 0.0, 0.0, "tie")
    found = compare_variables(tables, worse, resamples=200)
    assert found["normalised_iia"].verdict == "better"
    assert found["normalised_iia"].difference == pytest.approx(0.8 - 0.2)
    assert found["isolate"].verdict in {"worse", "tie"}
    assert "linear target" in found["mse_average"].reason


def test_pairs_are_compared_on_the_rows_that_they_share():
    many, few = variable_tables(THREE, IDLE, n=20), variable_tables(THREE, IDLE, n=10)
    found = compare_variables(many, few, resamples=50)["iia_set:answer"]
    # Of the first ten rows of the larger one all are right that fit into 0.9 · 20.
    assert found.difference == pytest.approx(1.0 - 0.9)


def test_pairs_without_shared_rows_are_refused():
    other = variable_tables({"elsewhere": THREE["both"]}, {"elsewhere": 0.0})
    with pytest.raises(DataError, match="cannot be compared"):
        compare_variables(three(), other)
