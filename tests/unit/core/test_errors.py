"""An error says what, why and what to do, and survives a process boundary."""

from __future__ import annotations

import copy

import pytest

from mibench.core import errors

KINDS = [
    errors.MibenchError,
    errors.UsageError,
    errors.DataError,
    errors.ArtifactError,
    errors.ModelError,
    errors.MethodError,
    errors.StoreError,
]


@pytest.mark.parametrize("kind", KINDS)
def test_the_text_holds_what_why_and_do(kind: type[errors.MibenchError]) -> None:
    text = str(kind("It broke.", why="Too hot.", do="Cool it."))
    assert text.splitlines() == ["It broke.", "  why: Too hot.", "  do:  Cool it."]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_is_rebuilt_whole_as_a_process_pool_does_it(kind: type[errors.MibenchError]) -> None:
    error = kind("It broke.", why="Too hot.", do="Cool it.")
    again = copy.copy(error)
    assert type(again) is kind
    assert (again.what, again.why, again.do) == ("It broke.", "Too hot.", "Cool it.")


def test_only_wrong_usage_exits_with_2() -> None:
    assert {kind.__name__: kind.exit_status for kind in KINDS if kind.exit_status != 1} == {"UsageError": 2}


def test_an_error_is_told_with_those_that_it_came_from():
    first, second = ValueError("a"), KeyError("b")
    second.__cause__ = first
    first.__context__ = second  # a circle ends
    assert list(errors.causes(second)) == [second, first]
