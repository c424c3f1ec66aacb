from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import torch

from mibench.artifacts.dictionaries.checks import validate_dictionary
from mibench.artifacts.dictionaries.dictionary import Dictionary, Place, Rule
from mibench.core.errors import ArtifactError, UsageError
from mibench.core.hook_points import HookPoint
from mibench.core.specs import Convention
from mibench.engine.dictionaries.coder import Coder
from mibench.methods.dictionary_view import DictionaryView
from mibench.methods.sae.topk import topk
from mibench.tasks.sae.dictionary_task import load_dictionary_task
from mibench.tasks.synthetic.recipe import Correlation, Firing, Forest, Recipe
from mibench.tasks.synthetic.samples import Sampler
from mibench.tasks.synthetic.settings import SyntheticSettings
from mibench.tasks.synthetic.truth import make_truth
from mibench.tracks.sae.evaluation import Ground, Subject, Text
from mibench.tracks.sae.synthetic import prepare
from mibench.tracks.sae.synthetic_null import random_dictionary
from mibench.tracks.sae.synthetic_oracle import Oracle

PLACE = Place("", HookPoint(0))
RECIPE = Recipe(
    features=40,
    width=24,
    firing=Firing(0.15, 0.01),
    forest=Forest(roots=5, branching=3, depth=1),
    correlation=Correlation(rank=2, scale=0.2),
    bias=0.5,
)
SETTINGS = SyntheticSettings(RECIPE, samples=1200, training=10_000)
GROUND = Ground(PLACE, Text(""), None)
BETTER = (
    "mmcs",
    "mcc_decoder",
    "mcc_codes",
    "recovery_at_90",
    "recovery_at_90_weighted",
    "latent_f1",
    "feature_f1",
    "recovered_variance",
)


def subject(dictionary):
    return Subject(dictionary, Coder(dictionary, device=torch.device("cpu"), dtype=torch.float32))


def linear(rows, bias=None):
    """A dictionary that projects on its rows."""
    bias = np.zeros(rows.shape[1]) if bias is None else bias
    tensors = {"w_enc": rows.T, "b_enc": np.zeros(len(rows)), "w_dec": rows, "b_dec": bias}
    return Dictionary(PLACE, "pca", Rule("linear", pre_bias=True), to_float32(tensors))


def relu(encoder, offset, rows, bias, threshold=0.0):
    level = np.full(len(rows), threshold)
    tensors = {"w_enc": encoder, "b_enc": offset, "w_dec": rows, "b_dec": bias, "threshold": level}
    return Dictionary(PLACE, "jumprelu", Rule("jumprelu", pre_bias=False), to_float32(tensors))


def to_float32(tensors):
    return {name: np.ascontiguousarray(one, dtype=np.float32) for name, one in tensors.items()}


def true_dictionary(truth, threshold=1.0):
    """Directions of the truth, and the best linear code for them."""
    encoder = np.linalg.pinv(truth.directions)
    return relu(encoder, -truth.bias @ encoder, truth.directions, truth.bias, threshold)


@pytest.fixture(autouse=True)
def _quick_controls(monkeypatch):
    monkeypatch.setattr("mibench.tracks.sae.synthetic.FIT_SAMPLES", 2048)


@pytest.fixture(scope="module")
def truth():
    return make_truth(RECIPE)


@pytest.fixture(scope="module")
def evaluation():
    return prepare(SETTINGS, GROUND)


@pytest.fixture(scope="module")
def trained():
    view = DictionaryView(PLACE, prepare(SETTINGS, GROUND).source, seed=0)
    return topk.function(view, width=40, k=2, tokens=100_000, batch=512, lr=1e-2)


def test_orthogonal_features_are_recovered_exactly():
    recipe = dataclasses.replace(RECIPE, features=20)
    truth = make_truth(recipe)
    found = prepare(SyntheticSettings(recipe, 1000, 10), GROUND).score([subject(true_dictionary(truth, 0.01))])[0]
    values = {name: one.value for name, one in found.metrics.items()}
    for name in (*BETTER, "uniqueness", "splitting", "latent_slope", "recovered_norm"):
        assert values[name] == pytest.approx(1, abs=1e-3), name
    for name in ("l0_gap", "absorption_truth", "dead_in_sample"):
        assert values[name] == pytest.approx(0, abs=1e-3), name


def test_the_true_dictionary_beats_a_trained_one_and_that_a_random_one(evaluation, trained):
    metrics = evaluation.score([subject(trained)])[0].metrics
    for name in BETTER:
        value = metrics[name]
        assert value.floor < value.value <= value.ceiling, name
        assert 0 < metrics[f"{name}_normalised"].value <= 1
    assert metrics["recovery_at_90"].value > 0.3


