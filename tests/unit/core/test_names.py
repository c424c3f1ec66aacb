"""Unknown names come with a hint."""

from __future__ import annotations

from mibench.core.names import did_you_mean, unknown


def test_a_typo_gets_the_nearest_name_first() -> None:
    assert did_you_mean("eap-gi", ["eap-ig", "random", "exact"]) == "Did you mean 'eap-ig'?"


def test_a_name_unlike_any_other_gets_the_whole_list_sorted() -> None:
    assert did_you_mean("zzz", ["eap", "exact", "act"]) == "Known: act, eap, exact."


def test_a_long_list_is_cut_at_twenty() -> None:
    hint = did_you_mean("zzz", [f"name-{index:02}" for index in range(21)])
    assert "name-19, …" in hint
    assert "name-20" not in hint


def test_an_empty_list_is_said_to_be_empty() -> None:
    assert did_you_mean("eap", []) == "None is known here."


def test_the_error_for_an_unknown_name_is_wrong_usage() -> None:
    error = unknown("method", "eep", ["eap"])
    assert error.exit_status == 2
    assert error.what == "Unknown method 'eep'."
    assert "'eap'" in error.do
