from __future__ import annotations

import numpy as np
import pytest
import torch
from planted_sites import HERE, NOWHERE, THERE, WIDTH, PlantedRuns, planted_view, rows_of

from mibench.core.errors import MethodError
from mibench.engine.featurizers.edit import edit_of
from mibench.methods.variable.pca import pca

N = 20
VALUES = ("ab" * (N // 2), "ba" * (N // 2))


def runs(tokens: int = 1) -> PlantedRuns:
    generator = torch.Generator().manual_seed(1)
    scale = torch.linspace(3, 0.5, WIDTH, dtype=torch.float64)
    held = [
        {
            site: 5 + scale * torch.randn(N, tokens, WIDTH, generator=generator, dtype=torch.float64)
            for site in (HERE, THERE)
        }
        for _ in range(2)
    ]
    for part in held:
        part[NOWHERE] = torch.ones(N, tokens, WIDTH, dtype=torch.float64)
    return PlantedRuns(rows_of(*VALUES), *held)


def pooled(planted: PlantedRuns, site) -> np.ndarray:
    return torch.cat([planted.base[site], planted.source[site]]).reshape(-1, WIDTH).numpy()


@pytest.mark.parametrize("tokens", [1, 3])
def test_components_are_the_leading_eigenvectors_of_the_covariance_of_all_tokens(tokens):
    planted = runs(tokens)
    found = pca.function(planted_view(planted), k=5)
    found.validate()
    for site in (HERE, THERE):
        mean, turn = found[site].operations
        x = pooled(planted, site)
        values, vectors = np.linalg.eigh(np.cov(x.T))
        assert np.abs(mean.tensors["mean"] - x.mean(0)).max() < 1e-6
        overlaps = np.abs((turn.tensors["rotation"] * vectors[:, ::-1][:, :5]).sum(0))
        assert np.abs(overlaps - 1).max() < 1e-6
        assert found.meta["variance"][site.name] == pytest.approx(values[::-1][:5].sum() / values.sum(), abs=1e-9)


def test_the_largest_entry_of_each_component_is_positive():
    turn = pca.function(planted_view(runs()), k=6)[HERE].operations[1].tensors["rotation"]
    assert (np.take_along_axis(turn, np.abs(turn).argmax(0)[None], 0) > 0).all()


def test_a_site_that_never_varies_is_left_out_and_said_so():
    found = pca.function(planted_view(runs()))
    assert NOWHERE not in found
    assert found.meta["left_out"] == {NOWHERE.name: "its activations are the same on all prompts"}


def test_if_no_site_varies_it_says_why():
    still = {NOWHERE: torch.ones(N, 1, WIDTH)}
    with pytest.raises(MethodError, match="No site can be fitted") as error:
        pca.function(planted_view(PlantedRuns(rows_of(*VALUES), still, still)))
    assert "residual-post.L2@last: its activations are the same" in error.value.why


def test_few_samples_have_few_components():
    planted = runs()
    few = PlantedRuns(planted.rows[:2], *({HERE: part[HERE][:2]} for part in (planted.base, planted.source)))
    found = pca.function(planted_view(few), k=10)
    assert found.meta["k"] == {HERE.name: 3}
    assert found.meta["variance"][HERE.name] == pytest.approx(1)


def test_a_swap_of_all_components_is_a_swap_of_everything():
    planted = runs()
    found = pca.function(planted_view(planted), k=WIDTH)
    edit = edit_of(found[HERE], device=planted.base[HERE].device, dtype=torch.float64)
    assert (edit(planted.base[HERE], planted.source[HERE]) - planted.source[HERE]).abs().max() < 1e-4
