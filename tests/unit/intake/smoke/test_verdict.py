from __future__ import annotations

import numpy as np
import pytest

from mibench.intake.smoke.verdict import Measured, Own, Variant, below_floor, cause, clearly_better


def own(values, **changes):
    given = {
        "best": 1.0,
        "floor": 0.0,
        "floor_words": "better than doing nothing (0.00)",
        "measure": "accuracy",
        "rows": "10 validation rows of a task",
        "n": len(values),
    }
    return Own(Measured.of_rows(np.array(values, float)), **given | changes)


def variant(values, words="with a change"):
    return Variant(words, "Do this.", Measured.of_rows(np.array(values, float)))


def test_rows_are_resampled_together():
    hard = np.array([0.0, 1, 0, 1, 0, 1, 0, 1, 0, 1])
    one, other = (Measured.of_rows(values) for values in (hard + 0.15, hard))
    # Alone each varies by ±0.3; their difference does not vary at all.
    assert clearly_better(one, other, 10)
    assert not clearly_better(other, one, 10)


@pytest.mark.parametrize(("gained", "told"), [(0.09, False), (0.11, True)])
def test_a_gain_below_the_margin_is_none(gained, told):
    rows = np.linspace(0, 0.2, 10)
    assert clearly_better(Measured.of_rows(rows + gained), Measured.of_rows(rows), 10) is told


def test_luck_on_ten_rows_is_not_told():
    lucky = [1, 1, 0, 0, 0, 0, 0, 0, 0, 0]
    assert cause(own([0] * 10), [variant(lucky)]) is None
    assert clearly_better(*(variant(values).measured for values in ([1] * 3 + [0] * 7, [0] * 3 + [1] * 7)), 10) is False


def test_one_row_tells_nothing():
    assert not clearly_better(variant([1]).measured, variant([0]).measured, 1)


def test_undefined_resamples_tell_nothing():
    undefined = Measured(1.0, np.full(2000, np.nan))
    assert not clearly_better(undefined, variant([0] * 10).measured, 10)


def test_the_best_cause_is_told_with_numbers_and_what_to_do():
    found = cause(own([0] * 10), [variant([1] * 8 + [0] * 2, "with a"), variant([1] * 10, "with b")])
    assert found == (
        "looks wrong: on 10 validation rows of a task it scores better with b (accuracy 1.00 instead of 0.00). Do this."
    )


def test_a_variant_that_is_better_and_still_poor_is_no_cause():
    assert cause(own([0] * 10), [variant([0.3] * 10)]) is None
    assert cause(own([0.6] * 10), [variant([0.78] * 10)]) is None
    assert cause(own([0.6] * 10), [variant([0.9] * 10)]) is not None


def test_distances_are_shown_as_distances():
    found = own([-0.8] * 10, best=0.0, floor=-0.7, floor_words="clearly better than random ones (0.75 ± 0.05)")
    assert below_floor(found) == (
        "looks wrong: on 10 validation rows of a task it is not clearly better than random ones (0.75 ± 0.05) "
        "(accuracy 0.80). Check task, model, layers and order, or that the file is the right one."
    )
    assert cause(found, [variant([-0.05] * 10)]) is not None


def test_what_is_above_the_floor_is_not_told():
    assert below_floor(own([0.1] * 10)) is None
    assert below_floor(own([0.0] * 10)) is not None
