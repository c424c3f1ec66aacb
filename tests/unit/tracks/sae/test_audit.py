from __future__ import annotations

import numpy as np
import pytest

from mibench.metrics.sae.synthetic_scores import RECOVERY
from mibench.tasks.synthetic.recipe import Firing, Forest, Recipe
from mibench.tasks.synthetic.truth import make_truth
from mibench.tracks.sae.audit import Population, audit
from mibench.tracks.sae.audit_concepts import ConceptMeasure, ConceptSizes
from mibench.tracks.sae.audit_recovery import CORE, CoreMeasure, RecoveryMeasure
from mibench.tracks.sae.candidate import Candidate
from mibench.tracks.sae.known_samples import drawn
from mibench.tracks.sae.synthetic_oracle import Oracle
from mibench.tracks.sae.synthetic_source import FIT


def candidate(quality):
    """A stand-in that carries how good it is."""
    return Candidate(np.full((1, 1), float(quality)), lambda x: (x, x))


class Known:
    """Numbers that follow from the quality of a stand-in."""

    def __init__(self, scatter=0.0):
        self.better = {"good": True, "bad": False, "size": None, "fooled": True, "missing": True}
        self._scatter = scatter

    def __call__(self, one, seed):
        quality = float(one.rows[0, 0])
        return {
            "good": quality * (1 + self._scatter * seed),
            "bad": 10 - quality,
            "size": 3.0,
            "fooled": -quality,
            "missing": None,
        }


POPULATION = Population(
    oracle=candidate(9),
    random=[candidate(1), candidate(1.5)],
    trained=[candidate(5), candidate(3), candidate(6)],
    trajectory=[candidate(one) for one in (1, 2, 4, 5)],
    alike=[(candidate(5), candidate(5)), (candidate(4), candidate(4.4))],
)


def test_each_lens_says_what_it_should():
    table = audit(POPULATION, [Known(0.1)], reference="good", seeds=(0, 1, 2))
    assert table["ordered"].to_dict() == {"good": True, "bad": True, "size": None, "fooled": False, "missing": False}
    assert table.loc["good", ["oracle", "trained", "random"]].tolist() == pytest.approx([9, 14 / 3, 1.25])
    assert table.loc["good", "reseed_cv"] == pytest.approx(0.1 / 1.1)
    assert table.loc["bad", "reseed_cv"] == 0
    assert table.loc[["good", "bad", "fooled"], "agreement"].tolist() == pytest.approx([1, 1, -1])
    assert table.loc[["good", "bad", "fooled"], "rise"].tolist() == pytest.approx([1, 1, -1])
    assert np.isnan(table.loc["size", "agreement"])
    assert table.loc["good", "variance"] == pytest.approx(0.4 / 4.4)


def test_a_number_that_is_missing_has_no_lens():
    row = audit(POPULATION, [Known()], reference="good").loc["missing"]
    for lens in ("oracle", "trained", "random", "reseed_cv", "agreement", "rise"):
        assert np.isnan(row[lens]), lens
    assert row["variance"] == 0


def test_the_reference_may_be_of_any_measure_and_must_exist():
    class Other(Known):
        def __init__(self):
            super().__init__()
            self.better = {"good": True}

    class Renamed(Known):
        def __init__(self):
            super().__init__()
            self.better = {"bad": False}

    table = audit(POPULATION, [Renamed(), Other()], reference="good")
    assert table.loc["bad", "agreement"] == pytest.approx(1)
    with pytest.raises(KeyError):
        audit(POPULATION, [Renamed()], reference="good")


RECIPE = Recipe(40, 24, Firing(0.2, 0.02), Forest(4, 4, 1), bias=0.5)


@pytest.fixture(scope="module")
def oracle():
    truth = make_truth(RECIPE)
    return truth, Candidate.of_oracle(Oracle(truth, 40, drawn(truth, 2048, (FIT, 0))))


def test_measures_name_all_their_numbers_and_a_seed_fixes_them(oracle):
    truth, one = oracle
    sizes = ConceptSizes(samples=3000, rows=40, concepts=2, steps=50, ablated=(2,))
    for measure in (RecoveryMeasure(truth, 500), CoreMeasure(truth, 500), ConceptMeasure(truth, sizes)):
        found = measure(one, 0)
        assert set(found) == set(measure.better)
        assert found == measure(one, 0)
        assert found != measure(one, 1)


def test_directions_are_those_that_the_metrics_declare():
    truth = make_truth(RECIPE)
    assert RecoveryMeasure(truth, 10).better == {one.name: one.higher_is_better for one in RECOVERY}
    assert CoreMeasure(truth, 10).better == {one.name: one.higher_is_better for one in CORE}


def test_both_measures_agree_on_what_both_have(oracle):
    truth, one = oracle
    recovery, core = RecoveryMeasure(truth, 2000)(one, 0), CoreMeasure(truth, 2000)(one, 0)
    assert core["explained_variance_global"] == pytest.approx(recovery["recovered_variance"])
    assert core["shrinkage"] == pytest.approx(recovery["recovered_norm"])
    active = np.concatenate([np.diff(sample.codes.indptr) for sample in drawn(truth, 2000, (3, 0))]).mean()
    assert core["l0"] - active == pytest.approx(recovery["l0_gap"])


def test_the_truth_passes_what_is_asked_about_single_features(oracle):
    truth, one = oracle
    sizes = ConceptSizes(samples=6000, rows=100, concepts=3, steps=400, ablated=(2,))
    found = ConceptMeasure(truth, sizes)(one, 0)
    assert found["probing_single_k1"] > 0.95
    assert found["tpp_threshold_2_total_metric"] > 0.2
    blind = Candidate(one.rows, lambda x: (np.zeros((len(x), 40)), x.astype(np.float64)))
    silent = ConceptMeasure(truth, sizes)(blind, 0)
    assert silent["tpp_threshold_2_total_metric"] == 0
    assert silent["probing_single_k1"] == pytest.approx(0.5, abs=0.1)
