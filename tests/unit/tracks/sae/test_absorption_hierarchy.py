"""Kinds and members: absorption of the kind, and hedging of its latent, on a model whose activations are planted."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from offset_pieces import OffsetPieces
from probe_family import Nulls
from tiny_models import tiny_model

from mibench.artifacts.dictionaries.dictionary import Dictionary, Place, Rule
from mibench.core.hook_points import HookKind, HookPoint
from mibench.engine.dictionaries.coder import Coder
from mibench.engine.model import LanguageModel
from mibench.tasks.absorption.hierarchy import hierarchy_prompts
from mibench.tasks.absorption.kinds import KINDS
from mibench.tasks.absorption.settings import AbsorptionRule, HierarchySettings
from mibench.tracks.sae.absorption import CONCEPTS, WORDS, AbsorptionEvaluation, prepare
from mibench.tracks.sae.absorption import KINDS as KIND_TABLE
from mibench.tracks.sae.evaluation import Ground, Network, Subject, Text

NAMES = sorted(KINDS)
MEMBERS = [(kind, member) for kind in NAMES for member in KINDS[kind]]
WIDTH = 640
PLACE = Place("planted", HookPoint(0, HookKind.RESIDUAL_PRE))
SETTINGS = HierarchySettings(rule=AbsorptionRule(strengths=(0.1,)))
TEST = {(one.concept, one.word) for one in hierarchy_prompts(OffsetPieces(), SETTINGS, bos=True) if one.split == "test"}


@cache
def turned() -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(0).normal(size=(WIDTH, WIDTH)))[0]


def kind_direction(kind: str) -> np.ndarray:
    return turned()[NAMES.index(kind)]


def member_direction(kind: str, member: str) -> np.ndarray:
    return turned()[len(NAMES) + MEMBERS.index((kind, member))]


@cache
def evaluation() -> AbsorptionEvaluation:
    encoder = OffsetPieces()
    hierarchy_prompts(encoder, SETTINGS, bos=True)
    hf = tiny_model("llama", torch.float64, vocab_size=len(encoder.ids) + 1, hidden_size=WIDTH, num_hidden_layers=1)
    with torch.no_grad():
        for kind, member in MEMBERS:
            planted = 2 * kind_direction(kind) + member_direction(kind, member)
            hf.get_input_embeddings().weight[encoder.encode(f" {member}")[-1]] = torch.from_numpy(planted)
    network = Network(LanguageModel(hf), None, encoder)
    return prepare(SETTINGS, Ground(PLACE, Text("none"), network))


def dictionary(*, leaning=0.0, absorbed=()) -> Dictionary:
    """A latent for each kind and each member.

    Args:
        leaning: How much of one scored member each kind's decoder row has.
        absorbed: Members on which the kind's latent is silent, and whose own latent writes the kind too.
    """
    encoder = np.concatenate([turned()[: len(NAMES)], turned()[len(NAMES) : len(NAMES) + len(MEMBERS)]])
    decoder = encoder.copy()
    for number, kind in enumerate(NAMES):
        member = next(one for one in MEMBERS if one in TEST and one[0] == kind)
        decoder[number] += leaning * member_direction(*member)
    for one in absorbed:
        encoder[NAMES.index(one[0])] -= 4 * member_direction(*one)
        decoder[len(NAMES) + MEMBERS.index(one)] += 2 * kind_direction(one[0])
    tensors = {"w_enc": encoder.T, "b_enc": np.full(len(encoder), -0.1), "w_dec": decoder, "b_dec": np.zeros(WIDTH)}
    arrays = {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in tensors.items()}
    return Dictionary(PLACE, "relu", Rule("relu", pre_bias=False), arrays)


def score(found: Dictionary):
    coder = Coder(found, device=torch.device("cpu"), dtype=torch.float64)
    return evaluation().score([Subject(found, coder)])[0]


def test_a_dictionary_of_the_planted_features_neither_absorbs_nor_hedges() -> None:
    found = score(dictionary())
    assert found.metrics["hierarchy_absorption"].value == 0
    assert found.metrics["hierarchy_absorption_main_f1"].value == 1
    assert found.metrics["hedging"].value == pytest.approx(0, abs=1e-6)
    assert found.metrics["hedging"].ceiling == pytest.approx(0, abs=1e-6)
    assert found.metrics["hedging"].n == len(NAMES)
    assert len(found.tables[CONCEPTS]) == len(found.tables[KIND_TABLE]) == len(NAMES)


def test_kinds_whose_latent_mixes_in_a_member_hedge_by_the_cosine_with_it() -> None:
    found = score(dictionary(leaning=0.5))
    table = found.tables[KIND_TABLE]
    for kind, value in zip(table["concept"], table["hedging"], strict=True):
        scored = [member for member in KINDS[kind] if (kind, member) in TEST]
        row = kind_direction(kind) + 0.5 * member_direction(
            kind, next(iter(m for k, m in MEMBERS if (k, m) in TEST and k == kind))
        )
        own = np.array([member_direction(kind, member) for member in scored])
        apart = own - own.mean(0)
        cosines = apart @ row / np.linalg.norm(apart, axis=1) / np.linalg.norm(row)
        assert value == pytest.approx(cosines.max(), abs=1e-6)
    assert 0.35 < found.metrics["hedging"].value < 0.45
    assert found.metrics["hierarchy_absorption"].value == 0


def test_members_that_take_over_their_kind_are_absorbed_and_do_not_count_as_hedging() -> None:
    absorbed = [next(one for one in MEMBERS if one in TEST and one[0] == kind) for kind in NAMES[:6]]
    found = score(dictionary(absorbed=absorbed))
    shares = [sum(one[0] == kind for one in absorbed) / sum(one[0] == kind for one in TEST) for kind in NAMES]
    assert found.metrics["hierarchy_absorption"].value == pytest.approx(np.mean(shares))
    assert found.metrics["hedging"].value == pytest.approx(0, abs=1e-6)
    table = found.tables[WORDS]
    assert set(table["word"][table["absorbed"]]) == {member for _, member in absorbed}


def test_a_dictionary_without_latents_for_kinds_has_no_hedging_and_says_why() -> None:
    made = dictionary()
    blind = {**made.tensors, "b_enc": np.full(made.d_sae, -100.0, dtype=np.float32)}
    found = score(Dictionary(PLACE, "relu", made.rule, blind))
    assert found.metrics["hedging"].value is None
    assert "no kind" in str(found.metrics["hedging"].reason)
    assert found.metrics["hierarchy_absorption_main_f1"].value == 0
    assert found.metrics["hierarchy_absorption_splits"].value == 0
    assert found.metrics["hierarchy_absorption_misses"].value == 1
    assert found.metrics["hierarchy_absorption"].value == 0


def test_other_nulls_change_the_digest() -> None:
    known = evaluation()
    digests = {
        prepare(SETTINGS, replace(known._ground, nulls=nulls)).digest
        for nulls in (None, Nulls(PLACE), Nulls(PLACE, digest="m" * 64))
    }
    assert len(digests) == 3


def test_a_kind_with_too_few_scored_members_has_no_hedging_in_the_table() -> None:
    known = evaluation()
    few = prepare(SETTINGS, replace(known._ground, limit=1))
    made = dictionary()
    found = few.score([Subject(made, Coder(made, device=torch.device("cpu"), dtype=torch.float64))])[0]
    assert found.metrics["hedging"].value is None
    table = found.tables[KIND_TABLE]
    assert len(table) == len(NAMES)
    assert table[["hedging", "hedging_of_direction"]].isna().all(axis=None)
    assert table["cosine_with_kind"].min() > 0.9


def test_hedging_in_the_table_is_the_metrics_own_where_members_are_scored() -> None:
    found = score(dictionary(leaning=0.3))
    table = found.tables[KIND_TABLE]
    assert found.metrics["hedging"].value == pytest.approx(table["hedging"].mean(), abs=1e-12)
    assert found.metrics["hedging"].ceiling == pytest.approx(table["hedging_of_direction"].mean(), abs=1e-12)


def test_a_tiny_run_has_the_first_words_of_each_kind_and_split_in_all_their_sentences() -> None:
    whole = evaluation()
    few = prepare(SETTINGS, replace(whole._ground, words=2))
    assert few.digest != whole.digest
    shown = few._rows.prompts
    assert {(one.concept, one.split) for one in shown} == {(one.concept, one.split) for one in whole._rows.prompts}
    words = {(one.concept, one.split, one.word) for one in shown}
    assert len(words) == 2 * len({(concept, split) for concept, split, _ in words})
    assert set(shown) == {one for one in whole._rows.prompts if (one.concept, one.split, one.word) in words}
