from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from mibench.artifacts.circuit import CircuitScores
from mibench.core.errors import UsageError
from mibench.core.specs import Level, Ranking
from mibench.graph.graph import Graph
from mibench.runner.again.stability import Repeats, agreement, resample, stability
from mibench.runner.observe import Quiet
from mibench.tasks.encode import EncodedPair

GRAPH = Graph(2, 4, False)


def artifact(values):
    return CircuitScores(GRAPH, Level.NODE, np.asarray(values, dtype=float))


def pair(name):
    return EncodedPair(name, (1, 2), (1, 3), (4,), (5,))


def test_a_resample_has_as_many_pairs_and_names_the_repeated_ones():
    pairs = [pair(f"e{place}") for place in range(20)]
    drawn = resample(pairs, np.random.default_rng(0))
    assert len(drawn) == 20
    assert len({one.id for one in drawn}) == 20
    origins = Counter(one.id.partition("#")[0] for one in drawn)
    assert set(origins) < {one.id for one in pairs}
    assert max(origins.values()) > 1
    assert drawn == resample(pairs, np.random.default_rng(0)) != resample(pairs, np.random.default_rng(1))


def test_the_same_artifact_agrees_with_itself_and_its_mirror_image_in_magnitudes_only():
    values = np.arange(1.0, 12.0)
    same = agreement([artifact(values), artifact(values)])
    assert [spread.mean for spread in same.correlations.values()] == pytest.approx([1.0, 1.0])
    mirrored = agreement([artifact(values), artifact(-values)])
    assert mirrored.correlations[Ranking.SIGNED].mean == pytest.approx(-1.0)
    assert mirrored.correlations[Ranking.ABSOLUTE].mean == pytest.approx(1.0)
    n, spread = mirrored.selections[Ranking.SIGNED][0.2]
    assert (n, spread.mean) == (2, 0.0)
    assert mirrored.selections[Ranking.ABSOLUTE][0.2][1].mean == 1.0


def test_a_size_of_no_items_has_no_overlap_and_the_whole_graph_overlaps_wholly():
    found = agreement([artifact(np.arange(11.0)), artifact(np.arange(11.0)[::-1])])
    assert found.selections[Ranking.SIGNED][0.001] == (0, found.selections[Ranking.ABSOLUTE][0.002][1])
    assert found.selections[Ranking.SIGNED][0.001][1].mean is None
    assert found.selections[Ranking.SIGNED][1.0][1].mean == 1.0


def test_of_three_runs_two_of_which_agree_the_mean_and_the_range_tell():
    values = np.arange(1.0, 12.0)
    spread = agreement([artifact(values), artifact(values), artifact(values[::-1])]).selections[Ranking.SIGNED][0.2][1]
    assert (spread.mean, spread.low, spread.high, spread.pairs) == (pytest.approx(1 / 3), 0.0, 1.0, 3)


def test_a_method_runs_on_resampled_examples_and_the_same_way_every_time(settings):
    chosen = settings(limit=6)
    first, again = (stability(chosen, Repeats("resamples", 3), Quiet()) for _ in "ab")
    digests = [scores.digest for scores in first.scores]
    assert len(set(digests)) == 3
    assert digests == [scores.digest for scores in again.scores]
    assert 0.3 < first.correlations[Ranking.ABSOLUTE].mean <= 1
    assert first.selections[Ranking.SIGNED][1.0][1].mean == 1.0


def test_a_method_that_draws_runs_from_other_seeds(settings):
    found = stability(settings(method="random"), Repeats("seeds", 3), Quiet())
    assert len({scores.digest for scores in found.scores}) == 3
    assert abs(found.correlations[Ranking.SIGNED].mean) < 0.35


@pytest.mark.parametrize(
    ("method", "varied", "why", "do"),
    [("random", "resamples", "no training examples", "--seeds"), ("eap", "seeds", "draws nothing", "--resamples")],
)
def test_what_would_find_the_same_every_time_is_not_run(settings, method, varied, why, do):
    with pytest.raises(UsageError, match="the same every time") as caught:
        stability(settings(method=method), Repeats(varied, 2), Quiet())
    assert why in caught.value.why
    assert do in caught.value.do


def test_a_users_method_is_resampled_too(settings, user_file):
    path = user_file(
        "import numpy as np\n"
        "from mibench.methods.method import method\n"
        "@method(track='circuit', name='lengths', version=1, needs=('train',))\n"
        "def lengths(view):\n"
        "    seed = sum(hash(one.clean) % 1000 for one in view.train)\n"
        "    return view.scores(np.random.default_rng(seed).normal(size=view.graph.shape))\n"
    )
    found = stability(settings(method=f"{path}:lengths", limit=6), Repeats("resamples", 2), Quiet())
    assert len({scores.digest for scores in found.scores}) == 2
