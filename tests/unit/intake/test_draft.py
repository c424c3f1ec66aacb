from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from submission_cases import manifest

from mibench.intake.draft import read_draft
from mibench.intake.failures import Failure

ENTRY = {
    "track": "circuit",
    "tasks": ["ioi"],
    "models": ["gpt2"],
    "level": "edge",
    "file": "a.safetensors",
    "sha256": "0" * 64,
    "bytes": 9,
}
GOOD = yaml.safe_dump(manifest([ENTRY]), sort_keys=False)


def test_a_good_manifest_is_read_whole():
    draft = read_draft(GOOD)
    assert draft.failures == ()
    assert draft.submission.name == "team__method@1"
    assert draft.submission.artifacts == (draft.entries[0],)
    assert draft.listed == {"a.safetensors"}


def test_every_fault_is_told_and_what_is_well_is_kept():
    values = manifest([ENTRY | {"bytes": 0}, ENTRY, 7, ENTRY | {"extra": 1}], licence=None, team="a b", more=1)
    draft = read_draft(json.dumps(values))
    assert draft.submission is None
    assert list(draft.entries) == [1]
    told = {(one.index, one.what) for one in draft.failures}
    assert told == {
        (None, "'licence' is missing."),
        (None, "'team' does not fit."),
        (None, "'more' is no key of a manifest."),
        (0, "'artifacts[0].bytes' does not fit."),
        (2, "'artifacts[2]' does not fit."),
        (3, "'artifacts[3].extra' is no key of a manifest."),
    }


def test_a_number_where_text_belongs_is_to_be_quoted():
    (failure,) = read_draft(GOOD.replace("version: '1'", "version: 1.0")).failures
    assert "1.0" in failure.why
    assert failure.do == "Put it in quotes."


def test_a_key_that_is_almost_right_gets_a_hint():
    failures = read_draft(GOOD.replace("licence:", "license:")).failures
    assert any("'licence'" in one.do for one in failures if "license" in one.what)


def explained(text):
    draft = read_draft(text)
    assert (draft.submission is None) == bool(draft.failures)
    for one in draft.failures:
        assert isinstance(one, Failure)
        assert one.what
        assert one.why
        assert one.do
        assert len(one.why) < 2000


KEYS = st.sampled_from(
    [*manifest([]), *ENTRY, "hub", "seed", "budget", "variable", "hook", "supersedes", "methods", "made_from", "x"]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["sae", "1", "../x"])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6), max_leaves=14
)
CHANGES = st.dictionaries(KEYS, VALUES, max_size=3)


def damaged(place, cut, insert):
    place %= len(GOOD)
    return GOOD[:place] + insert + GOOD[place + cut :]


DAMAGE = st.builds(
    damaged, st.integers(0, 10**6), st.integers(0, 30), st.text(max_size=6) | st.sampled_from("&*!{[\t:-|>%")
)


@given(st.text(max_size=200))
@settings(max_examples=60, deadline=None)
def test_any_text_is_read_or_refused(text):
    explained(text)


@given(CHANGES, CHANGES)
@settings(max_examples=60, deadline=None)
def test_any_values_are_read_or_refused(head, first):
    explained(json.dumps(manifest([ENTRY | first]) | head))


@given(DAMAGE)
@settings(max_examples=60, deadline=None)
def test_any_damage_is_read_or_refused(text):
    explained(text)


@pytest.mark.slow
@given(
    st.one_of(
        st.text(), DAMAGE, st.builds(lambda head, first: json.dumps(manifest([ENTRY | first]) | head), CHANGES, CHANGES)
    )
)
@settings(max_examples=5000, deadline=None)
def test_much_of_all_this_is_read_or_refused(text):
    explained(text)
