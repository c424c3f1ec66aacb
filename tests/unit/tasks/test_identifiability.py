from __future__ import annotations

import pytest
from toy_variables import CAUSAL, ROWS, row, task

from mibench.core.errors import DataError, UsageError
from mibench.tasks.causal.identifiability import NOTHING, Separation, check_separated, separations


def shares(found):
    return {(one.set, one.first, one.second): one.share for one in found}


def test_shares_are_counted_by_set_for_every_pair_and_for_doing_nothing():
    # both: 1+2 ← 4+3: a 6, b 4, sum 7, nothing 3.   3+2 ← 2+4: a 4, b 7, sum 6, nothing 5.
    found = separations(CAUSAL, [ROWS[0], ROWS[2], ROWS[1]], ("a", "b", "sum"))
    assert found[0] == Separation("both", "a", "b", 1.0, 2)
    assert shares(found)["first", "b", NOTHING] == 0.0
    assert shares(found)["first", "a", "sum"] == 0.0
    assert shares(found)["first", "b", "sum"] == 1.0
    assert len(found) == 2 * 6


def test_a_share_is_that_of_the_rows_that_differ():
    rows = [
        row("both", (1, 2), (1, 5)),
        row("both", (1, 2), (2, 2)),
        row("both", (1, 2), (4, 5)),
        row("both", (0, 0), (0, 0)),
    ]
    found = shares(separations(CAUSAL, rows, ("a", "b")))
    assert found == {("both", "a", "b"): 0.5, ("both", "a", NOTHING): 0.5, ("both", "b", NOTHING): 0.5}


def test_several_variables_are_one_name_where_they_are_joined():
    found = shares(separations(CAUSAL, ROWS[:1], ("a+b", "sum")))
    assert found["both", "a+b", "sum"] == 0.0
    assert found["both", "a+b", NOTHING] == 1.0


def test_a_variable_that_some_set_tells_from_all_others_is_passed():
    found = check_separated(task(), "a", ROWS)
    assert {(one.set, one.first, one.second) for one in found} >= {("both", "a", "sum"), ("first", "a", NOTHING)}


def test_a_variable_that_never_changes_the_answer_is_refused():
    with pytest.raises(DataError, match="do not tell 'b' from doing nothing"):
        check_separated(task(), "b", [one for one in ROWS if one.set == "first"])


def test_a_variable_that_no_set_tells_from_another_one_is_refused():
    with pytest.raises(DataError, match="do not tell 'a' from 'sum'"):
        check_separated(task(), "a", [one for one in ROWS if one.set == "first"])
    with pytest.raises(DataError, match=r"do not tell 'a\+b' from 'sum'"):
        check_separated(task(), "a+b", ROWS)


def test_no_rows_tell_nothing():
    with pytest.raises(DataError, match="doing nothing"):
        check_separated(task(), "a", [])


def test_names_are_checked_first():
    with pytest.raises(UsageError, match="Unknown variable"):
        check_separated(task(), "word", ROWS)
