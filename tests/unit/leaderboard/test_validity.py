from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from mibench.core.errors import DataError
from mibench.core.specs import Cell, Level, MethodRef, ModelRef, TaskRef, Track
from mibench.leaderboard.rows import Entry, make_groups
from mibench.leaderboard.validity import validities
from mibench.records.record import MetricValue, RunRecord
from mibench.records.store import Store

STORE = Store(Path("nowhere"))


def entry(task: str, model: str, method: str, **values: float | None) -> Entry:
    cell = Cell(
        track=Track.CIRCUIT,
        level=Level.EDGE,
        task=TaskRef(name=task, version=1, split="test", digest="a"),
        model=ModelRef(name=model, digest="b"),
        method=MethodRef(name=method),
    )
    metrics = {
        name: MetricValue(value=value, reason=None if value is not None else "undefined")
        for name, value in values.items()
    }
    return Entry(RunRecord(cell=cell, status="ok", metrics=metrics), STORE)


def ground(task: str, model: str, truth, **scores):
    return [
        entry(task, model, f"m{place}", auroc=value, **{name: column[place] for name, column in scores.items()})
        for place, value in enumerate(truth)
    ]


def found(*grounds):
    every = validities(make_groups([entry for part in grounds for entry in part]))
    return {one.score: one for one in every if one.truth == "auroc"}


TRUTH = [0.5, 0.6, 0.7, 0.8, 0.9]
IOI, IOI_LLAMA = ("planted-ioi", "planted-ioi-gpt2"), ("planted-ioi", "planted-ioi-llama")
IOI_FLIP = ("planted-ioi-s2-io-flip", "planted-ioi-gpt2")
CARRY = ("planted-carry", "planted-carry-gpt2")


def test_a_score_in_the_order_of_the_truth_is_right_in_all_pairs_whichever_side_is_better():
    out = found(ground(*IOI, TRUTH, cpr=[1, 2, 3, 4, 5], cmd=[0.5, 0.4, 0.3, 0.2, 0.1], area_signed=TRUTH[::-1]))
    assert [out[name].rho.value for name in ("cpr", "cmd", "area_signed")] == pytest.approx([1, 1, -1])
    assert [out[name].pairs.value for name in ("cpr", "cmd", "area_signed")] == [1, 1, 0]


def test_diagnostics_and_numbers_of_the_truth_are_no_scores():
    out = found(ground(*IOI, TRUTH, cpr=TRUTH, overshoot_signed=TRUTH, auroc_signed=TRUTH, accuracy_full=TRUTH))
    assert list(out) == ["cpr"]


def test_rho_is_that_of_scipy_and_grounds_are_averaged():
    scores = [2, 1, 3, 5, 4]
    out = found(ground(*IOI, TRUTH, cpr=scores), ground(*CARRY, TRUTH, cpr=scores[::-1]))
    each = [spearmanr(TRUTH, scores).statistic, spearmanr(TRUTH, scores[::-1]).statistic]
    assert out["cpr"].rho.value == pytest.approx(np.mean(each))
    assert len(out["cpr"].used) == 2


def test_the_interval_resamples_programs_whatever_their_models_and_sets_and_needs_two():
    same = [
        *ground(*IOI, TRUTH, cpr=TRUTH),
        *ground(*IOI_LLAMA, TRUTH, cpr=TRUTH),
        *ground(*IOI_FLIP, TRUTH, cpr=TRUTH),
    ]
    alone = found(same)["cpr"]
    assert (alone.pairs.value, alone.pairs.low, alone.verdict) == (1, None, "not known")
    both = found(same, ground(*CARRY, TRUTH, cpr=TRUTH[::-1]))["cpr"]
    assert (both.pairs.low, both.pairs.high, both.rho.low) == pytest.approx((0, 1, -1))
    assert both.verdict == "not shown to track the truth"
    assert found(same, ground(*CARRY, TRUTH, cpr=TRUTH))["cpr"].verdict == "tracks the truth"


def test_a_score_that_is_the_same_for_all_is_right_in_half_of_the_pairs():
    out = found(ground(*IOI, TRUTH, cpr=[1] * 5, cmd=[1, 2, 3, None, None]))
    assert (out["cpr"].rho.value, out["cpr"].pairs.value) == (None, 0.5)
    assert out["cmd"].grounds[0].n == 3
    assert (out["cmd"].rho.value, out["cmd"].pairs.value) == (None, None)


@pytest.mark.parametrize("name", ["known-truth", "random"])
def test_controls_are_no_methods(name):
    control = [entry(*IOI, name, auroc=1.0, cpr=-5.0)]
    assert found(ground(*IOI, TRUTH, cpr=TRUTH), control)["cpr"].pairs.value == 1


@pytest.mark.parametrize("where", [("t", "local:mine"), IOI])
def test_without_a_truth_that_is_ours_there_is_nothing_to_validate(where):
    values = {} if where == IOI else {"auroc": 0.5}
    with pytest.raises(DataError, match="nothing to validate"):
        found([entry(*where, f"m{place}", cpr=1.0, **values) for place in range(9)])


def test_truths_that_are_nearly_equal_are_not_asked_about():
    out = found(ground(*IOI, [0.5, 0.7, 0.8, 0.996, 1.0], cpr=[1, 2, 3, 5, 4]))
    assert out["cpr"].pairs.value == 1
    assert found(ground(*IOI, [0.996, 0.997, 0.998, 0.999, 1.0], cpr=TRUTH))["cpr"].pairs.value is None
