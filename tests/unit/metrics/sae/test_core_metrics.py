"""Metrics of the core family from tables: known answers, intervals, and what cannot be computed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mibench.core.errors import DataError
from mibench.metrics.bootstrap import Resampling, resampled_means
from mibench.metrics.sae import core
from mibench.metrics.sae.context_means import ContextMeans, divided, measure
from mibench.metrics.sae.core import core_metrics, latent_metrics
from mibench.metrics.sae.core_tables import CONTEXT_COLUMNS, LATENT_COLUMNS, columns_of, loss_columns
from mibench.metrics.sae.loss_recovered import ce_recovered_zero, kl_recovered_mean
from mibench.metrics.sae.reconstruction import explained_variance_global


def contexts(**changes: list[float]) -> pd.DataFrame:
    """Two contexts of 4 and 6 tokens with 5 entries."""
    columns = {name: [1.0, 1.0] for name in CONTEXT_COLUMNS} | {"tokens": [4, 6], "entries": [20, 30]} | changes
    return pd.DataFrame({"context": [0, 1]} | columns)


def losses(**changes: list[float]) -> pd.DataFrame:
    columns = {name: [1.0, 1.0] for name in loss_columns(("zero", "mean", "resample"))} | {"tokens": [2, 3]}
    return pd.DataFrame({"context": [0, 1]} | columns | changes)


def latents(active: list[int], tokens: int = 1000, **changes: list[float]) -> pd.DataFrame:
    columns = {name: [0.0] * len(active) for name in LATENT_COLUMNS} | {"latent": range(len(active))}
    return pd.DataFrame(columns | {"tokens": tokens, "active": active} | changes)


def value(name: str, **tables: pd.DataFrame) -> float | None:
    given_ = {"contexts": contexts(), "losses": losses(), "latents": latents([1, 2])} | tables
    return core_metrics(given_, resamples=20)[name].value


@pytest.mark.parametrize(
    ("name", "columns", "expected"),
    [
        ("explained_variance_global", {"squared_error": [1, 2], "squared_deviation": [4, 8]}, 0.75),
        ("explained_variance_global", {"squared_error": [6, 18], "squared_deviation": [4, 8]}, -1.0),
        ("fvu", {"squared_error": [1, 2], "squared_deviation": [4, 8]}, 0.25),
        ("mse", {"squared_error": [10, 15]}, 0.5),
        ("cosine", {"cosine": [2, 3]}, 0.5),
        ("shrinkage", {"norm_ratio": [3, 5]}, 0.8),
        ("reconstruction_bias", {"squared_output": [3, 6], "dot": [4, 6]}, 0.9),
        ("l0", {"active": [40, 80]}, 12.0),
        ("l1", {"absolute": [3, 4.5]}, 0.75),
    ],
)
def test_known_answers_of_sums_over_contexts(name: str, columns: dict[str, list[float]], expected: float) -> None:
    assert value(name, contexts=contexts(**columns)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "columns", "expected"),
    [
        ("ce_recovered_zero", {"ce_zero": [5, 5], "ce_clean": [1, 1], "ce": [2, 3]}, 5 / 8),
        ("ce_recovered_mean", {"ce_mean": [5, 5], "ce_clean": [1, 1], "ce": [0, 0]}, 10 / 8),
        ("ce_recovered_resample", {"ce_resample": [5, 5], "ce_clean": [1, 1], "ce": [10, 10]}, -10 / 8),
        ("kl_recovered_zero", {"kl_zero": [4, 4], "kl": [1, 1]}, 0.75),
        ("kl_recovered_mean", {"kl_mean": [4, 4], "kl": [8, 8]}, -1.0),
        ("kl_recovered_resample", {"kl_resample": [4, 4], "kl": [0, 0]}, 1.0),
        ("ce_increase", {"ce": [4, 5], "ce_clean": [2, 2]}, 1.0),
        ("kl_spliced", {"kl": [4, 1]}, 1.0),
    ],
)
def test_known_answers_of_losses(name: str, columns: dict[str, list[float]], expected: float) -> None:
    assert value(name, losses=losses(**columns)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dead", 0.4),
        ("density_over_1_percent", 0.4),
        ("density_over_10_percent", 0.2),
        ("density_median", 0.01),
        ("density_lower_decile", 0.0),
        ("density_upper_decile", 0.58),
    ],
)
def test_known_answers_of_densities(name: str, expected: float) -> None:
    # Exactly 1 % and 10 % are not above; the upper decile lies at 60 % of the way from .1 to .9.
    found = latent_metrics(latents([0, 10, 100, 0, 900]))
    assert found[name].value == pytest.approx(expected)
    assert found[name].n == 1000
    assert found[name].ci_reason


def test_directions_are_averaged_over_the_latents_that_have_them() -> None:
    found = latent_metrics(latents([1, 1, 1], decoder_mean_cosine=[0.1, 0.3, np.nan], decoder_max_cosine=[np.nan] * 3))
    assert found["decoder_mean_cosine"].value == pytest.approx(0.2)
    assert found["decoder_max_cosine"].value is None
    assert found["decoder_max_cosine"].reason


@pytest.mark.parametrize(
    ("name", "tables"),
    [
        ("ce_recovered_zero", {"losses": losses(ce_zero=[1, 1], ce_clean=[1, 1])}),
        ("ce_recovered_zero", {"losses": losses(ce_zero=[1, 1], ce_clean=[2, 2])}),
        ("kl_recovered_mean", {"losses": losses(kl_mean=[0, 0])}),
        ("explained_variance_global", {"contexts": contexts(squared_deviation=[0, 0])}),
        ("fvu", {"contexts": contexts(squared_deviation=[1e-9, 0], squared_target=[1e6, 1e6])}),
        ("reconstruction_bias", {"contexts": contexts(dot=[0, 0])}),
    ],
)
def test_what_has_nothing_to_divide_by_is_null_with_the_reason(name: str, tables: dict[str, pd.DataFrame]) -> None:
    given_ = {"contexts": contexts(), "losses": losses(), "latents": latents([1, 2])} | tables
    found = core_metrics(given_, resamples=20)[name]
    assert found.value is None
    assert found.ci_low is None
    assert "divided" in found.reason


def test_floors_come_from_the_mean_activation_and_from_mean_ablation() -> None:
    tables = {
        "contexts": contexts(squared_deviation=[10, 40]),
        "losses": losses(ce_mean=[6, 6], ce_clean=[1, 1], kl_mean=[5, 5]),
        "latents": latents([1]),
    }
    found = core_metrics(tables, resamples=20)
    assert found["mse"].floor == 1.0
    assert found["ce_increase"].floor == 2.0
    assert found["kl_spliced"].floor == 2.0
    assert (found["fvu"].floor, found["fvu"].ceiling) == (1.0, 0.0)


def test_intervals_are_the_percentiles_of_ratios_of_resampled_sums() -> None:
    rng = np.random.default_rng(0)
    n = 40
    table = pd.DataFrame(dict.fromkeys(CONTEXT_COLUMNS, np.ones(n)))
    table["squared_error"], table["squared_deviation"] = rng.random(n), 2 + rng.random(n)
    found = core_metrics({"contexts": table, "latents": latents([1])}, seed=3, resamples=500)
    drawn = resampled_means(table[["squared_error", "squared_deviation"]].to_numpy(), Resampling(3, 500))
    replicates = 1 - drawn[:, 0] / drawn[:, 1]
    low, high = np.quantile(replicates, [0.025, 0.975])
    one = found["explained_variance_global"]
    assert (one.ci_low, one.ci_high) == (pytest.approx(low), pytest.approx(high))
    assert one.ci_low < one.value < one.ci_high
    assert (one.ci_source, one.n) == ("contexts", n)


def test_one_context_has_a_number_and_no_interval() -> None:
    found = core_metrics({"contexts": contexts()[:1], "latents": latents([1])})["l0"]
    assert found.value == 0.25
    assert found.ci_low is None
    assert "resampled" in found.ci_reason


def test_losses_that_were_left_out_are_null() -> None:
    found = core_metrics({"contexts": contexts(), "latents": latents([1])}, resamples=20)
    assert all(found[one.name].value is None and found[one.name].reason for one in core.OF_LOSSES)


@pytest.mark.parametrize(
    "broken",
    [
        contexts()[:0],
        contexts().drop(columns="dot"),
        contexts(dot=[np.nan, 1]),
        contexts(dot=[np.inf, 1]),
        contexts().assign(dot=["a", "b"]),
        contexts().assign(dot=[None, 1.0]),
    ],
)
def test_tables_that_cannot_be_used_are_refused(broken: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        core_metrics({"contexts": broken, "latents": latents([1])})


def test_gaps_are_allowed_where_they_are_expected() -> None:
    table = pd.DataFrame({"a": [1.0, np.nan]})
    assert np.isnan(columns_of(table, ["a"], gaps=["a"])["a"][1])
    with pytest.raises(DataError):
        columns_of(table, ["a"])


@given(clean=st.floats(0, 10), harm=st.floats(0.01, 10), shares=st.lists(st.floats(-1, 2), min_size=2, max_size=2))
def test_recovered_cross_entropy_is_linear_between_ablation_and_clean(
    clean: float, harm: float, shares: list[float]
) -> None:
    for share in shares:
        columns = {"ce_clean": clean, "ce_zero": clean + harm, "ce": clean + harm * (1 - share)}
        means = ContextMeans({name: np.asarray(each) for name, each in columns.items()})
        assert float(ce_recovered_zero(means)) == pytest.approx(share, abs=1e-9)


@given(scale=st.floats(1e-3, 1e3))
def test_units_of_the_activation_do_not_matter_to_explained_variance(scale: float) -> None:
    columns = {"squared_error": 1.3, "squared_deviation": 4.1, "squared_target": 7.0}
    one, other = (
        ContextMeans({name: np.asarray(each * factor) for name, each in columns.items()}) for factor in (1.0, scale)
    )
    assert float(explained_variance_global(one)) == pytest.approx(float(explained_variance_global(other)))


def test_division_keeps_leading_axes_and_marks_what_is_undefined() -> None:
    found = divided(np.array([1.0, 1.0, 1.0]), np.array([2.0, 0.0, -2.0]))
    assert found[0] == 0.5
    assert np.isnan(found[1:]).all()
    means = ContextMeans({"kl": np.ones(2), "kl_mean": np.array([2.0, 1e-9]), "tokens": np.ones(2)})
    assert np.isnan(kl_recovered_mean(means)).tolist() == [False, True]


def test_contexts_of_a_document_are_resampled_together() -> None:
    """Ten documents of four equal contexts rest on ten units, not on forty."""
    rng = np.random.default_rng(0)
    error = np.repeat(rng.random(10), 4)
    columns = {"squared_error": error, "tokens": np.ones(40)}
    documents = np.repeat(np.arange(10.0), 4)
    together = measure(columns | {"document": documents}, Resampling(0, 4000))
    apart = measure(columns, Resampling(0, 4000))
    assert (together.n, together.of, apart.n, apart.of) == (10, "documents", 40, "contexts")
    ratio = together.sample.ratio("squared_error", "tokens")
    assert ratio == pytest.approx(error.mean())
    spread = [one.replicates.ratio("squared_error", "tokens").std() for one in (together, apart)]
    assert spread[0] / spread[1] == pytest.approx(2, rel=0.1)
    assert spread[0] == pytest.approx(error.std() / np.sqrt(10), rel=0.05)


def test_a_few_documents_do_not_say_how_documents_differ() -> None:
    columns = {"tokens": np.ones(12), "document": np.repeat(np.arange(4.0), 3)}
    assert measure(columns, Resampling(0, 10)).of == "contexts"
