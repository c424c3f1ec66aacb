"""SCR and TPP from shipped texts to metrics on a tiny model."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from probe_family import TRANSCODER, ground, identity, random_dictionary, subject

from mibench.core.errors import DataError, UsageError
from mibench.core.specs import Convention
from mibench.metrics.sae.ablated_probes import AUDIT
from mibench.metrics.sae.adamw_probe import AdamWRecipe
from mibench.tasks.probing.settings import BIOS, REVIEWS, AblationSettings
from mibench.tasks.sae.dictionary_task import load_dictionary_task
from mibench.tracks.sae.crossed import CrossedRows
from mibench.tracks.sae.probe_sets import Division
from mibench.tracks.sae.scr_tpp import TABLES, AblationEvaluation, prepare

FAST = {"ns": (2, 5, 500), "max_tokens": 24, "steps": 100}


def evaluation(kind: str, **changes: Any) -> AblationEvaluation:
    return prepare(AblationSettings(kind, **FAST), ground(**changes))  # type: ignore[arg-type]


def rows(limit: int | None = None) -> CrossedRows:
    return CrossedRows.shipped(REVIEWS, Division("test", limit, 0))


@pytest.mark.parametrize("kind", ["scr", "tpp"])
def test_every_number_is_there_and_marked(kind: str) -> None:
    task = load_dictionary_task(f"sae-{kind}")
    assert task.family == "scr_tpp"
    assert task.settings == AblationSettings(kind)  # type: ignore[arg-type]
    assert "2605.18229" in task.description
    one = evaluation(kind)
    scores = one.score([subject(random_dictionary())])[0]
    names = {
        "scr": ("scr_dir1_threshold_{}", "scr_metric_threshold_{}", "scr_dir2_threshold_{}"),
        "tpp": (
            "tpp_threshold_{}_total_metric",
            "tpp_threshold_{}_intended_diff_only",
            "tpp_threshold_{}_unintended_diff_only",
        ),
    }[kind]
    assert set(scores.metrics) == {name.format(n) for name in names for n in (2, 5, 500)}
    for name in names:
        assert scores.metrics[name.format(500)].reason == "the dictionary has 24 latents, fewer than 500"
        small = scores.metrics[name.format(2)]
        assert (small.value is None) == (small.reason is not None)
        if small.value is not None:
            assert AUDIT in str(small.ci_reason)
    assert set(scores.tables[TABLES[kind]]["set"]) == {"reviews", "bios"}


def test_an_ablation_of_all_latents_of_an_identity_leaves_the_bias_alone() -> None:
    one = prepare(AblationSettings("scr", (BIOS,), ns=(16,), max_tokens=24, steps=100), ground())
    table = one.score([subject(identity())])[0].tables[TABLES["scr"]]
    assert (table["changed"] == 0.5).all()
    assert (table["base"] != 0.5).any()


def test_the_same_comes_out_twice_and_in_company() -> None:
    subjects = [subject(random_dictionary(seed=seed)) for seed in (1, 2)]
    settings = AblationSettings("tpp", (REVIEWS,), **FAST)
    one = prepare(settings, ground()).score(subjects)
    other = prepare(settings, ground()).score(subjects[::-1])[::-1]
    assert [scores.metrics for scores in one] == [scores.metrics for scores in other]


def test_no_group_is_on_both_sides() -> None:
    one = rows()
    groups = [{one.texts[row].group for row in part} for part in one.rows]
    assert not groups[0] & groups[1]
    assert [len(part) for part in groups] == [5, 3]


def test_concepts_are_balanced_with_the_rest_evenly_from_the_other_classes() -> None:
    one = rows()
    x = np.zeros((len(one.texts), 2))
    for concept in one.concepts(x, AdamWRecipe(steps=1)):
        for part in (concept.train, concept.test):
            counts = Counter(one.texts[row].values["topic"] for row in part)
            assert counts[concept.name] == len(part) / 2
            others = [count for name, count in counts.items() if name != concept.name]
            assert len(others) == 4
            assert max(others) - min(others) <= 1


def test_pairs_have_four_even_combinations_and_a_probe_of_two_of_them() -> None:
    one = rows()
    rng = np.random.default_rng(0)
    main = np.array([text.values["topic"] for text in one.texts])
    mood = np.array([text.values["sentiment"] == "negative" for text in one.texts])
    x = np.stack([np.where(main == "book", 3.0, -3.0), np.where(mood, 3.0, -3.0)], axis=1)
    x += 0.01 * rng.normal(size=x.shape)
    first, second = one.pairs(x, AdamWRecipe(steps=400, rate=0.01))
    assert (first.name, second.name) == ("book/phone", "restaurant/film")
    for part in (first.target.train, first.target.test):
        cells = Counter((bool(first.target.labels[row]), bool(first.spurious.labels[row])) for row in part)
        assert len(cells) == 4
        assert len(set(cells.values())) == 1
    assert first.biased.weights[0] == pytest.approx(first.biased.weights[1], rel=0.2)
    assert abs(first.target.probe.weights[0]) > 5 * abs(first.target.probe.weights[1])


def test_a_limit_and_a_split_move_the_scored_rows_only() -> None:
    few, whole = rows(40), rows()
    assert np.array_equal(few.rows[1], whole.rows[1][:40])
    assert np.array_equal(few.rows[0], whole.rows[0])
    assert evaluation("scr", limit=40).n_examples == 80
    with pytest.raises(DataError, match="too few texts"):
        evaluation("tpp", limit=2).score([subject(identity())])


def test_what_changes_the_numbers_changes_the_digest() -> None:
    found = [
        evaluation("scr", **changes).digest for changes in ({}, {"limit": 9}, {"seed": 1}, {"split": "validation"})
    ]
    found.append(evaluation("tpp").digest)
    assert len(set(found)) == 5


def test_both_conventions_agree() -> None:
    one, other = (
        prepare(AblationSettings("scr", (BIOS,), **FAST), ground(convention=convention))
        .score([subject(identity())])[0]
        .metrics
        for convention in (Convention.MIBENCH, Convention.SAEBENCH)
    )
    assert one == other


def test_a_transcoder_is_ablated_at_what_it_writes() -> None:
    one = evaluation("scr", place=TRANSCODER)
    found = one.score([subject(random_dictionary(place=TRANSCODER))])[0]
    assert found.metrics["scr_dir1_threshold_2"].value is not None


def test_what_cannot_be_scored_is_refused() -> None:
    with pytest.raises(UsageError, match="need a model"):
        evaluation("scr", network=None)
    with pytest.raises(UsageError, match="convention"):
        evaluation("scr", convention=Convention.MIB)
    with pytest.raises(UsageError, match="'train' cannot be scored"):
        evaluation("tpp", split="train")
    with pytest.raises(DataError, match="lack a column"):
        CrossedRows.shipped(replace(BIOS, other="topic"), Division("test", None, 0))
