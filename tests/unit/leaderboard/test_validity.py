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


def test_a_score_in_the_order_of_the_truth_has_rho_1_whichever_side_is_better():
    out = found(ground("t", "m", TRUTH, cpr=[1, 2, 3, 4, 5], cmd=[0.5, 0.4, 0.3, 0.2, 0.1], overshoot_signed=TRUTH))
    assert out["cpr"].value == pytest.approx(1)
    assert out["cmd"].value == pytest.approx(1)
    assert out["overshoot_signed"].value == pytest.approx(-1)


def test_rho_is_that_of_scipy_and_grounds_are_averaged():
    scores = [2, 1, 3, 5, 4]
    out = found(ground("t", "m", TRUTH, cpr=scores), ground("u", "n", TRUTH, cpr=scores[::-1]))
    each = [spearmanr(TRUTH, scores).statistic, spearmanr(TRUTH, scores[::-1]).statistic]
    assert out["cpr"].value == pytest.approx(np.mean(each))
    assert out["cpr"].n == 2


def test_the_interval_resamples_programs_and_needs_two_of_them():
    same = ground("t", "m", TRUTH, cpr=TRUTH) + ground("t", "n", TRUTH, cpr=TRUTH)
    alone = found(same)["cpr"]
    assert (alone.ci_low, alone.verdict) == (None, "not known")
    both = found(same, ground("u", "m", TRUTH, cpr=TRUTH[::-1]))["cpr"]
    assert (both.ci_low, both.ci_high) == (pytest.approx(-1), pytest.approx(1))
    assert both.verdict == "does not track the truth"


def test_a_score_that_is_the_same_for_all_says_nothing():
    out = found(ground("t", "m", TRUTH, cpr=[1] * 5, cmd=[1, 2, 3, None, None]))
    assert out["cpr"].value is None
    assert out["cmd"].grounds[0].n == 3
    assert out["cmd"].value is None


def test_the_known_truth_itself_is_no_method():
    control = [entry("t", "m", "known-truth", auroc=1.0, cpr=-5.0)]
    assert found(ground("t", "m", TRUTH, cpr=TRUTH), control)["cpr"].value == pytest.approx(1)


def test_without_a_truth_there_is_nothing_to_validate():
    with pytest.raises(DataError, match="nothing to validate"):
        found([entry("t", "m", f"m{place}", cpr=1.0) for place in range(9)])


def test_pairs_whose_truths_are_close_are_not_asked_about():
    out = found(ground("t", "m", [0.5, 0.7, 0.8, 0.995, 1.0], cpr=[1, 2, 3, 5, 4], cmd=[0.1] * 5))
    assert out["cpr"].concordance == 1
    assert out["cpr"].value < 1
    assert out["cmd"].concordance == 0.5
    assert found(ground("t", "m", [0.991, 0.992, 0.993, 0.994, 1.0], cpr=TRUTH))["cpr"].concordance is None
