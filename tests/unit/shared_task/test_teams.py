"""Teams and their keys."""

from __future__ import annotations

import re

import pytest
from open_rounds import light, open_round, passes

from mibench.core.errors import RoundError, UsageError


@pytest.fixture
def state(tmp_path):
    return open_round(tmp_path)


def test_a_key_is_random_and_kept_nowhere(state):
    first, second = state.register("one", "1@example.org"), state.register("two", "2@example.org")
    assert re.fullmatch(r"mbk_[A-Za-z0-9_-]{32}", first)
    assert first != second
    for path in state.folder.path.rglob("*"):
        assert not path.is_file() or first.encode() not in path.read_bytes()
    assert first not in str(state.audit())


def test_teams_are_known_with_their_contacts(state):
    state.register("two", "2@example.org")
    state.register("one", "1@example.org")
    assert [(one.team, one.contact) for one in state.teams()] == [("one", "1@example.org"), ("two", "2@example.org")]
    assert all(one.registered.tzinfo is not None for one in state.teams())


@pytest.mark.parametrize("name", ["one", "ONE", "One"])
def test_a_name_is_given_once(state, name):
    key = state.register("one", "1@example.org")
    with pytest.raises(RoundError, match="cannot be registered"):
        state.register(name, "x@example.org")
    assert [one.contact for one in state.teams()] == ["1@example.org"]
    assert key


@pytest.mark.parametrize(
    "name", ["", "a b", "a__b", "a@b", "../a", "é", "a" * 65, "con", "organiser", "Organiser", "\ud800"]
)
def test_a_name_that_cannot_be_a_teams_is_refused(state, name):
    with pytest.raises(UsageError, match="cannot be the name of a team"):
        state.register(name, "x@example.org")
    with pytest.raises(UsageError, match="cannot be the name of a team"):
        state.register(name, "x@example.org", renew=True)
    assert state.teams() == []


@pytest.mark.parametrize("contact", ["", "  ", "a\nb", "a\x1b[31m", "a" * 201, "\ud800"])
def test_a_contact_is_one_line(state, contact):
    with pytest.raises(UsageError, match="The contact cannot be used"):
        state.register("one", contact)
    state.register("one", "1@example.org")
    with pytest.raises(UsageError, match="The contact cannot be used"):
        state.register("one", contact, renew=True)


def test_a_renewed_key_voids_the_old_one(tmp_path, state):
    old = state.register("team", "1@example.org")
    new = state.register("team", "2@example.org", renew=True)
    with pytest.raises(RoundError, match="The key is not known"):
        state.hand_in(light(tmp_path, "team__a@1"), old, passes)
    assert state.hand_in(light(tmp_path / "b", "team__a@1"), new, passes)[0].id == 1
    assert [one.contact for one in state.teams()] == ["2@example.org"]
    assert [(line.what, line.reason) for line in state.audit()][1:3] == [
        ("registered", "team"),
        ("key renewed", "team"),
    ]
    state.check_audit()


@pytest.mark.parametrize("name", ["other", "TEAM"])
def test_only_a_team_that_is_there_gets_a_new_key(state, name):
    state.register("team", "1@example.org")
    with pytest.raises(RoundError, match="There is no key to renew"):
        state.register(name, "x@example.org", renew=True)
