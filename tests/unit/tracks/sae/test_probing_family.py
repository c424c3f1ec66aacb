"""The probing family from shipped texts to metrics on a tiny model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from probe_family import TRANSCODER, Nulls, ground, identity, language_model, random_dictionary, subject

from mibench.core.errors import ArtifactError, DataError, UsageError
from mibench.core.specs import Convention
from mibench.metrics.bootstrap import Resampling
from mibench.metrics.sae.probing import probing_metrics
from mibench.tasks.probing.settings import ProbingSettings
from mibench.tasks.sae.dictionary_task import load_dictionary_task
from mibench.tracks.sae.evaluation import Network
from mibench.tracks.sae.probing import ROWS, SETS, ProbingEvaluation, prepare

SETTINGS = ProbingSettings(
    sets=("code-python", "grammar-question", "grammar-negative", "language-romance"),
    rows=100,
    max_tokens=24,
    ks=(1, 3),
    strengths=(0.01, 1.0),
)


def evaluation(settings: ProbingSettings = SETTINGS, **changes: Any) -> ProbingEvaluation:
    return prepare(settings, ground(**changes))


@pytest.fixture(scope="module")
def tested() -> ProbingEvaluation:
    return evaluation(nulls=Nulls())


def accuracy(table: pd.DataFrame, features: str, k: int) -> dict[str, float]:
    part = table[(table["features"] == features) & (table["k"] == k)]
    return dict(zip(part["set"], part["accuracy"], strict=True))


def test_the_task_is_registered_with_its_settings() -> None:
    task = load_dictionary_task("sae-probing")
    assert (task.family, task.settings) == ("probing", ProbingSettings())
    assert load_dictionary_task("sae-probes").settings.collection == "sae-probes"


def test_all_metrics_come_with_value_or_reason(tested: ProbingEvaluation) -> None:
    scores = tested.score([subject(random_dictionary())])[0]
    assert {f"probe_accuracy_k{k}" for k in (1, 3)} < set(scores.metrics)
    assert {"probe_gap_dense", "probe_gap_raw_k1", "probe_gap_frozen_k3", "probe_auc_k3"} < set(scores.metrics)
    for name, one in scores.metrics.items():
        assert one.value is not None, name
        assert one.n == len({source.name for source in tested._sources})
        assert (one.ci_low is None) == (one.ci_source is None)
    assert tested.n_examples == 4 * 30
    assert len(scores.tables[ROWS]) == tested.n_examples * (3 * 2 + 1)


def test_the_metrics_can_be_computed_from_the_table_alone(tested: ProbingEvaluation) -> None:
    scores = tested.score([subject(random_dictionary())])[0]
    assert probing_metrics(scores.tables[ROWS], SETTINGS.ks, Resampling(seed=0)) == scores.metrics


def test_an_identity_scores_as_the_activations_do(tested: ProbingEvaluation) -> None:
    scores = tested.score([subject(identity())])[0]
    for k in SETTINGS.ks:
        assert accuracy(scores.tables[SETS], "latents", k) == accuracy(scores.tables[SETS], "raw", k)
        assert scores.metrics[f"probe_gap_raw_k{k}"].value == 0.0


def test_many_dictionaries_score_as_each_alone_and_twice_the_same(tested: ProbingEvaluation) -> None:
    subjects = [subject(random_dictionary(seed=seed)) for seed in (1, 2)]
    together = tested.score(subjects)
    fresh = evaluation(nulls=Nulls())
    for one, alone in zip(together, (fresh.score([one])[0] for one in subjects), strict=True):
        assert one.metrics == alone.metrics
        pd.testing.assert_frame_equal(one.tables[ROWS], alone.tables[ROWS])


def test_the_frozen_decoder_is_asked_for_by_width_and_sparsity_and_probed_once() -> None:
    nulls = Nulls()
    one = evaluation(nulls=nulls)
    scores = one.score([subject(random_dictionary()), subject(random_dictionary(seed=3))])
    assert [width for width, _ in nulls.asked] == [24, 24]
    assert all(0 < l0 < 24 for _, l0 in nulls.asked)
    null = accuracy(scores[0].tables[SETS], "frozen", 1)
    assert null == accuracy(scores[1].tables[SETS], "frozen", 1)
    assert scores[0].metrics["probe_accuracy_k1"].floor == pytest.approx(np.mean(list(null.values())))


@pytest.mark.parametrize("nulls", [None, type("NoNull", (), {"frozen": lambda *_: "there is no frozen decoder"})()])
def test_without_a_null_the_floor_is_chance_and_the_gap_has_a_reason(nulls: Any) -> None:
    found = evaluation(nulls=nulls).score([subject(identity())])[0].metrics
    assert found["probe_accuracy_k1"].floor == 0.5
    assert found["probe_gap_frozen_k1"].value is None
    assert "frozen decoder" in str(found["probe_gap_frozen_k1"].reason)


def test_planted_direction_is_read_by_one_latent() -> None:
    # The mean activation of a set's positives less that of its negatives, as the only latent that fires.
    one = evaluation(replace(SETTINGS, sets=("grammar-question", "code-python"), rows=200))
    (source, other) = one._sources
    rows = next(each for each in other.sets if each.labelled.name == "grammar-question")
    features = one._texts[other.name].inputs[rows.rows]
    train = rows.split.train
    labels = rows.split.labels[train]
    direction = features[train][labels].mean(0) - features[train][~labels].mean(0)
    planted = identity()
    encoder = np.zeros((16, 16), dtype=np.float32)
    encoder[:, 5] = direction / np.linalg.norm(direction)
    tensors = {**planted.tensors, "w_enc": encoder}
    table = one.score([subject(replace(planted, tensors=tensors))])[0].tables[SETS]
    row = table[(table["set"] == "grammar-question") & (table["features"] == "latents") & (table["k"] == 1)].iloc[0]
    assert row["columns"] == "5"
    assert row["accuracy"] >= accuracy(table, "raw", 1)["grammar-question"]
    assert row["accuracy"] > 0.9
    assert source.name == "code"


@pytest.mark.parametrize("split", ["validation", "test"])
def test_what_is_scored_tunes_nothing_and_shares_no_group_with_what_does(split: str) -> None:
    for source in evaluation(split=split)._sources:
        for one in source.sets:
            groups = np.array([row.group for row in one.labelled.rows])
            parts = [set(groups[part]) for part in (one.split.train, one.split.validation, one.split.scored)]
            assert sum(map(len, parts)) == len(set.union(*parts))
            assert all(len(set(one.split.labels[part])) == 2 for part in (one.split.train, one.split.validation))


def test_scoring_validation_takes_the_tuning_rows_from_train_and_only_where_something_is_tuned() -> None:
    whole = evaluation()._sources[0].sets[0].split
    held = evaluation(split="validation")._sources[0].sets[0].split
    assert np.array_equal(np.union1d(held.train, held.validation), whole.train)
    assert np.array_equal(held.scored, whole.validation)
    saebench = evaluation(split="validation", convention=Convention.SAEBENCH)._sources[0].sets[0].split
    assert np.array_equal(saebench.train, whole.train)


def test_a_limit_takes_the_first_of_each_set_and_leaves_training_as_it_is(tested: ProbingEvaluation) -> None:
    few = evaluation(limit=6, nulls=Nulls())
    assert few.n_examples == 4 * 6
    for whole, part in zip(tested._sources, few._sources, strict=True):
        for one, other in zip(whole.sets, part.sets, strict=True):
            assert set(other.split.scored) <= set(one.split.scored)
            assert np.array_equal(other.split.train, one.split.train)
    assert few.score([subject(identity())])[0].metrics["probe_accuracy_k1"].value is not None


def test_what_changes_the_numbers_changes_the_digest() -> None:
    digests = [
        evaluation(settings, **changes).digest
        for settings, changes in (
            (SETTINGS, {}),
            (SETTINGS, {"limit": 6}),
            (SETTINGS, {"split": "validation"}),
            (SETTINGS, {"seed": 1}),
            (SETTINGS, {"convention": Convention.SAEBENCH}),
            (replace(SETTINGS, split_seed=1), {}),
            (replace(SETTINGS, pool="max"), {}),
            (replace(SETTINGS, rows=80), {}),
        )
    ]
    assert len(set(digests)) == len(digests)
    assert evaluation().digest == digests[0]


def test_other_nulls_change_the_digest_where_they_are_compared_with() -> None:
    digests = [evaluation(nulls=nulls).digest for nulls in (None, Nulls(), Nulls(digest="m" * 64))]
    assert len(set(digests)) == 3
    saebench = {evaluation(nulls=nulls, convention=Convention.SAEBENCH).digest for nulls in (None, Nulls())}
    assert len(saebench) == 1


def test_the_digest_needs_no_model() -> None:
    network = ground().network
    assert network is not None
    blind = Network(None, network.ref, None)  # type: ignore[arg-type]
    assert prepare(SETTINGS, ground(network=blind)).digest == evaluation().digest


def test_saebench_reports_under_its_names() -> None:
    found = evaluation(convention=Convention.SAEBENCH).score([subject(random_dictionary())])[0]
    assert {"sae_top_1_test_accuracy", "llm_top_3_test_accuracy"} < set(found.metrics)
    assert found.metrics["sae_test_accuracy"].value is None
    assert set(found.tables[SETS]["strength"]) == {1.0}


def test_a_transcoder_is_probed_at_what_it_reads() -> None:
    one = prepare(SETTINGS, ground(TRANSCODER))
    found = one.score([subject(random_dictionary(place=TRANSCODER))])[0]
    assert found.metrics["probe_accuracy_k1"].value is not None


def test_what_cannot_be_scored_is_refused() -> None:
    with pytest.raises(UsageError, match="needs a model"):
        prepare(SETTINGS, ground(network=None))
    with pytest.raises(UsageError, match="convention"):
        evaluation(convention=Convention.MIB)
    with pytest.raises(UsageError, match="'train' cannot be scored"):
        evaluation(split="train")
    with pytest.raises(UsageError, match="labelled set"):
        evaluation(replace(SETTINGS, sets=("none",))).digest  # noqa: B018
    with pytest.raises(DataError, match="cannot be split"):
        evaluation(replace(SETTINGS, rows=2)).n_examples  # noqa: B018
    narrow = random_dictionary()
    tensors = {name: array[:, :3] if name == "w_dec" else array[:3] for name, array in narrow.tensors.items()}
    tensors |= {"w_enc": narrow.tensors["w_enc"][:3], "b_enc": narrow.tensors["b_enc"]}
    with pytest.raises(ArtifactError):
        evaluation().score([subject(replace(narrow, tensors=tensors))])
    assert language_model().device.type == "cpu"
