import pytest
import torch  # noqa: F401  so that threads are set before
from alignment_cases import view

from mibench.core.errors import UsageError
from mibench.methods.alignment.settings import sweep_of, training_of
from mibench.methods.method import METHODS
from mibench.tasks.variable_task import Training


@pytest.mark.parametrize("text", ["0,0.001", "(0.0, 0.001)", "[0, 1e-3]", " 0 , 1e-3 ,"])
def test_prices_are_read_from_text(text):
    assert METHODS.load("dbm").parameters({"sparsities": text})["sparsities"] == (0.0, 0.001)


def test_a_single_price_is_a_number():
    assert METHODS.load("dbm").parameters({"sparsities": 0.5})["sparsities"] == (0.5,)


@pytest.mark.parametrize("text", ["", "a,b", "-1", "nan", True])
def test_no_price_or_a_wrong_one_is_refused(text):
    with pytest.raises(UsageError, match="sparsities"):
        METHODS.load("dbm").parameters({"sparsities": text})


@pytest.mark.parametrize("text", [None, "None", "none", ""])
def test_unset_may_be_written(text):
    found = METHODS.load("das").parameters({"epochs": text, "lr": text})
    assert (found["epochs"], found["lr"]) == (None, None)


@pytest.mark.parametrize(
    ("name", "value"), [("k", 0), ("epochs", 0), ("batch", -1), ("lr", 0), ("lr", "nan"), ("k", 1.5)]
)
def test_numbers_that_cannot_be_are_refused(name, value):
    with pytest.raises(UsageError, match=name):
        METHODS.load("das").parameters({name: value})


def test_the_task_says_what_is_not_given():
    cell = view(training=Training(epochs=3, batch=5, lr=0.5))
    assert training_of(cell, None, None, None) == Training(3, 5, 0.5)
    assert training_of(cell, 1, None, 0.25) == Training(1, 5, 0.25)


def test_each_price_is_tried_once_and_mib_has_no_price():
    training = Training(1, 1, 1.0)
    assert sweep_of((0.1, 0.0, 0.1), "mibench", training).sparsities == (0.0, 0.1)
    assert sweep_of((0.1, 0.2), "mib", training).sparsities == (0.0,)
