from __future__ import annotations

import numpy as np
import pytest
from variable_tables import variable_tables

from mibench.core.errors import DataError
from mibench.core.sites import Component, Site
from mibench.core.truth import KnownSite, TaskTruth
from mibench.metrics.bootstrap import Resampling
from mibench.metrics.truth.site_table import SITE_TRUTH_COLUMNS, site_truth_table, true_sites
from mibench.metrics.truth.sites import SITE_TRUTH, site_truth_metrics
from mibench.metrics.truth.subspace import Overlap

TRUTH = TaskTruth(
    edges=(),
    sites=(
        KnownSite(variable="answer", layer=2, position="last", subspace="answer"),
        KnownSite(variable="answer", layer=3, position="last", subspace="answer"),
        KnownSite(variable="query", layer=0, position="symbol", subspace="query"),
    ),
)
# Layers × positions (last, symbol).
RIGHT = {"swap": [[0.0, 0.1], [0.0, 0.2], [0.9, 0.1], [0.95, 0.0]]}


def table_of(right=RIGHT, variable="answer", overlaps=None, n=100, **kwargs):
    tables = variable_tables(right, dict.fromkeys(right, 0.0), n=n, draw=0, **kwargs)
    return site_truth_table(tables, TRUTH, variable, overlaps or {}, Resampling(resamples=300))


def values_of(table):
    return {name: one.value for name, one in site_truth_metrics(table).items()}


def test_a_row_a_site_says_what_is_true_chosen_and_found():
    table = table_of()
    assert list(table.columns) == list(SITE_TRUTH_COLUMNS)
    assert set(table.loc[table["true"], "site"]) == {"residual-post.L2@last", "residual-post.L3@last"}
    assert table.loc[table["chosen"], "site"].tolist() == ["residual-post.L3@last"]
    by_site = table.set_index("site")["iia"]
    assert by_site["residual-post.L2@last"] == pytest.approx(0.9)
    assert set(table.loc[table["found"], "site"]) == {"residual-post.L2@last", "residual-post.L3@last"}


def test_sites_that_are_found_score_1_throughout():
    found = values_of(table_of())
    subspace = found.pop("subspace_overlap")
    assert found == dict.fromkeys(found, 1.0)
    assert subspace is None


def test_the_areas_are_those_of_the_accuracies():
    table = table_of({"swap": [[0.5, 0.5], [0.0, 0.8], [0.5, 0.3], [0.9, 0.0]]})
    found = values_of(table)
    true, false = [0.5, 0.9], [0.5, 0.5, 0.0, 0.8, 0.3, 0.0]
    wins = [(t > f) + (t == f) / 2 for t in true for f in false]
    assert found["site_auroc"] == pytest.approx(np.mean(wins))
    assert found["site_average_precision"] == pytest.approx(0.5 * 1 + 0.5 * 2 / 5)


def test_only_the_best_is_found_where_the_others_are_clearly_worse():
    found = site_truth_metrics(table_of({"swap": [[0, 0], [0, 0], [0.2, 0], [0.9, 0]]}))
    assert (found["site_precision"].value, found["site_recall"].value) == (1.0, 0.5)
    assert (found["site_precision"].floor, found["site_recall"].floor) == (2 / 8, 1 / 8)


def test_a_wrong_choice_is_not_found():
    table = table_of(scores=[[1, 0], [0, 0], [0, 0], [0, 0]])
    found = site_truth_metrics(table)
    assert (found["site_found"].value, found["site_found"].floor) == (0.0, 0.25)
    assert found["site_auroc"].value == 1.0


def test_dead_sites_are_all_found_and_none_is_told_apart():
    found = values_of(table_of({"swap": np.zeros((4, 2))}))
    assert found["site_auroc"] == 0.5
    assert found["site_precision"] == pytest.approx(0.25)
    assert found["site_recall"] == 1.0


def test_true_sites_that_were_not_looked_at_give_a_reason():
    found = site_truth_metrics(table_of(variable="colour"))
    for one in found.values():
        assert one.value is None
        assert "true" in one.reason or "false" in one.reason


def test_overlaps_are_averaged_over_true_sites():
    overlaps = {"residual-post.L2@last": Overlap(0.4, 0.1), "residual-post.L3@last": Overlap(0.8, 0.3)}
    found = site_truth_metrics(table_of(overlaps=overlaps))["subspace_overlap"]
    assert (found.value, found.floor, found.n) == (pytest.approx(0.6), pytest.approx(0.2), 2)
    nonlinear = {name: Overlap(None, reason="not linear") for name in overlaps}
    assert site_truth_metrics(table_of(overlaps=nonlinear))["subspace_overlap"].reason == "not linear"


def test_several_variables_are_where_all_of_them_are():
    truth = TaskTruth(
        edges=(),
        sites=tuple(
            KnownSite(variable=variable, layer=layer, position="last", subspace=f"{variable}{layer}")
            for variable, layer in (("a", 0), ("a", 1), ("b", 1), ("b", 2))
        ),
    )
    assert true_sites(truth, "a+b") == {Site(1, "last"): ("a1", "b1")}
    assert set(true_sites(truth, "a")) == {Site(0, "last"), Site(1, "last")}
    assert true_sites(truth, "a+c") == {}


def test_the_stream_before_a_block_is_the_one_after_the_block_before():
    before = KnownSite(variable="a", component=Component.RESIDUAL_PRE, layer=3, position="last")
    first = KnownSite(variable="a", component=Component.RESIDUAL_PRE, layer=0, position="last")
    found = true_sites(TaskTruth(edges=(), sites=(before, first)), "a")
    assert found == {Site(2, "last"): (None,), Site(0, "last", Component.RESIDUAL_PRE): (None,)}


def test_an_empty_table_gives_reasons_and_a_spoilt_one_is_refused():
    table = table_of()
    assert {one.reason for one in site_truth_metrics(table.iloc[:0]).values()} == {
        "no site was intervened on by itself"
    }
    with pytest.raises(DataError):
        site_truth_metrics(table.drop(columns="found"))
    with pytest.raises(DataError):
        site_truth_metrics(table.assign(iia=np.nan))


def test_numbers_say_why_they_have_no_interval():
    found = site_truth_metrics(table_of())
    assert set(found) == {declared.name for declared in SITE_TRUTH}
    for one in found.values():
        assert (one.ci_reason is None) == (one.value is None)
