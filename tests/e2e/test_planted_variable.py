"""A network with variables planted by hand: what is found is what is there."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from planted.cell import PlantedCell, iia, normalised, one_by_one, rotation_of
from planted.model import ARCHITECTURES, planted_model
from planted.naive import answers, swapped_logits
from planted.plan import VARIABLES, Plan
from planted.rows import LAST, empty_sites, isolate_rows, random_rows, true_sites
from scipy.linalg import subspace_angles

from mibench.artifacts.featurizers.featurizers import Featurizers
from mibench.core.sites import Component, Site
from mibench.engine.controls.shuffled_weights import shuffled_weights
from mibench.engine.model import LanguageModel
from mibench.methods.method import Method
from mibench.methods.variable.das import das
from mibench.methods.variable.full_vector import full_vector
from mibench.methods.variable.random_subspace import random_subspace
from mibench.methods.variable.revnet import revnet
from mibench.tasks.variable_parts import Training

PLAN = Plan()


@cache
def planted(architecture: str) -> Any:
    return planted_model(architecture, PLAN, torch.float64)


def rows_of(variable: str) -> list[Any]:
    return cause_rows(variable) + isolate_rows(PLAN, variable)


def cause_rows(variable: str) -> list[Any]:
    return random_rows(PLAN, variable)[::5]


# What was planted, checked with plain transformers.


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_planted_network_answers_every_prompt_by_a_bounded_margin(architecture: str) -> None:
    rows = rows_of("a")
    logits = swapped_logits(planted(architecture), rows, None, None)
    np.testing.assert_array_equal(logits.argmax(-1), answers(rows, "base_accepted"))
    best = np.sort(logits, axis=-1)
    assert (best[:, -1] - best[:, -2]).min() > 4
    assert (best[:, -1] - best[:, -2]).max() < 8


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_planted_subspace_is_all_of_the_variable_and_nothing_else(architecture: str, variable: str) -> None:
    rows, model = rows_of(variable), planted(architecture)
    for site, basis in true_sites(PLAN, variable).items():
        logits = swapped_logits(model, rows, site, basis)
        np.testing.assert_array_equal(logits.argmax(-1), answers(rows), err_msg=site.name)


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_outside_the_planted_subspace_nothing_of_the_variable_is_left(architecture: str, variable: str) -> None:
    cause, model = cause_rows(variable), planted(architecture)
    for site, basis in true_sites(PLAN, variable).items():
        rest = np.linalg.svd(basis)[0][:, PLAN.k :]
        assert not (swapped_logits(model, cause, site, rest).argmax(-1) == answers(cause)).any(), site.name


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_each_direction_of_the_planted_subspace_is_needed(architecture: str, variable: str) -> None:
    cause, model = cause_rows(variable), planted(architecture)
    for site, basis in true_sites(PLAN, variable).items():
        whole = swapped_logits(model, cause, site, basis)
        for left_out in range(PLAN.k):
            less = swapped_logits(model, cause, site, np.delete(basis, left_out, axis=1))
            assert label_loss(less, answers(cause)) > 10 * label_loss(whole, answers(cause)), site.name


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_at_empty_sites_a_whole_swap_does_not_reach_the_answer(architecture: str, variable: str) -> None:
    cause, model = cause_rows(variable), planted(architecture)
    for site in empty_sites(PLAN, variable):
        assert not (swapped_logits(model, cause, site, None).argmax(-1) == answers(cause)).any(), site.name


def label_loss(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean cross-entropy."""
    return float(torch.nn.functional.cross_entropy(torch.tensor(logits), torch.tensor(labels)))


# What the library finds.

TRUE = (Site(1, "a"), Site(3, LAST))
EMPTY = (Site(2, "a"), Site(1, LAST))
MOVER = Site(2, LAST, Component.HEAD, 0)


def cell(architecture: str, variable: str, sites: tuple[Site, ...]) -> PlantedCell:
    return PlantedCell(LanguageModel(planted_model(architecture, PLAN)), variable, one_by_one(sites), PLAN)


def angle(found: Featurizers, site: Site, variable: str) -> float:
    """Largest principal angle to the planted subspace, in degrees."""
    return float(np.degrees(subspace_angles(rotation_of(found, site), true_sites(PLAN, variable)[site]).max()))


