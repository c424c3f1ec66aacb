from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from mibench.metrics.areas import FRACTIONS
from mibench.metrics.faithfulness import FaithfulnessCurve
from mibench.metrics.metric import METRICS, Metric, curve_metrics

NAMES = METRICS.names()
CURVE_METRICS = {metric.name: metric for metric in curve_metrics()}
GRID = np.array(FRACTIONS)


@pytest.mark.parametrize("name", NAMES)
def test_what_the_registry_reads_is_what_the_object_says(name):
    component = METRICS.get(name)
    loaded = component.load()
    assert isinstance(loaded, Metric)
    assert loaded.name == name
    assert {key: getattr(loaded, key) for key in component.metadata} == component.metadata


@pytest.mark.parametrize("name", NAMES)
def test_docstrings_tell_formula_range_direction_and_source(name):
    doc = METRICS.load(name).doc
    assert METRICS.get(name).doc
    for word in ("Range:", "is better", "Source:"):
        assert word in doc, word


@pytest.mark.parametrize("name", sorted(CURVE_METRICS))
def test_curve_metrics_keep_leading_axes_and_tell_good_from_dead(name):
    metric = CURVE_METRICS[name]
    perfect, dead = np.ones(10), np.append(np.zeros(9), 1.0)
    values = metric(FaithfulnessCurve(GRID, GRID, np.array([[perfect, dead]])))
    assert values.shape == (1, 2)
    assert abs(values[0, 0] - metric.ceiling) <= 1e-3
    if metric.floor is None:
        assert name.startswith("overshoot")
    else:
        assert abs(values[0, 1] - metric.floor) <= 1e-3
        assert (values[0, 0] > values[0, 1]) == metric.higher_is_better


def test_the_metrics_of_the_circuit_track_are_those_of_its_records():
    both = ("average", "area", "area_bounded", "overshoot", "distance", "area_log")
    expected = {"cpr", "cmd", *(f"{name}_{ranking}" for name in both for ranking in ("signed", "absolute"))}
    assert expected <= set(CURVE_METRICS)
    for name, metric in CURVE_METRICS.items():
        if name in expected - {"cpr", "cmd"}:
            assert name.endswith(f"_{metric.ranking}")
    assert (CURVE_METRICS["cpr"].ranking, CURVE_METRICS["cmd"].ranking) == ("signed", "absolute")


def test_listing_metrics_and_scoring_circuits_never_import_torch():
    code = (
        "import sys, mibench.metrics.circuit as c, mibench.plots.curves; "
        "from mibench.metrics.metric import METRICS, curve_metrics; METRICS.names(); curve_metrics(); "
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
