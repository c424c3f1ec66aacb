from __future__ import annotations

from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from mibench.core.errors import UsageError
from mibench.core.specs import Ablation
from mibench.methods.method import Method, method


def every_kind(
    view,
    *,
    count: Annotated[int, Field(ge=1, le=9)] = 5,
    share: float = 0.5,
    keep: bool = True,
    rule: Literal["left", "right"] = "left",
    ablation: Ablation = Ablation.ZERO,
    layers: tuple[int, ...] = (1, 2),
    **rest,
):
    return view


PLAIN = Method(every_kind, name="plain")


def test_the_view_and_open_ends_are_no_parameters():
    assert list(PLAIN.known) == ["count", "share", "keep", "rule", "ablation", "layers"]


@given(count=st.integers(1, 9), share=st.floats(allow_nan=False, allow_infinity=False), keep=st.booleans())
def test_texts_and_values_mean_the_same(count, share, keep):
    values = {"count": count, "share": share, "keep": keep}
    texts = {name: str(value) for name, value in values.items()}
    assert PLAIN.parameters(texts) == PLAIN.parameters(values)


@pytest.mark.parametrize(
    ("name", "value"),
    [("count", 0), ("count", "10"), ("count", "5.5"), ("share", "much"), ("keep", "maybe"), ("rule", "up"),
     ("ablation", "none"), ("layers", "1")],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_refused_with_the_default(name, value):
    with pytest.raises(UsageError) as caught:
        PLAIN.parameters({name: value})
    assert name in caught.value.what
    assert "default" in caught.value.do


def test_an_unknown_parameter_gets_a_hint():
    with pytest.raises(UsageError) as caught:
        PLAIN.parameters({"cuont": 3})
    assert "'count'" in caught.value.do


def test_a_parameter_without_default_has_to_be_given():
    def needy(view, depth: int):
        return view

    with pytest.raises(UsageError, match="needs 'depth'"):
        Method(needy, name="needy").parameters({})
    assert Method(needy, name="needy").parameters({"depth": "3"}) == {"depth": 3}


def test_the_decorator_keeps_the_function_and_what_is_declared():
    @method(track="circuit", name="mine", version=7, needs=("randomness",), levels=("node",))
    def mine(view):
        return view

    assert mine.function(3) == 3
    assert (mine.name, mine.version, mine.needs, mine.levels) == ("mine", 7, ("randomness",), ("node",))
    assert mine.code_digest is None


def test_a_default_of_another_type_is_left_as_it_is():
    def odd(view, k: int = None, name: str = "a", share: float = 1):  # noqa: RUF013
        return view

    assert Method(odd, name="odd").parameters({}) == {"k": None, "name": "a", "share": 1.0}
    assert Method(odd, name="odd").parameters({"k": None})["k"] is None
    assert Method(odd, name="odd").parameters({"k": 5})["k"] == 5


def test_a_number_is_a_text_where_a_text_is_wanted():
    def named(view, name: str, rule: Literal["1", "2"] = "1"):
        return view

    assert Method(named, name="named").parameters({"name": 7, "rule": 2}) == {"name": "7", "rule": "2"}


@pytest.mark.parametrize("name", ["count", "share"])
def test_true_is_no_number(name):
    with pytest.raises(UsageError) as caught:
        PLAIN.parameters({name: True})
    assert "not true or false" in caught.value.why
    assert PLAIN.parameters({"keep": False})["keep"] is False