def check_das(architecture: str, variable: str, true: tuple[Site, ...], empty: tuple[Site, ...]) -> None:
    """DAS of the true dimension finds the planted subspace where it is, and nothing where it is not."""
    where = cell(architecture, variable, (*true, *empty))
    found = where.found_by(das)
    tables = where.tables(found)
    reached, kept = normalised(tables), iia(tables["examples"], "isolate")
    for site in true:
        assert angle(found, site, variable) <= 5, site.name
        assert reached[site.name] >= 0.98, site.name
        assert kept[site.name] >= 0.98, site.name
    assert all(reached[site.name] <= 0.05 for site in empty), reached
    chosen = tables["selection"].set_index("group")["chosen"]
    assert [name for name in chosen.index if chosen[name]] in [[site.name] for site in true]


def test_das_finds_the_planted_subspace_and_chooses_its_site() -> None:
    check_das("gpt2", "a", TRUE, EMPTY)


def test_das_finds_the_planted_subspace_of_the_head_that_moves_the_variable() -> None:
    check_das("llama", "a", (MOVER,), (Site(2, LAST, Component.HEAD, 3),))


@pytest.mark.slow
@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_das_finds_every_planted_subspace_and_no_other(architecture: str, variable: str) -> None:
    check_das(architecture, variable, tuple(true_sites(PLAN, variable)), empty_sites(PLAN, variable))


@pytest.mark.parametrize("variable", VARIABLES)
def test_whole_sites_carry_the_variable_exactly_where_it_was_planted(variable: str) -> None:
    true, empty = true_sites(PLAN, variable), empty_sites(PLAN, variable)
    where = cell("gpt2", variable, (*true, *empty))
    tables = where.tables(where.found_by(full_vector))
    reached, kept = normalised(tables), iia(tables["examples"], "isolate")
    assert all(reached[site.name] == 0 for site in empty)
    for site in true:
        # At the last token the other variable is swapped along, once it is there.
        alone = site.position != LAST or site.component is Component.HEAD or site.layer < max(PLAN.moved_at.values())
        assert reached[site.name] == (1.0 if alone else pytest.approx(0.25, abs=0.1)), site.name
        assert kept[site.name] == (1.0 if alone else 0.0), site.name


def test_random_subspaces_of_the_true_dimension_carry_next_to_nothing() -> None:
    true = tuple(true_sites(PLAN, "a"))[:5]
    where = cell("gpt2", "a", true)
    reached = normalised(where.tables(where.found_by(random_subspace)))
    assert max(reached.values()) <= 0.05


# What a nonlinear map finds where there is nothing.

FEW_TOKENS = Plan(n_values=2, synonyms=2, n_queries=4, noise=1.0, inert_scale=1.0)
"""Inert noise tells the token, but a value's two tokens have opposite noise: no linear map of it tells the value."""
LONG = Training(epochs=24, batch=64, lr=5e-3)
"""For 960 rows."""


def reached_by(method: Method, site: Site, shuffled: bool, k: int) -> float:
    model = LanguageModel(planted_model("gpt2", FEW_TOKENS))
    model = shuffled_weights(model, 0) if shuffled else model
    where = PlantedCell(model, "a", ((site,),), FEW_TOKENS, LONG, draws=40)
    return normalised(where.tables(where.found_by(method, k=k)))[site.name]


def test_a_nonlinear_map_finds_the_variable_in_shuffled_weights_and_a_rotation_does_not() -> None:
    site = Site(3, LAST)
    assert reached_by(revnet, site, True, 16) >= 0.9
    assert reached_by(das, site, True, 16) <= 0.2


@pytest.mark.slow
def test_a_nonlinear_map_finds_the_variable_at_a_site_where_nothing_of_it_was_planted() -> None:
    site = Site(1, LAST)
    assert site in empty_sites(FEW_TOKENS, "a")
    assert reached_by(revnet, site, False, 16) >= 0.9
    assert reached_by(das, site, False, FEW_TOKENS.k) <= 0.6


@pytest.mark.slow
@pytest.mark.parametrize("layer", [1, 2])
def test_a_nonlinear_map_finds_the_variable_upstream_in_shuffled_weights(layer: int) -> None:
    assert reached_by(revnet, Site(layer, LAST), True, 16) >= 0.9
