"""The explainability family on a tiny model: from text to metrics."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from core_family import constant, identity, language_model, subject
from dictionary_examples import example
from plain_hooks import PlainHooks
from traced_family import EMBEDDING, SAE, detectable, detectors, ground

from mibench.core.errors import ArtifactError, UsageError
from mibench.core.specs import Convention
from mibench.metrics.sae.explainability import LATENTS, explainability_metrics
from mibench.metrics.sae.token_model import explained, groupings
from mibench.tasks.sae.dictionary_task import load_dictionary_task
from mibench.tasks.sae.explainability import ExplainabilityTask
from mibench.tracks.sae.explainability import prepare, previous_ids
from mibench.tracks.sae.latent_traces import Sampling

SETTINGS = ExplainabilityTask(tokens=700, latents=30, min_active=3)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    rng = np.random.default_rng(5)
    words = ["".join(rng.choice(list("abcdefghij klm"), 5 + int(rng.integers(60)))) for _ in range(140)]
    (tmp_path / "text.txt").write_text("\f".join(words))
    return tmp_path


def evaluation(folder: Path, settings: ExplainabilityTask = SETTINGS, place=EMBEDDING, **changes):
    words = (folder / "text.txt").read_text()
    made = ground(folder, place, **changes)
    (folder / "text.txt").write_text(words)
    return prepare(settings, made)


def test_token_detectors_are_explained_and_silent_latents_are_counted_apart(text: Path) -> None:
    letters = "".join(detectable()[:4])
    assert len(letters) == 4
    (scores,) = evaluation(text).score([subject(detectors(letters, silent=4))])
    found = scores.metrics
    assert found["explained_by_token"].value > 0.98
    assert found["explained_by_bigram"].value > 0.98
    assert found["active_by_token"].value == 1.0
    assert found["explained_by_token"].n == 4
    assert found["explained_by_token"].floor < 0.1
    assert found["explained_by_token"].ceiling == 1.0
    assert found["too_rare_to_explain"].value == 0.5
    assert found["explained_by_token"].higher_is_better is None
    table = scores.tables[LATENTS]
    assert table["live"].tolist() == [True] * 4 + [False] * 4
    assert table.loc[4:, "token_r2"].isna().all()


def test_the_table_is_what_activations_under_plain_hooks_give(text: Path) -> None:
    tested = evaluation(text, place=SAE)
    one = subject(example("topk", 16, 24))
    (scores,) = tested.score([one])
    blocks, halves = tested._text.blocks, tested._text.halves
    ids = torch.from_numpy(blocks.ids).long()
    reads = PlainHooks("llama", language_model().hf).read(ids, SAE.hook)
    latents = one.coder.encode(reads)[torch.from_numpy(blocks.scored)].numpy()
    context = np.repeat(np.arange(len(blocks)), blocks.scored.sum(1))
    fit, held = context < halves.fit.stop, context >= halves.held.start
    levels = groupings(blocks.ids[blocks.scored].astype(np.int64), previous_ids(blocks), fit, held)
    table = scores.tables[LATENTS].set_index("latent")
    live = (latents[fit] != 0).sum(0) >= 3
    assert table["live"].tolist() == live.tolist()
    assert table["sampled"].tolist() == live.tolist()
    assert live.any()
    for latent in np.flatnonzero(live):
        at = np.flatnonzero(latents[:, latent])
        token, bigram = explained(levels, at, latents[at, latent])
        row = table.loc[latent]
        assert row["fit_active"] == (latents[fit, latent] != 0).sum()
        assert row["held_active"] == (latents[held, latent] != 0).sum()
        expected = [token.r2, bigram.r2, token.auc, bigram.auc]
        assert row[["token_r2", "bigram_r2", "token_auc", "bigram_auc"]].tolist() == pytest.approx(
            expected, abs=1e-9, nan_ok=True
        )


def test_the_same_comes_out_in_company_in_batches_and_from_the_table(text: Path) -> None:
    subjects = [subject(example("topk", 16, 24, seed=seed)) for seed in (1, 2)]
    together = evaluation(text, place=SAE).score(subjects)
    apart = [evaluation(text, place=SAE, batch_tokens=500).score([one])[0] for one in subjects]
    for one, other in zip(together, apart, strict=True):
        assert one.metrics == other.metrics
        assert explainability_metrics(one.tables) == one.metrics


def test_fewer_latents_are_drawn_than_are_live_and_the_seed_draws_others(text: Path) -> None:
    settings = ExplainabilityTask(tokens=700, latents=5, min_active=3)
    one = subject(example("topk", 16, 24))
    drawn = []
    for seed in (0, 1):
        (scores,) = evaluation(text, settings, SAE, seed=seed).score([one])
        drawn.append(scores.tables[LATENTS]["sampled"])
        assert drawn[-1].sum() == scores.metrics["explained_by_token"].n == 5
    assert not drawn[0].equals(drawn[1])


def test_a_dense_dictionary_is_sampled_less_so_that_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mibench.tracks.sae.latent_traces.MAX_ENTRIES", 1000)
    drawn = Sampling(latents=50, min_active=1, seed=0).draw(np.full(60, 100), share=0.5)
    assert len(drawn) == 5
    assert len(Sampling(50, 1, 0).draw(np.full(60, 9000), share=0.5)) == 1
    assert len(Sampling(50, 1, 0).draw(np.zeros(60, np.int64), share=0.5)) == 0


def test_latents_that_are_always_active_have_no_area_and_dead_dictionaries_no_numbers(text: Path) -> None:
    always, never = evaluation(text, place=SAE).score([subject(identity()), subject(constant(np.ones(16)))])
    assert always.metrics["active_by_token"].value is None
    assert "inactive on others" in always.metrics["active_by_token"].reason
    assert always.metrics["explained_by_token"].value is not None
    assert never.metrics["explained_by_token"].value is None
    assert never.metrics["too_rare_to_explain"].value == 1.0


def test_what_cannot_be_scored_is_refused(text: Path) -> None:
    with pytest.raises(UsageError, match="one convention"):
        evaluation(text, convention=Convention.SAEBENCH)
    with pytest.raises(UsageError, match="needs a model"):
        evaluation(text, network=None)
    with pytest.raises(ArtifactError, match="does not fit"):
        evaluation(text).score([subject(example("relu", 12, 24))])


def test_the_digest_follows_text_settings_and_seed(text: Path) -> None:
    other = ExplainabilityTask(tokens=700, latents=29, min_active=3)
    digests = [
        evaluation(text).digest,
        evaluation(text, other).digest,
        evaluation(text, seed=1).digest,
        evaluation(text, limit=20).digest,
    ]
    assert len(set(digests)) == 4
    assert evaluation(text).digest == digests[0]
    assert evaluation(text, limit=20).n_examples == 20


def test_the_digest_follows_where_documents_end(text: Path) -> None:
    one, other = evaluation(text), evaluation(text)
    blocks = other._text.blocks
    other._text.__dict__["blocks"] = replace(blocks, document=np.maximum(blocks.document - 1, 0))
    assert one.digest != other.digest


def test_the_task_is_registered() -> None:
    task = load_dictionary_task("sae-explainability")
    assert (task.family, task.settings, task.model) == ("explainability", ExplainabilityTask(), True)
