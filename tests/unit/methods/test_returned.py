from __future__ import annotations

import pytest

from mibench.core.errors import MethodError
from mibench.methods.returned import artifact_of


def test_what_a_method_returned_is_given_if_it_is_of_its_kind():
    assert artifact_of(3, int, "mine", noun="a number", call="view.number()") == 3


def test_a_method_that_returned_something_else_is_told_what_to_return():
    with pytest.raises(MethodError) as caught:
        artifact_of(None, int, "mine", noun="a number", call="view.number()")
    assert caught.value.what == "mine did not return a number."
    assert caught.value.why == "It returned a NoneType."
    assert caught.value.do == "Return view.number() from the method."
