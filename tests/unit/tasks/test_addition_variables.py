from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from offset_pieces import OffsetPieces

from mibench.core.errors import DataError
from mibench.tasks.arithmetic.addition_variables import inputs, parse, two_digit_addition
from mibench.tasks.arithmetic.digit_variables import one_digit
from mibench.tasks.causal.identifiability import NOTHING, check_separated, separations
from mibench.tasks.interchange_rows import to_rows
from mibench.tasks.shipped import data_folder
from mibench.tasks.variable_task import load_variable_task

MODEL = two_digit_addition()


def problem(first, second, sentence="Q: How much is {} plus {}? A: "):
    return {"prompt": sentence.format(first, second), "label": first + second, "operand1": first, "operand2": second}


def hub_row(**changes):
    return {
        "operator": "+",
        "num_digit": 2,
        "template": "how much",
        **problem(27, 36),
        "random_counterfactual": problem(41, 12),
        "ones_carry_counterfactual": problem(22, 33),
    } | changes


@given(st.integers(0, 99), st.integers(0, 99))
def test_the_model_adds_and_writes_sums_without_leading_zeros(first, second):
    assert MODEL.run(inputs(first, second, ""))["raw_output"] == str(first + second)


@given(*(st.integers(0, 99) for _ in range(4)))
def test_an_interchange_on_the_carry_moves_the_sum_by_ten_and_keeps_its_last_digit(a, b, c, d):
    base, source = inputs(a, b, ""), inputs(c, d, "")
    carries = [int(one % 10 + other % 10 > 9) for one, other in ((a, b), (c, d))]
    found = int(MODEL.interchange_on("ones_carry", base, source)["raw_output"])
    assert found == a + b + 10 * (carries[1] - carries[0])


def test_sums_of_one_two_and_three_digits_are_all_un_padded():
    sums = {(2, 3): "5", (20, 48): "68", (80, 88): "168", (0, 0): "0"}
    assert {pair: MODEL.run(inputs(*pair, ""))["raw_output"] for pair in sums} == sums


@pytest.mark.parametrize(("text", "right"), [("63", True), ("063", True), ("63\n", True), ("6", False), ("163", False)])
def test_mibs_data_is_judged_by_the_first_number_that_is_generated(text, right):
    checker = load_variable_task("mib/arithmetic-addition").parts.checker
    assert checker.new_tokens == 3
    assert checker.answers("63") == ("63",)
    assert checker.accepts(text, "63") is right


def test_our_own_set_is_judged_by_all_tokens_of_the_sum():
    task = load_variable_task("arithmetic-addition")
    for digits, lengths in ((1, {2, 3}), (3, {1})):
        found = task.encoded("validation", 50, "ones_carry", OffsetPieces(digits), 1000)
        assert found.left_out == {}
        assert {len(ids) for row in found.rows for ids in row.accepted} == lengths


def test_operands_are_the_last_two_numbers_of_the_prompt():
    task = load_variable_task("arithmetic-digit")
    encoder = OffsetPieces()
    for row in task.encoded("test", 30, "sum", encoder, 1000).rows:
        names = {number: piece for piece, number in encoder.ids.items()}
        first, second = (names[row.base[row.base_positions[name][0]]] for name in ("op1_last", "op2_last"))
        assert str(int(first) + int(second)) == row.base_expected
        assert row.base_positions["op1_last"] < row.base_positions["op2_last"] < row.base_positions["last"]


def test_hub_rows_are_read_with_their_sets():
    found = list(to_rows([parse(hub_row(), "here")], MODEL))
    assert [(one.set, one.source_prompt) for one in found] == [
        ("random", "Q: How much is 41 plus 12? A: "),
        ("ones_carry", "Q: How much is 22 plus 33? A: "),
    ]
    assert found[0].base == {"template": "how much", "op1_tens": 2, "op1_ones": 7, "op2_tens": 3, "op2_ones": 6}
    text = hub_row(label="063", operand1="27")
    assert next(iter(to_rows([parse(text, "here")], MODEL))) == found[0]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"operator": "-"}, "another operator"),
        ({"num_digit": 3}, "another number of digits"),
        (problem(27, 136), "another number of digits"),
        ({"prompt": "27 and 36 and 9"}, "operands that are not the last two numbers of the prompt"),
        ({"label": 64}, "the causal model disagrees with the recorded answer"),
        ({"random_counterfactual": None}, "no counterfactual"),
        (
            {"random_counterfactual": problem(1, 2) | {"label": 4}},
            "the causal model disagrees with the recorded answer",
        ),
    ],
)
def test_hub_rows_that_are_no_such_addition_are_left_out(changes, reason):
    assert next(iter(to_rows([parse(hub_row(**changes), "here")], MODEL))).reason == reason


@pytest.mark.parametrize("wrong", ["many", None, -1, True])
def test_operands_that_are_no_numbers_are_an_error(wrong):
    with pytest.raises(DataError, match="operand1"):
        parse(hub_row(operand1=wrong), "here")


def test_each_set_of_our_additions_is_what_its_name_says():
    task = load_variable_task("arithmetic-addition")
    rows = task.rows("test")
    shares = {one.set: one.share for one in separations(task.causal, rows, task.variables)}
    assert shares["ones_carry"] == 1.0
    assert 0.3 < shares["random"] < 0.7
    check_separated(task, "ones_carry", rows)
    for row in rows:
        if row.set == "ones_carry":
            after = task.causal.interchange_on("ones_carry", row.base, row.source)["raw_output"]
            assert after != task.causal.run(row.source)["raw_output"]
            assert [row.base[name] for name in ("op1_tens", "op2_tens")] == [
                row.source[name] for name in ("op1_tens", "op2_tens")
            ]


def test_each_set_of_digits_tells_apart_what_its_card_says():
    task = load_variable_task("arithmetic-digit")
    found = separations(task.causal, task.rows("validation"), task.variables)
    same = {(one.set, one.first, one.second) for one in found if one.share == 0}
    assert same == {
        ("same_sum", "sum", NOTHING),
        ("operand1", "operand2", NOTHING),
        ("operand1", "operand1", "sum"),
    }
    assert all(one.share in {0.0, 1.0} for one in found)
    for variable in task.variables:
        check_separated(task, variable, task.rows("validation"))


def test_no_result_of_an_interchange_on_digits_is_two_digits_or_an_examples():
    task = load_variable_task("arithmetic-digit")
    for row in task.rows("train"):
        shown = {line.rpartition(" = ")[2] for line in row.base_prompt.splitlines()[:2]}
        for variable in (*task.variables, "operand1+operand2"):
            output = task.causal.interchange_on(variable, row.base, row.source)["raw_output"]
            assert one_digit(output) == (output,)
            assert output not in shown
    assert one_digit("10") == ()


def test_our_addition_in_the_hubs_schema_gives_the_same_rows(monkeypatch):
    monkeypatch.setenv("MIBENCH_MIB_ARITHMETIC_ADDITION", str(data_folder("arithmetic-addition-interchange")))
    mine, hub = load_variable_task("arithmetic-addition"), load_variable_task("mib/arithmetic-addition")
    assert hub.digest("test") == mine.digest("test")
