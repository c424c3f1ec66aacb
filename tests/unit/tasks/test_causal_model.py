from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mibench.core.errors import DataError, UsageError
from mibench.tasks.causal.model import CausalModel, Variable

DIGIT = range(10)


def chain(*variables: Variable, output: str = "raw_output") -> CausalModel:
    return CausalModel("toy", variables, output)


# Declared upside down: the order is the model's business.
SUMS = chain(
    Variable("raw_output", ("ab", "c"), lambda ab, c: ab + c),
    Variable("ab", ("a", "b"), lambda a, b: a + b, doc="Sum of the first two."),
    Variable("a", domain=DIGIT),
    Variable("b", domain=DIGIT),
    Variable("c", domain=DIGIT),
)
BASE, SOURCE = {"a": 1, "b": 2, "c": 3}, {"a": 5, "b": 4, "c": 9}


def test_values_follow_from_the_inputs_in_whatever_order_variables_are_declared():
    assert SUMS.run(BASE) == {"a": 1, "b": 2, "c": 3, "ab": 3, "raw_output": 6}
    assert SUMS.inputs == ("a", "b", "c")
    places = [variable.name for variable in SUMS.order]
    assert places.index("ab") < places.index("raw_output")


def test_an_intervention_cuts_a_variable_off_from_its_parents_and_reaches_its_children():
    assert SUMS.intervene(BASE, {"ab": 100}) == {"a": 1, "b": 2, "c": 3, "ab": 100, "raw_output": 103}
    assert SUMS.intervene(BASE, {"a": 9})["raw_output"] == 14


def test_an_interchange_takes_the_value_that_the_source_gives_the_variable():
    assert SUMS.interchange(BASE, {"ab": SOURCE})["raw_output"] == 9 + 3
    assert SUMS.interchange_on("ab", BASE, SOURCE) == SUMS.interchange(BASE, {"ab": SOURCE})


def test_each_variable_of_a_joint_interchange_has_a_source_of_its_own():
    third = {"a": 0, "b": 0, "c": 7}
    assert SUMS.interchange(BASE, {"ab": SOURCE, "c": third})["raw_output"] == 9 + 7
    assert SUMS.interchange(BASE, {"ab": third, "c": SOURCE})["raw_output"] == 0 + 9


def test_variables_joined_by_plus_are_set_together_from_one_source():
    assert SUMS.interchange_on("ab+c", BASE, SOURCE)["raw_output"] == SUMS.run(SOURCE)["raw_output"]
    assert SUMS.interchange_on("a+c", BASE, SOURCE)["raw_output"] == 5 + 2 + 9


@given(*(st.fixed_dictionaries(dict.fromkeys("abc", st.integers(0, 9))) for _ in range(2)))
def test_an_interchange_of_all_inputs_is_the_source_and_of_none_is_the_base(base, source):
    assert SUMS.interchange_on("a+b+c", base, source) == SUMS.run(source)
    assert SUMS.interchange(base, {}) == SUMS.run(base)
    assert SUMS.interchange_on("raw_output", base, base) == SUMS.run(base)


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        ([Variable("x", ("y",), abs), Variable("y", ("x",), abs)], "depend on themselves: .*x.*y"),
        ([Variable("x", ("x",), abs)], "depend on themselves"),
        ([Variable("x", ("z",), abs)], "depends on 'z', which is no variable"),
        ([Variable("x"), Variable("x")], "Two variables are called 'x'"),
        ([Variable("x", ("raw_output",))], "has parents and no mechanism"),
        ([Variable("x+y")], "no name for a variable"),
    ],
)
def test_what_is_no_graph_is_refused_when_it_is_made(variables, why):
    with pytest.raises(DataError, match=why):
        chain(Variable("raw_output"), *variables)


def test_the_output_must_be_one_of_the_variables():
    with pytest.raises(DataError, match="output 'y' is no variable"):
        chain(Variable("x"), output="y")


@pytest.mark.parametrize("inputs", [{"a": 1, "b": 2}, {**BASE, "ab": 3}, {**BASE, "d": 1}])
def test_inputs_that_are_missing_or_are_none_are_refused(inputs):
    with pytest.raises(DataError, match="the inputs are a, b, c"):
        SUMS.run(inputs)


def test_values_outside_a_domain_are_refused_wherever_they_come_from():
    model = chain(Variable("x", domain=DIGIT), Variable("raw_output", ("x",), lambda x: x * 3, domain=DIGIT))
    for act in (
        lambda: model.run({"x": 10}),
        lambda: model.run({"x": 4}),
        lambda: model.intervene({"x": 1}, {"x": -1}),
    ):
        with pytest.raises(DataError, match="not one of its values"):
            act()


@pytest.mark.parametrize(("variable", "why"), [("abc", "Unknown variable 'abc'"), ("a+a", "names a variable twice")])
def test_names_of_variables_are_checked(variable, why):
    with pytest.raises(UsageError, match=why):
        SUMS.interchange_on(variable, BASE, SOURCE)
    with pytest.raises(UsageError, match="Unknown variable 'abc'"):
        SUMS.intervene(BASE, {"abc": 1})


def test_the_graph_is_text_that_a_person_can_read():
    assert SUMS.graph() == "inputs: a, b, c\na, b → ab           Sum of the first two.\nab, c → raw_output"
