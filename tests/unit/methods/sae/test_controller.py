"""How the price of sparsity follows L0."""

from __future__ import annotations

import math

import pytest
import torch

from mibench.methods.dictionaries.controller import Price

CPU = torch.device("cpu")


def test_a_given_coefficient_stays_and_may_be_0():
    for start in (0.0, 0.7):
        price = Price.at(start, None, CPU)
        price.saw(500.0, 1, 100)
        assert price.value == pytest.approx(start)


def test_the_first_steps_are_as_written():
    price = Price.at(2.0, 10.0, CPU)
    price.saw(20.0, 0, 100)
    error = 0.1 * math.log(2)
    assert price.value == pytest.approx(2 * math.exp(1.5 * error + 0.07 * error))
    price.saw(1e9, 1, 100)
    second = error + 0.1 * (1 - error)
    assert price.value == pytest.approx(2 * math.exp(1.5 * second + 0.07 * (error + second)))


@pytest.mark.parametrize(("l0", "sign"), [(30.0, 1), (0.0, -1), (3.0, -1)])
def test_it_rises_while_there_are_too_many_and_falls_while_there_are_too_few(l0, sign):
    price = Price.at(1.0, 10.0, CPU)
    seen = []
    for step in range(50):
        price.saw(l0, step, 100)
        seen.append(sign * price.value)
    assert seen == sorted(seen)


def test_it_stays_for_the_last_twentieth():
    price = Price.at(1.0, 10.0, CPU)
    price.saw(30.0, 94, 100)
    before = price.value
    price.saw(30.0, 95, 100)
    assert price.value == before


@pytest.mark.parametrize("lag", [1, 20, 100])
def test_it_settles_on_the_target_where_l0_follows_the_price_late(lag):
    """log L0 goes to log(40) − log λ with a time constant of some steps."""
    price, log_l0 = Price.at(0.5, 8.0, CPU), math.log(80)
    for step in range(2000):
        log_l0 += (math.log(40) - math.log(price.value) - log_l0) / lag
        price.saw(math.exp(log_l0), step, 2000)
    assert math.exp(log_l0) == pytest.approx(8.0, rel=0.1)
    assert price.value == pytest.approx(5.0, rel=0.1)
