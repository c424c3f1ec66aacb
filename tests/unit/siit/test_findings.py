"""What counts as a failure of a check."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mibench.siit.findings import Edges, Findings, Swaps

GOOD = Findings(
    behaviour=1.0,
    swaps={"carry": Swaps(0.99, 0.96, 100)},
    effects={"a0.h1": 0.0, "m1": 0.02},
    all_off=0.01,
    mixtures=0.99,
    edges={"task": Edges(0.97, 1.0, 3, "m0->m1", 0.4)},
    rows=100,
)


def test_a_model_that_reaches_everything_has_no_failures() -> None:
    assert GOOD.failures == ()
    assert GOOD.worst_effect == 0.02
    assert GOOD.mean_effect == pytest.approx(0.01)
    assert len(GOOD.lines) == 5


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"behaviour": 0.9}, "only 0.900 of the answers are right"),
        ({"swaps": {"carry": Swaps(0.99, 0.9, 100)}}, "the IIA of carry is 0.990, and 0.900"),
        ({"swaps": {"carry": Swaps(0.9, 0.99, 100)}}, "the IIA of carry is 0.900, and 0.990"),
        ({"effects": {"a0.h1": 0.03}}, "swapping a0.h1 changes 0.030"),
        ({"all_off": 0.5}, "swapping all off-circuit nodes changes 0.500"),
        ({"mixtures": 0.9}, "only 0.900 of the answers along a part"),
        ({"edges": {"task": Edges(0.9, 1.0, 3, "m0->m1", 0.4)}}, "true edges of task have a faithfulness of 0.900"),
        ({"edges": {"task": Edges(0.97, 1.0, 3, "m0->m1", 0.01)}}, "without m0->m1 the true edges of task lose 0.010"),
    ],
)
def test_what_is_not_reached_is_named(change: dict[str, object], text: str) -> None:
    (failure,) = replace(GOOD, **change).failures  # type: ignore[arg-type]
    assert text in failure
