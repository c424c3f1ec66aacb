from dataclasses import replace

import numpy as np
import pytest
from alignment_cases import EARLY, HEADS, LAST, call, rows, view

from mibench.artifacts.featurizers.operation import Operation
from mibench.core.errors import MethodError
from mibench.core.sites import Site
from mibench.methods.alignment.align import align, trained_groups
from mibench.methods.alignment.fitting import Recipe
from mibench.methods.alignment.masks import Features, shut_mask
from mibench.methods.alignment.subspaces import random_subspaces
from mibench.runner.cells.meter import Meter
from mibench.tasks.variable_task import Training

A, B, C = Site(0, "last"), Site(1, "last"), Site(2, "last")


def test_groups_within_another_are_trained_there():
    assert trained_groups([(A,), (B,), (A, B), (C,), (C,)]) == [(A, B), (C,)]


def test_groups_that_overlap_otherwise_are_refused():
    with pytest.raises(MethodError, match="two groups"):
        trained_groups([(A, B), (B, C)])


def test_what_is_found_at_a_site_depends_on_no_other_group():
    alone = call("das", view((LAST,)))
    for groups in (((EARLY,), (LAST,)), ((LAST,), (EARLY,))):
        both = call("das", view(*groups))
        assert both[LAST].to_json() == alone[LAST].to_json()
        assert EARLY in both


def test_sites_of_a_group_are_trained_together():
    alone = call("das", view((HEADS[0],)))
    joint = call("das", view((HEADS[0],), (HEADS[1],), HEADS))
    assert [one.site for one in joint.sites] == list(HEADS)
    assert joint[HEADS[0]].to_json() != alone[HEADS[0]].to_json()
    assert list(joint.meta["log"]) == ["head.L1.H0@all + head.L1.H2@all"]


def test_bases_and_sources_are_run_once_for_all_groups():
    groups = [(Site(2, position),) for position in ("first", "last", "all")]
    with Meter() as meter:
        call("das", view(*groups, counter=meter))
    # Nothing comes after the last layer, so that training itself is free.
    assert meter.cost().forward_passes == 2 * len(rows())


def test_progress_reaches_its_end_once_and_never_goes_back():
    told = []
    cell = view((LAST,), (EARLY,), progress=lambda done, total: told.append((done, total)))
    align(cell, [Recipe(random_subspaces(cell, 2), Training(2, 8, 0.01))])
    mine = [pair for pair in told if pair[1] == 2 * 2 * len(rows())]
    assert mine[-1] == (96, 96)
    assert mine == sorted(mine)


def swapping(count, price=0.0):
    """A recipe that hardly learns, and whose mask has ``count`` open gates."""

    def start(site, _generator):
        mask = shut_mask(Features((Operation("identity"),), 16), price, view().model)
        mask.logits.data[:count] = 1.0
        mask.logits.data[count:] = -1.0
        return mask

    return Recipe(start, Training(1, 24, 1e-9))


def test_the_best_on_validation_is_kept():
    cell = view()
    found = align(cell, [swapping(16), swapping(5), swapping(0)])
    entry = found.meta["log"][LAST.name]
    scores = [one["score"] for one in entry["candidates"]]
    assert [one["features"] for one in entry["candidates"]] == [16, 5, 0]
    assert scores[entry["chosen"]] == max(scores)
    assert found[LAST].n_selected(16) == (16, 5, 0)[entry["chosen"]]


def test_of_equals_the_one_that_swaps_less_is_kept():
    # A source like its base changes nothing, whatever is swapped.
    cell = view(validation=[replace(row, source=row.base) for row in rows(12, seed=1)])
    found = align(cell, [swapping(16), swapping(3), swapping(5)])
    assert len({one["score"] for one in found.meta["log"][LAST.name]["candidates"]}) == 1
    assert found[LAST].n_selected(16) == 3


def test_a_single_recipe_needs_no_validation_rows():
    found = align(view(validation=()), [swapping(2)])
    assert np.array_equal(np.flatnonzero(found[LAST].select), [0, 1])
    assert "candidates" not in found.meta["log"][LAST.name]


def test_no_rows_are_told():
    with pytest.raises(MethodError, match="no train rows"):
        call("das", view(train=()))
