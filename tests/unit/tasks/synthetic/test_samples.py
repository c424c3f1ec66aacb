from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from mibench.tasks.sae.dictionary_task import load_dictionary_task
from mibench.tasks.synthetic.feature_forest import large_forest, small_forest
from mibench.tasks.synthetic.recipe import Correlation, Firing, Forest, Normal, Recipe, Spreading, Uniform
from mibench.tasks.synthetic.samples import Sampler
from mibench.tasks.synthetic.toy_superposition import toy_superposition
from mibench.tasks.synthetic.truth import make_truth

N = 60_000
FOREST = Recipe(
    features=60,
    width=12,
    firing=Firing(0.3, 0.01),
    forest=Forest(roots=4, branching=3, depth=2),
    correlation=Correlation(rank=3, scale=0.4),
    bias=0.5,
    seed=1,
)


@pytest.fixture(scope="module")
def drawn():
    truth = make_truth(FOREST)
    return truth, Sampler(truth).draw(N, (3, 0)).codes.toarray()


@pytest.mark.parametrize("recipe", [FOREST, small_forest(), toy_superposition()])
def test_every_feature_fires_as_often_as_it_should(recipe):
    truth = make_truth(recipe)
    fired = np.asarray((Sampler(truth).draw(N, (3, 0)).codes > 0).mean(axis=0))
    deviation = (fired - truth.rates) / np.sqrt(truth.rates * (1 - truth.rates) / N)
    assert np.abs(deviation).max() < 4.5
    assert deviation.std() == pytest.approx(1, abs=0.3)


def test_a_child_fires_only_with_its_parent_and_siblings_never_together(drawn):
    truth, codes = drawn
    active = codes > 0
    for feature in np.flatnonzero(truth.parents >= 0):
        assert not (active[:, feature] & ~active[:, truth.parents[feature]]).any()
    for parent in set(truth.parents.tolist()) - {-1}:
        assert active[:, truth.parents == parent].sum(axis=1).max() == 1


def test_features_without_parent_fire_together_as_the_copula_says(drawn):
    truth, codes = drawn
    latent = truth.loadings @ truth.loadings.T
    active = (codes > 0)[:, truth.sources]
    cuts = norm.ppf(truth.rates[truth.sources])
    deviations = []
    for i, j in itertools.combinations(range(7), 2):
        law = multivariate_normal(cov=[[1, latent[i, j]], [latent[i, j], 1]])
        together = float(law.cdf([cuts[i], cuts[j]]))
        observed = (active[:, i] & active[:, j]).mean()
        deviations.append((observed - together) / np.sqrt(together * (1 - together) / N))
    assert np.abs(latent[:7, :7] - np.diag(np.diag(latent)[:7])).max() > 0.3
    assert np.abs(deviations).max() < 4


def test_no_feature_shares_more_than_nine_tenths_of_its_variance():
    truth = make_truth(dataclasses.replace(FOREST, correlation=Correlation(rank=3, scale=5.0)))
    assert (truth.loadings**2).sum(axis=1).max() == pytest.approx(0.9)
    fired = np.asarray((Sampler(truth).draw(20_000, (3, 0)).codes > 0).mean(axis=0))
    assert np.abs(fired - truth.rates).max() < 0.02


def test_magnitudes_are_positive_with_the_mean_of_their_rank(drawn):
    truth, codes = drawn
    assert codes.min() == 0
    for feature in (0, 3, 20, 50):
        values = codes[:, feature][codes[:, feature] > 0]
        error = truth.spreads[feature] / len(values) ** 0.5
        assert values.mean() == pytest.approx(truth.means[feature], abs=0.02 + 4 * error)
    assert (truth.means[0], truth.means[-1]) == (5, 4)


def test_a_magnitude_that_would_not_be_positive_is_drawn_again():
    recipe = dataclasses.replace(FOREST, magnitudes=Normal(0.1, 0.1, (2.0, 0.0)))
    truth = make_truth(recipe)
    sample = Sampler(truth).draw(5000, (0,))
    assert (sample.codes.data > 0).all()
    fired = np.asarray((sample.codes > 0).mean(axis=0))
    assert np.abs(fired - truth.rates).max() < 0.03


