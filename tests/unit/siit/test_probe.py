"""Swaps at single places are those of the engine."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mibench.core.sites import Component, Site
from mibench.engine.interchange.interchanges import Interchanges
from mibench.engine.interchange.options import SiteEdit
from mibench.engine.model import LanguageModel
from mibench.models.load import load_hf
from mibench.siit.alignment import place_of
from mibench.siit.probe import Place, Probe
from mibench.siit.recipes import RECIPES
from mibench.tasks.shipped import data_folder
from mibench.tasks.variable_task import load_variable_task

_LIMIT = 15


def site_of(place: Place) -> Site:
    if place.node is None:
        return Site(place.layer, place.position.name)
    _, head = place_of(place.node)
    return Site(place.layer, place.position.name, Component.MLP if head is None else Component.HEAD, head)


@pytest.mark.parametrize(("name", "variable"), [("siit-logic", "inner"), ("siit-mcqa", "answer_pointer")])
def test_a_swap_at_a_place_is_the_engines_interchange(name: str, variable: str) -> None:
    loaded = load_hf(str(data_folder("truth") / name))
    assert loaded.tokenizer is not None
    probe = Probe(loaded, RECIPES[name].reader, _LIMIT)
    task = load_variable_task(name)
    rows = task.encoded("test", _LIMIT, variable, loaded.tokenizer, loaded.vocab_size).rows
    places = probe.places()
    edits = [(SiteEdit(site_of(place), lambda _base, source: source),) for place in places]
    expected = Interchanges(LanguageModel(loaded.model), rows).run(edits).correct
    wanted = probe.reader.answer_ids(
        [probe.reader.swapped(variable, *row) or "" for row in probe.all_rows[: len(rows)]]
    )
    found = np.stack([(probe.swapped_at(place)[: len(rows)] == wanted).numpy() for place in places])
    assert np.array_equal(found, expected)
    assert 0 < expected.mean() < 1


def test_rows_are_those_of_the_sets_and_of_prompts_that_do_not_belong_together() -> None:
    probe = Probe.of(data_folder("truth") / "siit-logic", RECIPES["siit-logic"].reader, 4)
    assert len(probe.all_rows) == 4 * 3 + 11
    assert list(probe.all_rows[:4]) == list(probe.rows("random"))
    assert probe.all_rows[12] == (probe.all_rows[0][0], probe.all_rows[1][0])


def test_swapping_nothing_changes_nothing() -> None:
    probe = Probe.of(data_folder("truth") / "siit-logic", RECIPES["siit-logic"].reader, 10)
    assert torch.equal(probe.swapped(()), probe.plain)
