"""The absorption family from words to metrics, on a model whose activations are planted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from absorption_words import LETTERS, PLACE, SETTINGS, WORDS, dictionary, ground, network, subject
from dictionary_examples import example

from mibench.artifacts.dictionaries.dictionary import Place
from mibench.core.errors import ArtifactError, UsageError
from mibench.core.hook_points import HookKind, HookPoint
from mibench.core.specs import Convention
from mibench.engine.dictionaries.coder import Coder
from mibench.tasks.absorption.settings import AbsorptionRule, HierarchySettings
from mibench.tasks.sae.dictionary_task import load_dictionary_task
from mibench.tracks.sae.absorption import CONCEPTS, prepare
from mibench.tracks.sae.absorption import LETTERS as LETTER_TABLE
from mibench.tracks.sae.absorption import WORDS as WORD_TABLE
from mibench.tracks.sae.evaluation import Scores, Subject

GROUND = ground()
EVALUATION = prepare(SETTINGS, GROUND)


class Frozen:
    """Hands out one dictionary, and remembers what was asked for."""

    def __init__(self, coder: Coder | str, digest: str = "n" * 64) -> None:
        self.coder, self.digest, self.asked = coder, digest, []

    def frozen(self, d_sae: int, l0: float) -> Coder | str:
        self.asked.append((d_sae, l0))
        return self.coder


def scores(*dictionaries, **changes) -> list[Scores]:
    evaluation = prepare(SETTINGS, replace(GROUND, **changes)) if changes else EVALUATION
    return evaluation.score([subject(one) for one in dictionaries])


def value(found: Scores, name: str) -> float | None:
    return found.metrics[name].value


def scored_words() -> list[str]:
    return list(scores(dictionary())[0].tables[WORD_TABLE]["word"])


def test_a_dictionary_with_a_latent_for_each_letter_absorbs_nothing() -> None:
    found = scores(dictionary())[0]
    assert value(found, "absorption") == value(found, "absorption_fraction") == value(found, "absorption_misses") == 0
    assert value(found, "absorption_main_f1") == value(found, "absorption_probe_f1") == 1
    assert value(found, "absorption_splits") == 1
    assert found.metrics["absorption"].n == len(LETTERS)


def test_words_whose_own_latent_writes_the_letter_in_place_of_its_latent_are_absorbed() -> None:
    scored = scored_words()
    absorbed = [next(word for word in scored if word[0] == letter) for letter in LETTERS[:3]]
    found = scores(dictionary(absorbed))[0]
    expected = np.mean([sum(word in absorbed for word in scored if word[0] == letter) / 4 for letter in LETTERS])
    assert len(scored) == 4 * len(LETTERS)
    assert value(found, "absorption") == pytest.approx(expected)
    assert value(found, "absorption_fraction") == pytest.approx(expected)
    table = found.tables[WORD_TABLE]
    assert sorted(table["word"][table["absorbed"]]) == sorted(absorbed)
    assert set(table["best"][table["absorbed"]]) == {len(LETTERS) + WORDS.index(word) for word in absorbed}


def test_every_number_is_the_same_whatever_the_order_and_scale_of_latents() -> None:
    absorbed = scored_words()[::5]
    rng = np.random.default_rng(1)
    latents = len(LETTERS) + len(WORDS)
    plain, turned = scores(
        dictionary(absorbed),
        dictionary(absorbed, scale=np.exp(rng.normal(size=latents)), order=rng.permutation(latents)),
    )
    assert plain.metrics.keys() == turned.metrics.keys()
    for name, one in plain.metrics.items():
        if one.value is not None:
            assert turned.metrics[name].value == pytest.approx(one.value, abs=1e-6), name


def test_the_same_seed_gives_the_same_tables_and_numbers() -> None:
    first, second = (scores(dictionary(scored_words()[::4]), network=network())[0] for _ in range(2))
    assert first.metrics == second.metrics
    for name, table in first.tables.items():
        assert table.equals(second.tables[name])


def test_a_frozen_decoder_gives_the_null_and_is_scored_once_for_dictionaries_alike() -> None:
    null = Frozen(subject(dictionary(scored_words())).coder)
    evaluation = prepare(SETTINGS, replace(GROUND, nulls=null))
    found = evaluation.score([subject(dictionary()), subject(dictionary())])
    for one in found:
        assert value(one, "absorption") == 0
        assert value(one, "absorption_null") == value(one, "absorption_fraction_null") == 1
        assert one.metrics["absorption_misses"].floor == 1
    assert null.asked[0] == null.asked[1]
    assert null.asked[0][0] == len(LETTERS) + len(WORDS)


@pytest.mark.parametrize("nulls", [None, Frozen("there is no frozen decoder")])
def test_without_a_frozen_decoder_the_null_says_why_there_is_none(nulls: Frozen | None) -> None:
    found = scores(dictionary(), nulls=nulls)[0]
    assert value(found, "absorption_null") is None
    assert "frozen decoder" in str(found.metrics["absorption_null"].reason)
    assert value(found, "absorption") == 0


def test_with_too_few_letters_that_the_model_tells_there_is_a_reason_and_no_number() -> None:
    settings = replace(SETTINGS, rule=replace(SETTINGS.rule, least_concepts=7))
    found = prepare(settings, GROUND).score([subject(dictionary())])[0]
    assert all(one.value is None and "6 of 6 letters" in str(one.reason) for one in found.metrics.values())
    assert len(found.tables[CONCEPTS]) == len(LETTERS)


def test_letters_that_the_model_does_not_tell_are_named_and_not_scored() -> None:
    worse = replace(SETTINGS, rule=replace(SETTINGS.rule, least_f1=1.0))
    found = prepare(worse, GROUND).score([subject(dictionary())])[0]
    assert EVALUATION.n_examples == 4 * len(LETTERS)
    assert not found.tables[CONCEPTS]["told"].any()
    assert value(found, "absorption") is None


def test_saebench_names_come_with_saebench_formulas_and_with_both_versions() -> None:
    few = scores(dictionary(), convention=Convention.SAEBENCH)[0]
    assert value(few, "mean_absorption_fraction_score") is None
    assert "20" in str(few.metrics["mean_full_absorption_score"].reason)
    old = value(few, "mean_absorption_fraction_score_0_3")
    assert old is not None
    assert 0 <= old < 0.35
    assert list(few.tables[LETTER_TABLE]["first_letter"]) == list(LETTERS)
    assert not {"absorption", "absorption_fraction"} & few.metrics.keys()


def test_a_limit_keeps_so_many_words_of_each_letter() -> None:
    evaluation = prepare(SETTINGS, replace(GROUND, limit=2))
    assert evaluation.n_examples == 2 * len(LETTERS)
    assert list(evaluation.score([subject(dictionary())])[0].tables[CONCEPTS]["probe_true_positives"]) == [2] * 6


def test_validation_and_test_words_differ_and_so_do_the_digests() -> None:
    words, digests = [], set()
    for split in ("validation", "test"):
        evaluation = prepare(SETTINGS, replace(GROUND, split=split))
        words.append(set(evaluation.score([subject(dictionary())])[0].tables[WORD_TABLE]["word"]))
        digests.add(evaluation.digest)
    assert not words[0] & words[1]
    assert len(digests) == 2
    assert prepare(SETTINGS, replace(GROUND, seed=1)).digest not in digests


def test_other_nulls_change_the_digest_where_they_are_compared_with() -> None:
    nulls = (None, Frozen("none", "n" * 64), Frozen("none", "m" * 64))
    assert len({prepare(SETTINGS, replace(GROUND, nulls=one)).digest for one in nulls}) == 3
    saebench = replace(GROUND, convention=Convention.SAEBENCH)
    assert len({prepare(SETTINGS, replace(saebench, nulls=one)).digest for one in nulls}) == 1


def test_a_transcoder_is_held_against_probes_of_what_it_writes() -> None:
    place = Place("planted", HookPoint(0, HookKind.MLP_IN), HookPoint(0, HookKind.MLP_OUT))
    width = 160
    made = example("relu", d_in=width, d_sae=40, d_out=width, layer=0)
    evaluation = prepare(
        replace(SETTINGS, rule=AbsorptionRule(strengths=(1.0,), least_f1=-1.0)), replace(GROUND, place=place)
    )
    found = evaluation.score([subject(made)])[0]
    read, written = (evaluation._activations._found[point] for point in (place.hook, place.target))
    assert not np.allclose(read, written)
    assert np.array_equal(evaluation._activations.targets, written)
    assert value(found, "absorption") is not None


def test_a_dictionary_of_another_width_is_refused() -> None:
    with pytest.raises(ArtifactError, match="160"):
        EVALUATION.score([subject(example("relu", layer=0))])


@pytest.mark.parametrize(
    ("changes", "settings"),
    [
        ({"network": None}, SETTINGS),
        ({"network": replace(network(), encoder=None)}, SETTINGS),
        ({"split": "train"}, SETTINGS),
        ({"convention": Convention.MIB}, SETTINGS),
        ({"convention": Convention.SAEBENCH}, HierarchySettings()),
    ],
)
def test_what_cannot_be_scored_is_refused_before_anything_runs(changes, settings) -> None:
    with pytest.raises(UsageError):
        prepare(settings, replace(GROUND, **changes))


def test_the_tasks_are_registered() -> None:
    for name in ("sae-absorption", "sae-absorption-hierarchy"):
        assert load_dictionary_task(name).family == "absorption"


def test_latents_of_any_type_of_dictionary_can_be_scored() -> None:
    for architecture in ("identity", "pca", "gated", "topk"):
        made = example(architecture, d_in=160, d_sae=160, layer=0)
        at_place = replace(made, place=PLACE)
        coder = Coder(at_place, device=torch.device("cpu"), dtype=torch.float64)
        found = EVALUATION.score([Subject(at_place, coder)])[0]
        absorbed = value(found, "absorption")
        assert absorbed is not None
        assert 0 <= absorbed <= 1
