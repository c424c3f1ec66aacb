"""The metrics of k-sparse probing from a table of scores: values, gaps, ends and reasons."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mibench.core.errors import DataError
from mibench.metrics.bootstrap import Resampling
from mibench.metrics.sae.clustered import ScoredSet
from mibench.metrics.sae.probe_tables import DENSE, FROZEN, LATENTS, RAW, long_table, read_scores, set_table
from mibench.metrics.sae.probing import NO_BEST_EPOCH, probing_metrics, saebench_metrics

PROBES = ((LATENTS, 1), (LATENTS, 2), (RAW, 1), (RAW, 2), (DENSE, 0), (FROZEN, 1), (FROZEN, 2))
SHARES = {"a": (0.8, 0.9, 0.7, 0.8, 1.0, 0.6, 0.6), "b": (0.6, 0.8, 0.6, 0.6, 0.9, 0.5, 0.6)}
FAST = Resampling(resamples=200)


def table(probes: tuple[tuple[str, int], ...] = PROBES, source_of_b: str = "y") -> pd.DataFrame:
    """Probes that are right with exactly these shares of either label."""
    labels = np.arange(40) % 2 == 0
    sets = []
    for name, source in (("a", "x"), ("b", source_of_b)):
        right = [(np.arange(40) // 2) < SHARES[name][PROBES.index(probe)] * 20 for probe in probes]
        sets.append(ScoredSet(name, source, labels, np.where(labels[:, None] == np.stack(right, 1), 1.0, -1.0)))
    return long_table(sets, probes)


def test_values_and_gaps_are_means_over_sets() -> None:
    found = probing_metrics(table(), (1, 2), FAST)
    wanted = {
        "probe_accuracy_k1": 0.7,
        "probe_accuracy_k2": 0.85,
        "probe_gap_raw_k1": 0.05,
        "probe_gap_raw_k2": 0.15,
        "probe_gap_frozen_k1": 0.15,
        "probe_gap_frozen_k2": 0.25,
        "probe_gap_dense": -0.1,
        "probe_auc_k1": 0.7,
    }
    assert {name: found[name].value for name in wanted} == pytest.approx(wanted)
    assert found["probe_accuracy_k2"].floor == pytest.approx(0.6)
    assert found["probe_accuracy_k2"].ceiling == pytest.approx(0.95)
    assert found["probe_accuracy_k2_normalised"].value == pytest.approx((0.85 - 0.6) / (0.95 - 0.6))


def test_every_number_has_an_interval_around_it_and_says_what_was_resampled() -> None:
    for one in probing_metrics(table(), (1, 2), FAST).values():
        assert one.ci_low is not None
        assert one.ci_high is not None
        assert one.value is not None
        assert one.ci_low <= one.value + 0.1
        assert one.ci_high >= one.value - 0.1
        assert (one.ci_source, one.n) == ("sources", 2)


def test_n_counts_sources_of_which_two_have_three_sets() -> None:
    labels = np.arange(40) % 2 == 0
    scores = np.where(np.stack([labels] * 3, 1), 1.0, -1.0)
    sets = [ScoredSet(name, source, labels, scores) for name, source in (("a", "x"), ("b", "x"), ("c", "y"))]
    found = probing_metrics(long_table(sets, ((LATENTS, 1), (RAW, 1), (DENSE, 0))), (1,), FAST)["probe_accuracy_k1"]
    assert (found.ci_source, found.n) == ("sources", 2)


def test_without_a_frozen_decoder_its_gap_is_null_and_the_floor_is_chance() -> None:
    found = probing_metrics(table(PROBES[:5]), (1, 2), FAST, no_frozen="none was trained")
    assert (found["probe_gap_frozen_k1"].value, found["probe_gap_frozen_k1"].reason) == (None, "none was trained")
    assert found["probe_accuracy_k1"].floor == 0.5
    assert found["probe_auc_k1"].floor == 0.5


def test_sets_of_one_source_have_no_interval() -> None:
    found = probing_metrics(table(source_of_b="x"), (1,), FAST)["probe_accuracy_k1"]
    assert found.value == pytest.approx(0.7)
    assert found.ci_low is None
    assert "one source" in str(found.ci_reason)


def test_saebench_has_its_own_names_and_leaves_out_what_it_picks_on_test() -> None:
    found = saebench_metrics(table(PROBES[:4]), (1, 2), FAST)
    assert found["sae_top_1_test_accuracy"].value == pytest.approx(0.7)
    assert found["llm_top_2_test_accuracy"].value == pytest.approx(0.7)
    assert found["llm_top_2_test_accuracy"].higher_is_better is None
    assert found["sae_test_accuracy"].value is None
    assert found["llm_test_accuracy"].reason == NO_BEST_EPOCH


def test_the_order_of_the_table_does_not_matter() -> None:
    one = probing_metrics(table(), (1, 2), FAST)
    mixed = table().sample(frac=1.0, random_state=0).reset_index(drop=True)
    assert {name: value.value for name, value in probing_metrics(mixed, (1, 2), FAST).items()} == {
        name: value.value for name, value in one.items()
    }


def test_the_table_of_sets_says_what_each_probe_came_to() -> None:
    scores = read_scores(table())
    found = set_table(scores, {("a", (LATENTS, 1)): {"columns": "7"}})
    row = found[(found["set"] == "a") & (found["features"] == LATENTS) & (found["k"] == 1)].iloc[0]
    assert (row["accuracy"], row["n"], row["columns"]) == (pytest.approx(0.8), 40, "7")
    assert len(found) == 2 * len(PROBES)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda one: one.drop(columns="score"),
        lambda one: one.iloc[:0],
        lambda one: pd.concat([one, one.iloc[:1]]),
        lambda one: one.iloc[1:],
        lambda one: one.assign(score=np.where(one.index == 3, np.nan, one["score"])),
        lambda one: one.assign(label=True),
        lambda one: one.assign(label=one["label"] ^ (one.index == 5)),
        lambda one: one.assign(source=np.where(one.index == 5, "z", one["source"])),
    ],
)
def test_a_table_that_does_not_fit_together_is_refused(spoil) -> None:
    with pytest.raises(DataError):
        probing_metrics(spoil(table()), (1, 2), FAST)
