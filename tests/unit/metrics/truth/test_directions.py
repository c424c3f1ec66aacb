from __future__ import annotations

import numpy as np
import pytest

from mibench.metrics.truth.directions import direction_metrics


def test_a_decoder_that_holds_the_directions_recovers_them():
    directions = np.eye(6)[:3]
    decoder = np.concatenate([np.eye(6)[3:], 2 * directions[::-1]])
    found = direction_metrics(decoder, directions)
    assert {name: one.value for name, one in found.items()} == {"mmcs": 1.0, "mcc_decoder": 1.0, "recovery_at_90": 1.0}


def test_half_of_the_directions_is_half_of_the_recovery():
    found = direction_metrics(np.eye(4)[:1], np.eye(4)[:2])
    assert found["recovery_at_90"].value == 0.5
    assert found["mmcs"].value == 0.5


@pytest.mark.parametrize(("either_sign", "value"), [(True, 1.0), (False, 0.0)])
def test_the_sign_of_a_row_counts_unless_codes_may_be_negative(either_sign, value):
    assert direction_metrics(-np.eye(3), np.eye(3), either_sign=either_sign)["mmcs"].value == value