def test_every_number_has_an_interval_with_its_source_or_a_reason(evaluation, trained):
    scores = evaluation.score([subject(trained)])[0]
    for name, value in scores.metrics.items():
        assert (value.value is None) == (value.reason is not None), name
        if value.value is not None:
            assert value.ci_source in {"true features", "latents", "samples", "pairs of features"}, name
            assert value.ci_low <= value.value <= value.ci_high, name
    assert scores.metrics["recovered_variance"].n == 1200
    assert scores.metrics["mmcs"].n == 40


def test_the_tables_hold_what_the_numbers_are_made_of(evaluation, trained):
    scores = evaluation.score([subject(trained)])[0]
    features, latents, samples = (scores.tables[name] for name in ("features", "latents", "samples"))
    values = {name: one.value for name, one in scores.metrics.items()}
    assert features["largest_cosine"].mean() == pytest.approx(values["mmcs"])
    assert (features["cosine"] >= 0.9).mean() == pytest.approx(values["recovery_at_90"])
    assert features["f1"].mean() == pytest.approx(values["feature_f1"])
    assert latents["f1"].mean() == pytest.approx(values["latent_f1"])
    assert latents["feature"].nunique() / 40 == pytest.approx(values["uniqueness"])
    assert (samples["l0"] - samples["true_l0"]).mean() == pytest.approx(values["l0_gap"])
    explained = 1 - samples["squared_error"].sum() / samples["deviation"].sum()
    assert explained == pytest.approx(values["recovered_variance"])


def test_order_and_scale_of_latents_change_nothing(evaluation, trained):
    order, scale = np.random.default_rng(0).permutation(40), np.linspace(0.5, 3, 40)
    tensors = dict(trained.tensors)
    changed = {
        "w_enc": tensors["w_enc"][:, order] * scale,
        "b_enc": tensors["b_enc"][order] * scale,
        "w_dec": tensors["w_dec"][order] / scale[:, None],
        "b_dec": tensors["b_dec"],
    }
    # A top-k rule compares latents in the units of the encoder, so the rescaled one is not the same dictionary.
    plain = dataclasses.replace(trained, rule=Rule("relu", trained.rule.pre_bias))
    other = dataclasses.replace(plain, tensors=to_float32(changed))
    first, second = evaluation.score([subject(plain), subject(other)])
    for name, value in first.metrics.items():
        again = second.metrics[name].value
        assert again == (None if value.value is None else pytest.approx(value.value, abs=2e-4)), name


def test_a_dictionary_of_signed_codes_is_held_against_directions_of_either_sign(evaluation, truth):
    ours = evaluation.score([subject(linear(-truth.directions, truth.bias))])[0].metrics
    assert ours["mmcs"].value == pytest.approx(1)
    assert evaluation.score([subject(true_dictionary(truth))])[0].metrics["mmcs"].floor != ours["mmcs"].floor


def test_a_narrow_dictionary_is_held_against_the_most_frequent_features(truth):
    evaluation = prepare(SETTINGS, GROUND)
    narrow = relu(truth.directions[:10].T, np.zeros(10), truth.directions[:10], truth.bias)
    metrics = evaluation.score([subject(narrow)])[0].metrics
    assert metrics["recovery_at_90"].value == metrics["recovery_at_90"].ceiling == 10 / 40
    assert metrics["recovery_at_90_weighted"].ceiling == pytest.approx(
        np.sort(truth.rates)[::-1][:10].sum() / truth.rates.sum()
    )
    assert metrics["mcc_decoder"].n == 10


def test_a_latent_of_a_zero_row_is_dead_and_harms_nothing(evaluation, truth):
    rows = np.concatenate([truth.directions, np.zeros((1, 24))])
    encoder = np.concatenate([np.linalg.pinv(truth.directions), np.ones((24, 1))], axis=1)
    metrics = evaluation.score([subject(relu(encoder, -truth.bias @ encoder, rows, truth.bias))])[0].metrics
    assert metrics["dead_in_sample"].value == pytest.approx(1 / 41)
    assert metrics["mmcs"].value == pytest.approx(1)


def test_a_dictionary_of_another_width_is_refused(evaluation):
    with pytest.raises(ArtifactError):
        evaluation.score([subject(linear(np.eye(7)))])


@pytest.mark.parametrize("change", [{"split": "train"}, {"limit": 0}, {"convention": Convention.MIB}])
def test_what_cannot_be_scored_is_refused(change):
    with pytest.raises(UsageError):
        prepare(SETTINGS, dataclasses.replace(GROUND, **change))


def test_one_sample_is_enough_for_numbers_but_not_for_intervals(truth):
    found = prepare(SETTINGS, dataclasses.replace(GROUND, limit=1)).score([subject(true_dictionary(truth))])[0]
    assert found.metrics["l0_gap"].ci_reason == "1 example cannot be resampled"
    assert found.metrics["recovered_variance"].reason == "all samples are the same"


