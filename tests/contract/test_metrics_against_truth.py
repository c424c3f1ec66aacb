"""Every metric of the circuit track must put the truth before half of it, and that before noise."""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean

import pytest

from mibench.metrics.metric import METRICS
from mibench.runner.execute import run
from mibench.runner.observe import Quiet
from mibench.runner.settings import RunSettings

TASK, MODEL = "planted-choice", "planted-choice-gpt2"
SEEDS, EXAMPLES, KEPT = 8, 30, 0.5
BLIND = {"overshoot_absolute", "overshoot_signed"}
"""These see a circuit that is better than its model, and none of the three is."""
OTHERS = {"jaccard", "rank_correlation", "idle_share_1pct", "idle_share_5pct"}
"""These compare two artifacts, or need every edge taken out of a circuit by itself."""


@pytest.fixture(scope="module")
def rungs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, list[float]]]:
    """Values by metric and by method: ``1.0`` and ``0.5`` of the truth, and ``noise``."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for kept in (1.0, KEPT):
        settings = RunSettings(
            task=[TASK],
            model=[MODEL],
            method=["known-truth", "random"],
            set={"kept": kept},
            seeds=SEEDS,
            limit=EXAMPLES,
            floor_draws=0,
            out=tmp_path_factory.mktemp(f"kept-{kept}"),
            extras=["completeness"],
        )
        for job, record in run(settings, Quiet()).jobs:
            rung = "noise" if job.method.name == "random" else str(kept)
            for metric, value in record.metrics.items():
                if value.value is not None:
                    found[metric][rung].append(value.value)
    return found


def directed() -> list[str]:
    components = METRICS.components.values()
    known = [one for one in components if one.metadata["track"] == "circuit"]
    return [one.name for one in known if one.metadata["higher_is_better"] is not None and one.name not in OTHERS]


@pytest.mark.parametrize("name", directed())
def test_truth_is_before_half_the_truth_and_that_before_noise(name, rungs):
    by_rung = rungs[name]
    sign = 1 if METRICS.components[name].metadata["higher_is_better"] else -1
    truth, half, noise = (sign * fmean(by_rung[rung]) for rung in ("1.0", str(KEPT), "noise"))
    if name in BLIND:
        assert truth == pytest.approx(half, abs=1e-6)
        assert truth == pytest.approx(noise, abs=1e-6)
    else:
        assert truth > half > noise
