"""Which state follows which."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mibench.core.errors import RoundError
from mibench.shared_task.states import ALIVE, FOLLOWING, State, check_move

ALLOWED = {
    "PENDING": {"CHECKED", "FAILED", "WITHDRAWN"},
    "CHECKED": {"RUNNING", "FAILED", "WITHDRAWN"},
    "RUNNING": {"CHECKED", "SCORED", "FAILED", "WITHDRAWN"},
    "SCORED": {"WITHDRAWN"},
    "FAILED": {"WITHDRAWN"},
    "WITHDRAWN": set(),
}


@pytest.mark.parametrize("now", State)
@pytest.mark.parametrize("to", State)
def test_a_move_is_allowed_or_refused(now, to):
    if to in ALLOWED[now]:
        check_move(1, now, to)
    else:
        with pytest.raises(RoundError, match=f"Submission 1 cannot become {to}"):
            check_move(1, now, to)


@given(st.lists(st.sampled_from(State), max_size=40))
def test_scores_are_made_once_and_nothing_that_ended_comes_back(wishes):
    now, scored = State.PENDING, 0
    for wish in wishes:
        ended = now not in (*ALIVE, State.PENDING)
        if wish in FOLLOWING[now]:
            assert not ended or wish is State.WITHDRAWN
            scored += wish is State.SCORED
            now = wish
    assert scored <= 1
