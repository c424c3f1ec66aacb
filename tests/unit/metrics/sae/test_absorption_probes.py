"""Probes of concepts, and the main latents of a dictionary, against scikit-learn and known answers."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from mibench.metrics.sae.absorption_main import MainRule, Uses, choose_main, other_means, standardised_differences
from mibench.metrics.sae.absorption_probes import Told, f1, fit_concepts, tuned_concepts

RNG = np.random.default_rng(0)
OF = RNG.integers(3, size=240)
LABELS = OF[:, None] == np.arange(3)
X = RNG.normal(size=(240, 8)) * np.array([5.0, *[1.0] * 7]) + 3.0 * RNG.normal(size=(3, 8))[OF]


@pytest.mark.parametrize("strength", [0.01, 1.0])
def test_probes_are_those_of_scikit_learn_on_activations_divided_by_one_number(strength: float) -> None:
    found = fit_concepts(X, LABELS, strength)
    scale = np.sqrt(X.var(axis=0).mean())
    for concept in range(3):
        theirs = LogisticRegression(C=strength, tol=1e-8, max_iter=5000).fit(X / scale, LABELS[:, concept])
        assert np.allclose(found.scores(X)[:, concept], theirs.decision_function(X / scale), atol=2e-3)


def test_turning_and_scaling_activations_turns_the_directions_and_changes_no_score() -> None:
    turn = np.linalg.qr(RNG.normal(size=(8, 8)))[0]
    plain, turned = fit_concepts(X, LABELS, 0.1), fit_concepts(7.0 * X @ turn, LABELS, 0.1)
    assert np.allclose(plain.scores(X), turned.scores(7.0 * X @ turn), atol=1e-3)
    assert np.allclose(plain.directions @ turn, turned.directions, atol=1e-3)


def test_starting_from_another_solution_ends_at_the_same() -> None:
    first = fit_concepts(X, LABELS, 1.0)
    assert np.allclose(first.weights, fit_concepts(X, LABELS, 1.0, fit_concepts(X, LABELS, 0.01)).weights, atol=1e-3)


def test_f1_is_that_of_scikit_learn_and_0_where_nothing_is_positive() -> None:
    said = RNG.random((50, 3)) < 0.4
    labels = RNG.random((50, 3)) < 0.4
    assert f1(said, labels).tolist() == pytest.approx([f1_score(labels[:, one], said[:, one]) for one in range(3)])
    assert f1(np.zeros((4, 1), dtype=bool), np.zeros((4, 1), dtype=bool)).tolist() == [0.0]


def test_the_strength_with_the_best_f1_on_validation_is_kept_and_the_smallest_of_equals() -> None:
    train, validation = Told(X[:160], LABELS[:160]), Told(X[160:], LABELS[160:])
    strengths = (1e-6, 0.1, 1.0)
    means = [f1(fit_concepts(*vars(train).values(), one).scores(X[160:]) > 0, LABELS[160:]).mean() for one in strengths]
    assert tuned_concepts(train, validation, strengths[::-1]).strength == strengths[int(np.argmax(means))]
    assert tuned_concepts(train, validation, (1e-9, 1e-8)).strength == 1e-9


def test_differences_and_means_are_those_of_dense_arrays() -> None:
    latents = np.maximum(RNG.normal(size=(240, 6)), 0)
    latents[:, 4], latents[:, 5] = 0.0, 0.3
    found = standardised_differences(sp.csr_array(latents), LABELS)
    for concept in range(3):
        own = LABELS[:, concept]
        difference = latents[own].mean(0) - latents[~own].mean(0)
        expected = np.append(difference[:4] / latents.std(0)[:4], [0.0, 0.0])
        assert np.allclose(found[concept], expected)
        assert np.allclose(other_means(sp.csr_array(latents), LABELS)[concept], latents[~own].mean(0))
    nobody = np.zeros((240, 1), dtype=bool)
    assert not standardised_differences(sp.csr_array(latents), nobody).any()


USES = Uses(np.arange(0, 120), np.arange(120, 180), np.arange(180, 240))


def latents_of(*fires: np.ndarray, noise: int = 4) -> np.ndarray:
    """Latents that fire where told, and some that fire at random."""
    rng = np.random.default_rng(5)
    columns = [np.where(one, rng.uniform(1, 2, len(OF)), 0.0) for one in fires]
    random = [np.where(rng.random(len(OF)) < 0.2, rng.uniform(1, 2, len(OF)), 0.0) for _ in range(noise)]
    return np.stack([*random, *columns], axis=1)


def test_a_latent_that_tells_a_concept_is_its_main_latent_alone() -> None:
    found = choose_main(sp.csr_array(latents_of(OF == 0)), LABELS, USES, MainRule())[0]
    assert found.latents.tolist() == [4]
    assert found.validation_f1 == found.scored_f1 == 1.0


def test_a_concept_that_has_split_has_its_parts_as_main_latents() -> None:
    half = np.arange(len(OF)) % 2 == 0
    found = choose_main(sp.csr_array(latents_of((OF == 0) & half, (OF == 0) & ~half)), LABELS, USES, MainRule())[0]
    assert sorted(found.latents.tolist()) == [4, 5]
    assert found.scored_f1 == 1.0
    assert (
        len(
            choose_main(sp.csr_array(latents_of((OF == 0) & half, (OF == 0) & ~half)), LABELS, USES, MainRule(most=1))[
                0
            ].latents
        )
        == 1
    )


def test_scored_rows_choose_nothing() -> None:
    latents = latents_of(OF == 0, noise=8)
    other = latents.copy()
    other[USES.scored] = other[USES.scored][::-1]
    for first, second in zip(
        *(choose_main(sp.csr_array(one), LABELS, USES, MainRule()) for one in (latents, other)), strict=True
    ):
        assert first.latents.tolist() == second.latents.tolist()
        assert first.validation_f1 == second.validation_f1


def test_scale_and_order_of_latents_change_nothing() -> None:
    latents, rng = latents_of(OF == 0, OF == 1, noise=8), np.random.default_rng(3)
    order, scale = rng.permutation(10), np.exp(3 * rng.normal(size=10))
    plain = choose_main(sp.csr_array(latents), LABELS, USES, MainRule())
    turned = choose_main(sp.csr_array((latents * scale)[:, order]), LABELS, USES, MainRule())
    for first, second in zip(plain, turned, strict=True):
        assert first.latents.tolist() == order[second.latents].tolist()
        assert first.scored_f1 == second.scored_f1


def test_a_dictionary_that_is_silent_has_no_main_latents() -> None:
    for one in choose_main(sp.csr_array(np.zeros((240, 5))), LABELS, USES, MainRule()):
        assert len(one.latents) == 0
        assert one.validation_f1 == one.scored_f1 == 0.0
