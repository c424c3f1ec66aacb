"""Mistakes of SAEBench 0.6.0's ``core`` evaluation: each with a test that it is not made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from core_family import SETTINGS, constant, evaluation, identity, subject
from dictionary_examples import example
from plain_hooks import PlainHooks

from mibench.core.specs import Convention
from mibench.metrics.sae.context_means import ContextMeans
from mibench.metrics.sae.reconstruction import explained_variance_global
from mibench.metrics.sae.saebench_core import explained_variance
from mibench.tracks.sae.core import CoreEvaluation

RECONSTRUCTION = replace(SETTINGS, ce_tokens=0)


def mean_of(tested: CoreEvaluation) -> np.ndarray:
    """Mean of the evaluated activations, by plain hooks."""
    ids, scored = (torch.from_numpy(array) for array in (tested.blocks.ids, tested.blocks.scored))
    ground = tested._ground
    read = PlainHooks("llama", ground.network.model.hf).read(ids.long(), ground.place.target)
    return read[scored].mean(0).numpy()


def test_predicting_the_mean_explains_no_variance_through_the_whole_track(tmp_path: Path) -> None:
    tested = evaluation(tmp_path, RECONSTRUCTION)
    found = tested.score([subject(constant(mean_of(tested)))])[0].metrics
    assert found["explained_variance_global"].value == pytest.approx(0.0, abs=1e-6)
    assert found["fvu"].value == pytest.approx(1.0, abs=1e-6)
    assert found["mse"].value == pytest.approx(found["mse"].floor, rel=1e-6)


def test_the_formula_of_saebench_gives_a_large_score_to_the_same_constant(tmp_path: Path) -> None:
    tested = evaluation(tmp_path, RECONSTRUCTION, convention=Convention.SAEBENCH)
    found = tested.score([subject(constant(mean_of(tested)))])[0].metrics
    # 9.67 here, where 1 is called perfect; the legacy form of the same record says −.015.
    assert found["explained_variance"].value > 1
    assert abs(found["explained_variance_legacy"].value) < 0.05


@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0])
def test_a_constant_is_said_to_explain_nearly_everything_or_more_there(scale: float) -> None:
    rng = np.random.default_rng(0)
    x = scale * (rng.normal(size=64) * 3 + rng.normal(size=(4000, 64)))
    spread = ((x - x.mean(0)) ** 2).sum()
    sums = {"squared_error": spread, "squared_deviation": spread, "squared_target": (x**2).sum(), "tokens": len(x)}
    means = ContextMeans({name: np.asarray(float(each)) for name, each in (sums | {"entries": x.size}).items()})
    assert float(explained_variance_global(means)) == pytest.approx(0.0, abs=1e-9)
    assert float(explained_variance(means)) > 0.85


@pytest.mark.parametrize("size", [8, 16, 64, 4096])
def test_mean_squared_error_does_not_move_with_the_batch_size(tmp_path: Path, size: int) -> None:
    one = subject(example("relu", 16, 24))
    reference = evaluation(tmp_path, RECONSTRUCTION).score([one])[0].metrics["mse"].value
    found = evaluation(tmp_path, RECONSTRUCTION, batch_tokens=size).score([one])[0].metrics["mse"]
    assert found.value == pytest.approx(reference, rel=1e-12)


def test_bos_is_in_no_average_and_keeps_its_activation_under_ablation(tmp_path: Path) -> None:
    tested = evaluation(tmp_path)
    scores = tested.score([subject(identity())])[0]
    assert not tested.blocks.scored[:, 0].any()
    assert scores.tables["contexts"]["tokens"].sum() == tested.blocks.scored.sum()
    whole = evaluation(tmp_path, convention=Convention.SAEBENCH).score([subject(identity())])[0]
    ours, theirs = (
        one.tables["losses"]["ce_zero"].sum() / one.tables["losses"]["tokens"].sum() for one in (scores, whole)
    )
    assert abs(ours - theirs) > 1e-3


def test_undefined_is_null_and_never_minus_one(tmp_path: Path) -> None:
    for convention in (Convention.MIBENCH, Convention.SAEBENCH):
        found = evaluation(tmp_path, RECONSTRUCTION, convention=convention).score([subject(constant(np.zeros(16)))])
        metrics = found[0].metrics
        assert all((one.value is None) == bool(one.reason) for one in metrics.values())
        assert -1 not in [one.value for one in metrics.values()]
        bias = "reconstruction_bias" if convention is Convention.MIBENCH else "relative_reconstruction_bias"
        assert metrics[bias].value is None
        if convention is Convention.SAEBENCH:
            assert metrics["normalized_freq_over_1_percent"].reason == "no latent is ever active"


def test_the_share_of_dead_latents_falls_as_more_tokens_are_seen_and_says_how_many(tmp_path: Path) -> None:
    one = subject(example("topk", 16, 24, k=1))
    found = [
        evaluation(tmp_path, replace(RECONSTRUCTION, tokens=tokens)).score([one])[0].metrics["dead"]
        for tokens in (10, 40, 200)
    ]
    assert found[0].value >= found[1].value >= found[2].value
    assert found[0].n < found[1].n < found[2].n


def test_norms_of_decoder_rows_do_not_change_scores(tmp_path: Path) -> None:
    dictionary = example("relu", 16, 24)
    factors = np.exp(np.random.default_rng(0).normal(size=24)).astype(np.float32)
    scaled = {name: array.copy() for name, array in dictionary.tensors.items()}
    scaled["w_enc"], scaled["b_enc"] = scaled["w_enc"] * factors, scaled["b_enc"] * factors
    scaled["w_dec"] = scaled["w_dec"] / factors[:, None]
    tested = evaluation(tmp_path)
    one, other = tested.score([subject(dictionary), subject(replace(dictionary, tensors=scaled))])
    defined = {name: each.value for name, each in one.metrics.items() if each.value is not None}
    assert len(defined) > 20
    assert {name: other.metrics[name].value for name in defined} == pytest.approx(defined, rel=1e-4, abs=1e-5)