def test_the_same_seed_gives_the_same_numbers_and_another_gives_other_samples(trained):
    ground = dataclasses.replace(GROUND, limit=300)
    runs = [ground, ground, dataclasses.replace(ground, seed=1), dataclasses.replace(ground, split="validation")]
    evaluations = [prepare(SETTINGS, one) for one in runs]
    values = [one.score([subject(trained)])[0].metrics for one in evaluations]
    assert values[0] == values[1]
    for other in values[2:]:
        assert other["recovered_variance"].value != values[0]["recovered_variance"].value
        # The truth is the same, and so is how near the decoder is to it.
        assert other["mmcs"].value == values[0]["mmcs"].value
    assert len({one.digest for one in evaluations}) == 3
    assert {one.n_examples for one in evaluations} == {300}
    assert prepare(SETTINGS, dataclasses.replace(GROUND, limit=10**9)).n_examples == 1200


def test_controls_are_made_once_for_a_width(monkeypatch, trained):
    evaluation = prepare(SETTINGS, dataclasses.replace(GROUND, limit=200))
    evaluation.score([subject(trained)])
    monkeypatch.setattr("mibench.tracks.sae.synthetic.Oracle", None)
    assert len(evaluation.score([subject(trained), subject(trained)])) == 2


def test_training_batches_are_fixed_by_seed_and_place_in_the_stream():
    source = prepare(SETTINGS, GROUND).source
    first = [batch.inputs for batch in itertools.islice(source.batches(64, 5), 4)]
    later = next(source.batches(64, 5, skip=3)).inputs
    assert torch.equal(first[3], later)
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[0], next(source.batches(64, 6)).inputs)
    assert (source.n_tokens, source.d_in, source.d_out) == (10_000, 24, 24)
    batch = next(source.batches(64, 5))
    assert batch.targets is batch.inputs
    assert batch.inputs.dtype == torch.float32
    assert batch.inputs.shape == (64, 24)


def test_training_and_evaluation_share_no_sample():
    evaluation = prepare(SETTINGS, GROUND)
    seen = next(evaluation.source.batches(1024, 0)).inputs.numpy()
    assert not np.isin(np.concatenate([one.codes.data for one in evaluation._samples.batches]), 0).any()
    held = np.concatenate([one.x for one in evaluation._samples.batches])
    active = np.linalg.norm(seen - make_truth(RECIPE).bias, axis=1) > 1e-3
    assert not np.isin(seen[active][:, 0], held[:, 0]).any()


def test_a_random_dictionary_is_valid_and_as_sparse_as_the_truth(truth):
    fit = [Sampler(truth).draw(1024, (1, index)) for index in range(4)]
    found = random_dictionary(truth, 64, fit, PLACE, 0)
    validate_dictionary(found)
    x = torch.from_numpy(Sampler(truth).draw(2000, (3, 0)).x)
    coder = subject(found).coder
    latents = coder.encode(x)
    assert float((latents != 0).float().sum(1).mean()) == pytest.approx(truth.mean_active, rel=0.1)
    error, spread = ((x - coder.decode(latents)) ** 2).sum(), ((x - x.mean(0)) ** 2).sum()
    assert float(error) < float(spread)


def test_the_oracle_finds_most_of_what_fires(truth):
    sampler = Sampler(truth)
    oracle = Oracle(truth, 40, [sampler.draw(1024, (1, index)) for index in range(4)])
    sample = sampler.draw(1000, (3, 0))
    found, true = oracle.codes(sample.x), sample.codes.toarray()
    hits = ((found > 0) & (true > 0)).sum()
    assert 2 * hits / ((found > 0).sum() + (true > 0).sum()) > 0.9
    assert found.min() == 0
    rebuilt = oracle.decode(found)
    assert ((rebuilt - sample.x) ** 2).sum() < 0.1 * ((sample.x - sample.x.mean(0)) ** 2).sum()
    assert Oracle(truth, 10, [sample]).rows == pytest.approx(
        truth.directions[np.sort(np.argsort(-truth.rates, kind="stable")[:10])]
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sae-synthetic", "sae-synthetic-toy"])
def test_tasks_tell_a_trained_dictionary_from_a_random_one(name):
    task = load_dictionary_task(name)
    evaluation = prepare(task.settings, GROUND)
    view = DictionaryView(PLACE, evaluation.source, seed=0)
    width = task.settings.recipe.features
    found = topk.function(view, width=width, k=6, tokens=1_000_000, batch=1024, lr=1e-3)
    metrics = evaluation.score([subject(found)])[0].metrics
    for name in ("mcc_decoder", "latent_f1", "recovered_variance"):
        assert metrics[name].floor < metrics[name].ci_low, name
