"""Numbers on the scale from null to oracle."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mibench.metrics.sae.normalised import NULLS_AND_ORACLES, normalised
from mibench.records.record import MetricValue


def number(value: float | None = 0.4, **fields: Any) -> MetricValue:
    return MetricValue(value=value, **({"floor": 0.2, "ceiling": 0.6, "version": 3, "n": 7} | fields))


def test_null_is_zero_and_oracle_is_one() -> None:
    assert normalised(number(0.2)).value == 0
    assert normalised(number(0.6)).value == pytest.approx(1)
    assert normalised(number(0.4)).value == pytest.approx(0.5)


def test_the_interval_is_mapped_with_it() -> None:
    found = normalised(number(0.4, ci_low=0.3, ci_high=0.6, ci_source="contexts"))
    assert (found.ci_low, found.ci_high) == (pytest.approx(0.25), pytest.approx(1.0))
    assert (found.ci_source, found.n, found.version) == ("contexts", 7, 3)
    assert (found.floor, found.ceiling, found.higher_is_better) == (0.0, 1.0, True)


def test_where_lower_is_better_the_interval_turns_round() -> None:
    found = normalised(number(0.25, floor=1.0, ceiling=0.0, ci_low=0.2, ci_high=0.5, ci_source="contexts"))
    assert found.value == 0.75
    assert (found.ci_low, found.ci_high) == (0.5, 0.8)


@pytest.mark.parametrize(
    ("given_", "reason"),
    [
        (number(None, reason="no text"), "no text"),
        (number(floor=None), "it has no floor"),
        (number(ceiling=None), "it has no ceiling"),
        (number(ceiling=0.2), "its oracle (0.2) and its null (0.2) are too close to be told apart"),
        (number(ceiling=0.21), "its oracle (0.21) and its null (0.2) are too close to be told apart"),
        (number(ceiling=0.1, higher_is_better=True), "its oracle (0.1) is not better than its null (0.2)"),
        (number(higher_is_better=False), "its oracle (0.6) is not better than its null (0.2)"),
    ],
)
def test_what_has_no_scale_is_null_with_the_reason(given_: MetricValue, reason: str) -> None:
    found = normalised(given_)
    assert found.value is None
    assert found.reason == reason


def test_why_there_is_no_interval_is_kept() -> None:
    assert normalised(number(ci_reason="fixed")).ci_reason == "fixed"


@given(value=st.floats(-5, 5), shift=st.floats(-5, 5), scale=st.floats(0.1, 10))
def test_units_and_origin_do_not_matter(value: float, shift: float, scale: float) -> None:
    moved = number(value * scale + shift, floor=0.2 * scale + shift, ceiling=0.6 * scale + shift)
    assert normalised(moved).value == pytest.approx(normalised(number(value)).value, abs=1e-6)


def test_every_family_has_a_null_and_an_oracle_in_words() -> None:
    assert all(ends.null and ends.oracle for ends in NULLS_AND_ORACLES.values())
