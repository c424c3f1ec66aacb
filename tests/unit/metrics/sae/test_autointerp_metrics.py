"""From what a judge said to numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mibench.core.errors import DataError
from mibench.metrics.sae.autointerp import JUDGEMENTS, WINDOWS, autointerp_metrics, without_judge


def tables(latents, *, status=None):
    """``latents``: for each, its windows as (active, answer)."""
    status = status or ["read"] * len(latents)
    rows = [
        {"latent": 7 * number, "role": "detect", "active": active, "answer": answer}
        for number, windows in enumerate(latents)
        for active, answer in windows
    ]
    rows += [
        {"latent": 7 * number, "role": "explain", "active": True, "answer": np.nan} for number in range(len(latents))
    ]
    judgements = pd.DataFrame({"latent": [7 * number for number in range(len(latents))], "status": status})
    return {JUDGEMENTS: judgements, WINDOWS: pd.DataFrame(rows)}


TRUTH = [True] * 3 + [False] * 3


def value(found, name="balanced_accuracy"):
    return found[f"autointerp_{name}"].value


@pytest.mark.parametrize("constant", [0.0, 1.0])
def test_a_judge_that_always_says_the_same_gets_one_half_exactly(constant):
    found = autointerp_metrics(tables([[(one, constant) for one in TRUTH]] * 5))
    assert value(found) == 0.5
    assert value(found, "balanced_accuracy_normalised") == 0.0
    assert (value(found, "true_positives"), value(found, "true_negatives")) == (constant, 1 - constant)
    assert found["autointerp_balanced_accuracy"].floor == 0.5


def test_a_judge_that_is_right_gets_one_and_one_that_is_wrong_nothing():
    right = autointerp_metrics(tables([[(one, float(one)) for one in TRUTH]] * 5))
    wrong = autointerp_metrics(tables([[(one, float(not one)) for one in TRUTH]] * 5))
    assert (value(right), value(wrong)) == (1.0, 0.0)
    assert value(right, "balanced_accuracy_normalised") == 1.0
    assert value(right, "unread") == value(right, "left_out") == 0.0


def test_accuracy_is_balanced_and_a_mean_over_latents():
    lopsided = [(True, 1.0), *[(False, 1.0)] * 9, (False, 0.0)]
    found = autointerp_metrics(tables([lopsided, [(one, float(one)) for one in TRUTH]]))
    assert value(found) == pytest.approx(((1 + 0.1) / 2 + 1) / 2)
    assert found["autointerp_balanced_accuracy"].n == 2
    assert found["autointerp_balanced_accuracy"].ci_source == "latents"


def test_what_was_not_read_counts_as_chance_and_is_reported():
    perfect, nothing = [(one, float(one)) for one in TRUTH], [(one, np.nan) for one in TRUTH]
    status = ["read", "unreadable", "no answer", "too few windows"]
    found = autointerp_metrics(tables([perfect, nothing, nothing, []], status=status))
    assert value(found) == pytest.approx((1 + 0.5 + 0.5) / 3)
    assert value(found, "unread") == pytest.approx(2 / 3)
    assert value(found, "left_out") == 0.25
    assert value(found, "true_positives") == 1.0
    assert found["autointerp_true_positives"].n == 1


def test_without_anything_read_there_is_no_number():
    nothing = [[(one, np.nan) for one in TRUTH]] * 2
    found = autointerp_metrics(tables(nothing, status=["unreadable"] * 2))
    assert "could be read" in found["autointerp_balanced_accuracy"].reason
    assert value(found, "unread") == 1.0
    found = autointerp_metrics(tables([[], []], status=["too few windows"] * 2))
    assert "held-out windows" in found["autointerp_balanced_accuracy"].reason
    assert value(found, "unread") is None
    assert value(found, "left_out") == 1.0
    found = autointerp_metrics(tables([[(one, 1.0) for one in TRUTH]]))
    assert found["autointerp_balanced_accuracy"].ci_reason == "1 example cannot be resampled"


def test_without_a_judge_every_number_is_null_with_the_same_reason():
    found = without_judge("no judge is given")
    assert found.keys() == autointerp_metrics(tables([[(one, 1.0) for one in TRUTH]] * 3)).keys()
    assert {(one.value, one.reason) for one in found.values()} == {(None, "no judge is given")}


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_latents_and_windows_may_come_in_any_order(seed):
    rng = np.random.default_rng(seed)
    made = tables([[(one, float(rng.random() < 0.6)) for one in TRUTH] for _ in range(6)])
    shuffled = {name: table.sample(frac=1, random_state=seed) for name, table in made.items()}
    one, other = autointerp_metrics(made), autointerp_metrics(shuffled)
    assert value(one) == pytest.approx(value(other), abs=1e-12)
    assert 0 <= value(one) <= 1


def test_tables_that_cannot_be_are_refused():
    made = tables([[(one, 1.0) for one in TRUTH]])
    with pytest.raises(DataError, match="cannot be read"):
        autointerp_metrics(made | {WINDOWS: made[WINDOWS].drop(columns="answer")})
    with pytest.raises(DataError) as caught:
        autointerp_metrics(made | {JUDGEMENTS: made[JUDGEMENTS].assign(status="guessed")})
    assert "unknown status" in caught.value.why
    with pytest.raises(DataError) as caught:
        autointerp_metrics(tables([[(True, 1.0)]]))
    assert "lacks decisions" in caught.value.why
