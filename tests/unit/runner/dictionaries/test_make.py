from __future__ import annotations

import threading
import time

import pytest
from dictionary_examples import example
from planted_activations import Planted, view_of

from mibench.core.specs import MethodRef, ModelRef
from mibench.runner.dictionaries.bench import DictionaryBench
from mibench.runner.dictionaries.make import Recipe, make_dictionary

PIECE, LOST = 0.05, 0.5


class Killed(Exception):
    pass


@pytest.fixture
def made(monkeypatch, tmp_path):
    """Makes a dictionary of one recipe by a function of the view, in a cache of its own; gives what it took."""
    monkeypatch.setenv("MIBENCH_CACHE", str(tmp_path))
    source = Planted(tokens=600)
    view = view_of(source)
    method = MethodRef(name="topk", version=1, params={}, seed=0)
    recipe = Recipe(method, view.place, ModelRef(name="tiny", digest="b" * 64), source, view.facts)

    def call(function):
        own = DictionaryBench()
        make_dictionary(recipe, function, view, own, again=False)
        return own.costs[recipe.key]

    return call


def dies(view, *, saves):
    time.sleep(PIECE)
    if saves:
        view.saved()
    time.sleep(LOST)
    raise Killed


def ends(view):
    return example("topk", d_in=16, d_sae=24)


def test_a_training_that_went_on_cost_what_all_its_pieces_did_and_lost_work_is_not_counted(made):
    for _ in range(2):
        with pytest.raises(Killed):
            made(lambda view: dies(view, saves=True))
    assert 2 * PIECE <= made(ends).seconds < LOST


def test_what_kept_nothing_starts_anew_and_costs_its_own_time(made):
    with pytest.raises(Killed):
        made(lambda view: dies(view, saves=False))
    assert made(ends).seconds < LOST


def test_nothing_unfinished_is_left_behind(made, tmp_path):
    with pytest.raises(Killed):
        made(lambda view: dies(view, saves=True))
    made(ends)
    assert {one.suffix for one in (tmp_path / "dictionaries").glob("[!.]*")} == {".safetensors", ".json"}


def test_two_runs_train_one_dictionary_once(made):
    calls = []

    def slow(view):
        calls.append(1)
        time.sleep(0.3)
        return ends(view)

    runs = [threading.Thread(target=made, args=(slow,)) for _ in range(2)]
    for one in runs:
        one.start()
    for one in runs:
        one.join()
    assert calls == [1]
