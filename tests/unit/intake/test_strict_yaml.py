from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mibench.core.errors import DataError
from mibench.intake.strict_yaml import MAX_DEPTH, MAX_KEYS, MAX_SCALAR, load_strict

SCALARS = st.none() | st.booleans() | st.integers() | st.text("abc -:#'\"{}[]\n", max_size=8)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner), max_leaves=9
)


@given(VALUES)
@settings(max_examples=60, deadline=None)
def test_plain_values_are_read_as_they_are(value):
    assert load_strict(yaml.safe_dump(value), "it") == value


def test_limits_are_where_they_are_said_to_be():
    load_strict("[" * MAX_DEPTH + "]" * MAX_DEPTH, "it")
    load_strict("a: " + "x" * MAX_SCALAR, "it")
    load_strict("".join(f"k{number}: 1\n" for number in range(MAX_KEYS)), "it")
    for text in (
        "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
        "a: " + "x" * (MAX_SCALAR + 1),
        "".join(f"k{number}: 1\n" for number in range(MAX_KEYS + 1)),
    ):
        with pytest.raises(DataError):
            load_strict(text, "it")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: 1\n\na: 2\n", "The key 'a' stands twice, again in line 3."),
        ("a: {b: 1, b: 2}\n", "The key 'b' stands twice, again in line 1."),
        ("a:\n- &x 1\n", "Line 2 has an anchor or alias (& or *)."),
        ("a: !!str 1\n", "Line 1 has the tag tag:yaml.org,2002:str."),
        ("a: 1\n---\nb: 1\n", "A second document begins in line 2."),
        ("{a: 1}: 2\n", "Line 1 has a key that is no text."),
    ],
)
def test_what_is_refused_is_said_with_its_line(text, why):
    with pytest.raises(DataError) as caught:
        load_strict(text, "it.yaml")
    assert caught.value.what == "it.yaml cannot be used."
    assert caught.value.why == why


def test_a_key_may_stand_in_two_mappings():
    assert load_strict("- {a: 1}\n- {a: 1, b: {a: 2}}\n", "it") == [{"a": 1}, {"a": 1, "b": {"a": 2}}]
