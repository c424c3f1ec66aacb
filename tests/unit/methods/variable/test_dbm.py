import numpy as np
import pytest
import torch
from alignment_cases import HEADS, LAST, call, edit_at, intervention, outputs, view

from mibench.core.errors import MethodError
from mibench.engine.interchange.options import SiteEdit


def entry(found):
    return found.meta["log"][LAST.name]


def test_a_price_beyond_all_bounds_gives_an_empty_mask_which_swaps_nothing():
    found = call("dbm", view(), sparsities="1e5")
    given = outputs(view(), intervention(found), ())
    assert found[LAST].n_selected(16) == 0
    assert np.allclose(given.label_logprob[0], given.label_logprob[1], atol=1e-5)
    assert np.array_equal(given.correct[0], given.correct[1])


def test_no_price_is_not_empty_and_swaps_what_it_selects():
    found = call("dbm", view(), sparsities="0", lr=0.1, epochs=6)
    mask = found[LAST].select
    assert 0 < mask.sum() < 16
    base, source = torch.randn(2, 4, 1, 16)
    assert torch.equal(edit_at(found)(base, source), torch.where(torch.tensor(mask), source, base))


def test_a_whole_mask_is_the_whole_swap():
    found = view().featurizers({LAST: (call("dbm", view())[LAST].operations, np.ones(16, dtype=bool))})
    given = outputs(view(), intervention(found), (SiteEdit(LAST, lambda base, source: source),))
    assert np.allclose(given.label_logprob[0], given.label_logprob[1], atol=1e-5)


def test_a_sweep_tries_every_price_and_keeps_the_best_on_validation():
    found = call("dbm", view(), sparsities="0,0.01,1e5")
    tried = entry(found)["candidates"]
    assert found.meta["sparsities"] == [0.0, 0.01, 1e5]
    assert [one["features"] for one in tried][-1] == 0
    best = max((one["score"], -one["features"]) for one in tried)
    assert (tried[entry(found)["chosen"]]["score"], -tried[entry(found)["chosen"]]["features"]) == best
    assert found[LAST].n_selected(16) == -best[1]


def test_each_price_of_a_sweep_gives_what_it_gives_alone():
    swept = call("dbm", view(), sparsities="0,0.01,1e5")
    alone = call("dbm", view(), sparsities=str(swept.meta["sparsities"][entry(swept)["chosen"]]))
    assert np.array_equal(alone[LAST].select, swept[LAST].select)


def test_mib_has_no_price_and_looks_at_no_validation_rows():
    mib = call("dbm", view(validation=()), variant="mib", sparsities="1e5")
    free = call("dbm", view(), sparsities="0")
    assert np.array_equal(mib[LAST].select, free[LAST].select)
    assert mib.meta["sparsities"] == [0.0]


def test_a_sweep_without_validation_rows_is_refused_before_training():
    told = []
    cell = view(validation=(), progress=lambda done, total: told.append(done))
    with pytest.raises(MethodError, match="no validation rows"):
        call("dbm", cell)
    assert not told


def test_heads_have_a_mask_each():
    found = call("dbm", view(HEADS), sparsities="0", lr=0.1)
    assert [len(found[site].select) for site in HEADS] == [4, 4]


def test_the_trained_mask_is_better_than_its_opposite():
    cell = view()
    found = call("dbm", cell, sparsities="0", lr=0.1, epochs=10)
    mask = found[LAST].select
    other = cell.featurizers({LAST: (found[LAST].operations, ~mask)})
    logprob = outputs(cell, intervention(found), intervention(other)).label_logprob.mean(1)
    assert logprob[0] > logprob[1]
