from __future__ import annotations

import pytest

from mibench.core.errors import DataError
from mibench.tasks.checker import Checker, contains, first_number, forced


@pytest.mark.parametrize(
    ("text", "output", "right"),
    [
        ("68", "68", True),
        ("5", "5", True),  # MIB expects "005", takes off one zero, and so calls this wrong
        ("168.", 168, True),
        ("068", "68", True),
        ("0", "0", True),
        (" the sum is 68", "68", True),
        ("168", "68", False),
        ("680", "68", False),
        ("6", "68", False),
        ("sixty-eight", "68", False),
        ("12, no: 68", "68", False),
    ],
)
def test_the_first_number_in_a_text_is_what_counts_without_padding(text, output, right):
    assert first_number(text, output) is right


@pytest.mark.parametrize(("text", "right"), [(" C", True), (" C.", True), ("C", False), (" c", False), ("", False)])
def test_a_label_is_right_where_it_stands_after_a_space(text, right):
    assert contains(text, " C") is right


def test_an_empty_output_is_in_no_text():
    assert not contains("anything", "")


def test_a_forced_checker_takes_the_output_as_its_answer():
    assert forced().answers(68) == ("68",)
    assert forced().new_tokens is None
    assert forced(lambda output: ("a", "b")).answers("x") == ("a", "b")


@pytest.mark.parametrize("fields", [(None, tuple, contains), (1, tuple, None), (0, tuple, contains)])
def test_a_checker_judges_tokens_or_text_and_not_a_bit_of_both(fields):
    with pytest.raises(DataError, match="checker cannot be used"):
        Checker(*fields)
