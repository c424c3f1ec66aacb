"""The quota of valid submissions in seven days."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from open_rounds import DAY, START, Clock, fails, light, open_round, passes

from mibench.core.errors import RoundError
from mibench.shared_task.quota import WEEK, check_quota
from mibench.shared_task.states import State


def allowed(times, at, limit):
    try:
        check_quota(times, at, limit)
    except RoundError:
        return False
    return True


def test_the_message_says_when_the_next_one_is_possible():
    times = [START, START + DAY, START + 2 * DAY]
    with pytest.raises(RoundError, match="quota is used up") as caught:
        check_quota(times, START + 3 * DAY, 2)
    assert caught.value.why == "It has handed in 3 valid submissions in seven days; the limit is 2."
    assert "after 2026-03-10 12:00+00:00" in caught.value.do
    assert not allowed(times, START + DAY + WEEK - timedelta(seconds=1), 2)
    assert allowed(times, START + DAY + WEEK, 2)


@given(st.lists(st.integers(0, 30 * 24), max_size=60), st.integers(1, 4))
def test_no_seven_days_have_more_than_the_limit(hours, limit):
    taken = []
    for hour in sorted(hours):
        at = START + timedelta(hours=hour)
        if allowed(taken, at, limit):
            taken.append(at)
        else:
            counted = [one for one in taken if one > at - WEEK]
            assert len(counted) == limit
    for first in taken:
        assert sum(first <= one < first + WEEK for one in taken) <= limit


@given(st.lists(st.integers(-60 * 24, 30 * 24), max_size=60), st.integers(1, 4))
def test_a_clock_that_jumps_gives_no_more(hours, limit):
    taken = []
    for hour in hours:
        at = START + timedelta(hours=hour)
        if allowed(taken, at, limit):
            taken.append(at)
    for first in taken:
        assert sum(first <= one < first + WEEK for one in taken) <= limit


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def desk(tmp_path, clock):
    state = open_round(tmp_path, clock, valid_per_week=2)
    key = state.register("team", "a@example.org")
    count = iter(range(100))

    def put(check=passes):
        return state.hand_in(light(tmp_path, f"team__method@{next(count)}"), key, check)[0]

    put.state, put.key = state, key
    return put


def test_two_valid_submissions_a_week_are_taken_and_the_third_is_not(desk, clock):
    assert [desk().state, desk().state] == [State.CHECKED] * 2
    with pytest.raises(RoundError, match="quota is used up"):
        desk()
    assert len(desk.state.entries()) == 2
    clock.go(days=7)
    assert desk().id == 3


def test_invalid_ones_do_not_count(desk):
    for _ in range(3):
        assert desk(fails).state is State.FAILED
    assert [desk().state, desk().state] == [State.CHECKED] * 2


def test_one_that_is_withdrawn_unscored_does_not_count_and_one_with_scores_does(desk):
    desk()
    desk()
    desk.state.withdraw(1, desk.key)
    assert desk().id == 3
    desk.state.begin("standings")
    desk.state.move(2, "standings", State.SCORED)
    desk.state.withdraw(2, desk.key)
    with pytest.raises(RoundError, match="quota is used up"):
        desk()


def test_one_that_is_withdrawn_while_it_is_scored_counts(desk):
    desk()
    desk()
    desk.state.begin("standings")
    desk.state.withdraw(1, desk.key)
    with pytest.raises(RoundError, match="quota is used up"):
        desk()


def test_one_whose_scoring_failed_counts(desk):
    desk()
    desk()
    desk.state.begin("standings")
    desk.state.move(1, "standings", State.FAILED, "too slow")
    with pytest.raises(RoundError, match="quota is used up"):
        desk()


def test_other_teams_have_their_own(tmp_path, desk):
    desk()
    desk()
    other = desk.state.register("other", "b@example.org")
    assert desk.state.hand_in(light(tmp_path, "other__method@1"), other, passes)[0].state is State.CHECKED


def test_a_clock_that_steps_back_keeps_order_and_quota(desk, clock):
    clock.go(days=20)
    desk()
    desk()
    clock.go(days=-10)
    with pytest.raises(RoundError, match="quota is used up"):
        desk()
    desk.state.withdraw(1, desk.key)
    assert desk().id == 3
    assert [entry.id for entry in desk.state.begin("standings")] == [2, 3]
    desk.state.check_audit()
