"""Metrics of causal disentanglement on tables with known answers, and against loops."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mibench.core.errors import DataError
from mibench.metrics.bootstrap import Resampling
from mibench.metrics.metric import METRICS
from mibench.metrics.sae import causal_report
from mibench.metrics.sae.causal_report import NO_ORACLE, causal_metrics, saebench_metrics
from mibench.metrics.sae.causal_tables import INTERVENTIONS, disentangled, read_examples

FEW = Resampling(seed=3, resamples=100)


def tables(rows: int = 48, clusters: int = 8, seed: int = 0, **fixed: float) -> dict[str, pd.DataFrame]:
    """Two variables, half of the rows cause rows, answers at random except where ``fixed``."""
    rng = np.random.default_rng(seed)
    place = np.arange(rows)
    frames = []
    for variable in ("x", "y"):
        frame = pd.DataFrame({"variable": variable, "set": "s", "example": place.astype(str)})
        frame = frame.assign(cluster=[f"c{one}" for one in place % clusters], cause=rng.random(rows) < 0.5)
        answers = {name: rng.integers(2, size=rows).astype(float) for name in INTERVENTIONS}
        answers["noop"] = (~frame["cause"]).astype(float).to_numpy()
        frames.append(frame.assign(**answers | fixed))
    examples = pd.concat(frames, ignore_index=True)
    fidelity = examples[examples["variable"] == "x"][["set", "example", "cluster"]]
    fidelity = fidelity.assign(squared_error=rng.random(rows), squared_distance=1 + rng.random(rows))
    swapped = pd.DataFrame({"variable": ["x", "x", "y"], "rank": [0, 1, 0], "latent": [4, 2, 4]})
    return {"examples": examples, "fidelity": fidelity, "swapped": swapped}


def naive(frame: pd.DataFrame, column: str, kind: str) -> float:
    """Mean over variables of the share of right answers, by loops."""
    found = []
    for variable in ("x", "y"):
        right = [
            row[column]
            for _, row in frame.iterrows()
            if row["variable"] == variable and row["cause"] == (kind == "cause")
        ]
        found.append(sum(right) / len(right))
    return sum(found) / 2


def both(frame: pd.DataFrame, column: str) -> float:
    return (naive(frame, column, "cause") + naive(frame, column, "isolate")) / 2


def test_every_number_is_what_loops_give() -> None:
    made = tables()
    frame, found = made["examples"], causal_metrics(made, FEW)
    expected = {
        "cause_err": naive(frame, "correct", "cause"),
        "isolate_err": naive(frame, "correct", "isolate"),
        "disentangle_err": both(frame, "correct"),
        "disentangle_no_error": both(frame, "no_error"),
        "cause_all_latents": naive(frame, "all_latents", "cause"),
        "disentangle_random_latents": both(frame, "random_latents"),
        "disentangle_gap_random": both(frame, "correct") - both(frame, "random_latents"),
        "disentangle_gap_oracle": both(frame, "correct") - both(frame, "oracle"),
        "disentangle_oracle": both(frame, "oracle"),
        "disentangle_random_subspace": both(frame, "random_subspace"),
        "disentangle_noop": 0.5,
        "latents_swapped": 1.5,
        "explained_variance_rows": 1
        - made["fidelity"]["squared_error"].sum() / made["fidelity"]["squared_distance"].sum(),
    }
    for name, value in expected.items():
        assert found[name].value == pytest.approx(value, abs=1e-12), name
    assert found["cause_err"].floor == 0
    assert found["isolate_err"].ceiling == 1
    assert found["isolate_err"].floor == pytest.approx(naive(frame, "full_vector", "isolate"))


def test_numbers_of_one_variable_are_from_its_rows() -> None:
    made = tables()
    found = causal_metrics(made, FEW)
    frame = made["examples"][made["examples"]["variable"] == "y"]
    rates = frame.groupby("cause")["correct"].mean()
    assert found["cause_err:y"].value == pytest.approx(rates[True])
    assert found["isolate_err:y"].value == pytest.approx(rates[False])
    assert found["disentangle_err:y"].value == pytest.approx(rates.mean())
    assert found["disentangle_err:x"].value != found["disentangle_err:y"].value


def test_floor_and_ceiling_make_the_scale() -> None:
    found = causal_metrics(tables(oracle=1.0, random_latents=0.0), FEW)
    value = found["disentangle_err"].value
    assert value is not None
    assert (found["disentangle_err"].floor, found["disentangle_err"].ceiling) == (0.5, 1.0)
    assert found["disentangle_err_normalised"].value == pytest.approx((value - 0.5) / 0.5)


def test_random_latents_that_do_better_than_nothing_are_the_floor() -> None:
    found = causal_metrics(tables(oracle=1.0, random_latents=0.75), FEW)
    assert found["disentangle_err"].floor == 0.75


def test_an_oracle_that_is_no_better_than_the_floor_makes_no_scale() -> None:
    found = causal_metrics(tables(oracle=0.0), FEW)
    assert found["disentangle_err"].ceiling is None
    assert found["disentangle_err_normalised"].value is None
    assert found["disentangle_err_normalised"].reason == NO_ORACLE
    assert found["disentangle_oracle"].value == 0


@pytest.mark.parametrize("kind", ["cause", "isolate"])
def test_rows_of_one_kind_only_leave_the_other_null_with_the_reason(kind: str) -> None:
    made = tables()
    frame = made["examples"]
    found = causal_metrics(made | {"examples": frame[frame["cause"] == (kind == "cause")]}, FEW)
    other = "isolate" if kind == "cause" else "cause"
    assert found[f"{kind}_err"].value is not None
    for name in (f"{other}_err", "disentangle_err", "disentangle_err_normalised", f"{other}_err:x"):
        assert found[name].value is None
        assert other in (found[name].reason or "")


def test_entities_are_resampled_with_all_their_rows_of_both_variables() -> None:
    """Against a bootstrap that copies rows of drawn entities and averages the copies."""
    made = tables(rows=24, clusters=5)
    frame = made["examples"]
    found = causal_metrics(made, FEW)["disentangle_err"]
    generator = np.random.Generator(np.random.PCG64(FEW.seed))
    by_name = dict(tuple(frame[["variable", "cause", "cluster", "correct"]].groupby("cluster")))
    names = sorted(by_name)
    replicates = []
    for draw in generator.integers(5, size=(FEW.resamples, 5)):
        copies = pd.concat([by_name[names[place]] for place in draw])
        rates = copies.groupby(["variable", "cause"])["correct"].mean()
        replicates.append(rates.mean() if len(rates) == 4 else np.nan)
    low, high = np.nanquantile(replicates, [0.025, 0.975])
    assert (found.ci_low, found.ci_high) == pytest.approx((low, high))
    assert (found.n, found.ci_source) == (5, "entities")


def test_an_interval_of_one_entity_is_refused() -> None:
    found = causal_metrics(tables(clusters=1), FEW)["disentangle_err"]
    assert found.ci_low is None
    assert "cannot be resampled" in (found.ci_reason or "")


def test_a_paired_gap_is_narrower_than_its_parts() -> None:
    made = tables(rows=200, clusters=40)
    made["examples"]["random_latents"] = made["examples"]["correct"] * 0.9
    found = causal_metrics(made, FEW)

    def width(name: str) -> float:
        low, high = found[name].ci_low, found[name].ci_high
        assert low is not None
        assert high is not None
        return high - low

    assert width("disentangle_gap_random") < width("disentangle_err") / 2


def test_saebench_s_numbers_are_those_without_the_error_term() -> None:
    made = tables()
    found = saebench_metrics(made, FEW)
    frame = made["examples"]
    assert found["cause_score"].value == pytest.approx(naive(frame, "no_error", "cause"))
    assert found["isolation_score"].value == pytest.approx(naive(frame, "no_error", "isolate"))
    assert found["disentanglement_score"].value == pytest.approx(both(frame, "no_error"))


def test_every_number_of_the_family_is_a_registered_metric_of_the_track() -> None:
    declared = {name: component.metadata for name, component in METRICS.components.items()}
    for one in (*causal_report.OWN, *causal_report.SAEBENCH):
        assert declared[one.name]["track"] == "sae"


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000))
def test_numbers_do_not_depend_on_the_order_of_rows(seed: int) -> None:
    made = tables(seed=seed)
    shuffled = made["examples"].sample(frac=1, random_state=seed).sort_values("variable", kind="stable")
    assert _numbers(made) == pytest.approx(_numbers(made | {"examples": shuffled}), abs=1e-12)


def _numbers(made: Mapping[str, pd.DataFrame]) -> list[float | None]:
    found = causal_metrics(made, FEW)
    return [part for name in sorted(found) for part in (found[name].value, found[name].ci_low, found[name].ci_high)]


def test_tables_that_contradict_themselves_are_refused() -> None:
    frame = tables()["examples"]
    wrong = {
        "no column oracle": frame.drop(columns="oracle"),
        "twice": pd.concat([frame, frame.iloc[:1]]),
        "from 0 to 1": frame.assign(correct=1.5),
        "gaps": frame.assign(noop=np.nan),
        "empty": frame.iloc[:0],
    }
    for why, table in wrong.items():
        with pytest.raises(DataError) as told:
            read_examples(table)
        assert why in str(told.value)


def test_disentangled_is_the_mean_of_both_kinds_or_the_one_there_is() -> None:
    right = np.array([[True, True, False, False], [True, False, True, True]])
    cause = np.array([True, True, True, False])
    assert disentangled(right, cause).tolist() == pytest.approx([(2 / 3 + 0) / 2, (2 / 3 + 1) / 2])
    assert disentangled(right, np.ones(4, dtype=bool)).tolist() == [0.5, 0.75]