def test_uniform_magnitudes_lie_between_0_and_1():
    values = Sampler(make_truth(toy_superposition())).draw(20_000, (0,)).codes.data
    assert values.min() > 0
    assert values.max() <= 1
    assert values.mean() == pytest.approx(0.5, abs=0.01)


def test_children_scaled_by_their_parents_grow_with_them():
    recipe = dataclasses.replace(FOREST, forest=Forest(4, 3, 2, scaled=True), magnitudes=Normal(5, 4, (1.0, 0.0)))
    truth = make_truth(recipe)
    codes = Sampler(truth).draw(N, (3, 0)).codes.toarray()
    child = int(truth.first_child[0])
    both = codes[:, child] > 0
    assert np.corrcoef(codes[both, child], codes[both, 0])[0, 1] > 0.4
    plain = Sampler(make_truth(dataclasses.replace(recipe, forest=FOREST.forest))).draw(N, (3, 0)).codes.toarray()
    both = plain[:, child] > 0
    assert abs(np.corrcoef(plain[both, child], plain[both, 0])[0, 1]) < 0.1


def test_activations_are_sums_of_directions_and_bias():
    truth = make_truth(FOREST)
    sample = Sampler(truth).draw(500, (3, 0))
    assert sample.x.dtype == np.float32
    expected = sample.codes.toarray().astype(np.float64) @ truth.directions + truth.bias
    assert sample.x == pytest.approx(expected, abs=1e-5)
    assert np.linalg.norm(truth.bias) == pytest.approx(0.5)


def test_noise_is_added_to_every_entry():
    noisy = dataclasses.replace(FOREST, noise=0.3)
    sample, truth = Sampler(make_truth(noisy)).draw(4000, (3, 0)), make_truth(noisy)
    rest = sample.x - sample.codes.toarray() @ truth.directions - truth.bias
    assert rest.std(axis=0) == pytest.approx(np.full(12, 0.3), abs=0.02)


def test_the_key_fixes_a_batch_and_other_keys_give_others():
    sampler = Sampler(make_truth(FOREST))
    first, again, other = (sampler.draw(300, key) for key in ((0, 5, 7), (0, 5, 7), (0, 5, 8)))
    assert first.x.tobytes() == again.x.tobytes()
    assert (first.codes != again.codes).nnz == 0
    assert not np.isin(other.codes.data, first.codes.data).any()


def test_a_batch_without_any_feature_is_the_bias():
    truth = make_truth(dataclasses.replace(FOREST, firing=Firing(1e-9, 1e-9, 0.0), forest=None, correlation=None))
    sample = Sampler(truth).draw(20, (0,))
    assert sample.codes.nnz == 0
    assert sample.x == pytest.approx(np.tile(truth.bias, (20, 1)), abs=1e-6)


def test_parts_of_the_truth_have_seeds_of_their_own():
    truth = make_truth(FOREST)
    assert (make_truth(dataclasses.replace(FOREST, bias=2.0)).directions == truth.directions).all()
    changed = make_truth(dataclasses.replace(FOREST, spreading=Spreading(steps=0)))
    assert (changed.loadings == truth.loadings).all()
    assert (changed.directions != truth.directions).any()
    assert (make_truth(dataclasses.replace(FOREST, seed=2)).directions != truth.directions).any()


def test_facts_tell_laws_apart():
    plain = dataclasses.replace(FOREST, magnitudes=Uniform())
    assert len({str(one.facts()) for one in (FOREST, plain, dataclasses.replace(FOREST, seed=9))}) == 3


@pytest.mark.parametrize(("name", "recipe"), [("sae-synthetic", small_forest()), ("sae-synthetic-16k", large_forest())])
def test_tasks_name_their_laws(name, recipe):
    task = load_dictionary_task(name)
    assert (task.settings.recipe, task.family, task.model) == (recipe, "synthetic", False)


@pytest.mark.slow
def test_the_large_law_fires_as_it_should():
    truth = make_truth(large_forest())
    sample = Sampler(truth).draw(4096, (3, 0))
    assert np.diff(sample.codes.indptr).mean() == pytest.approx(truth.mean_active, abs=0.5)
    similarity = np.abs(truth.directions[:512] @ truth.directions.T)
    similarity[np.arange(512), np.arange(512)] = 0
    assert similarity.max(axis=1).mean() == pytest.approx(0.15, abs=0.01)
