"""Tiny runs make tasks of dictionaries small; no other run does."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from mibench.runner.dictionaries import ground as module
from mibench.runner.dictionaries.bench import DictionaryBench
from mibench.runner.dictionaries.nulls import NULL_TOKENS
from mibench.runner.dictionaries.small import MOST, WORDS, small_settings
from mibench.runner.plan import plan
from mibench.runner.settings import RunSettings
from mibench.runner.tiny import TOKENS, tiny
from mibench.tasks.probing.load import load_sets
from mibench.tasks.probing.splits import SplitName
from mibench.tasks.sae.dictionary_task import DICTIONARY_TASKS, load_dictionary_task
from mibench.tracks.sae.probe_sets import Division, divided

SETTINGS = RunSettings.model_validate(
    {"task": "sae-causal", "model": "smollm2-135m", "hook": "residual-post.L3", "method": "topk"}
)


@dataclass(frozen=True)
class Inner:
    epochs: int | None = None
    steps: int = 1


@dataclass(frozen=True)
class Outer:
    rows: int = 640
    tokens: int = 9
    strengths: tuple[float, ...] = (0.1, 1.0)
    inner: Inner = Inner()


def test_what_is_larger_or_open_becomes_small_and_the_rest_stays() -> None:
    assert small_settings(Outer()) == Outer(MOST["rows"], 9, (1.0,), Inner(1, 1))
    assert small_settings(Outer(rows=3)).rows == 3


@pytest.mark.parametrize("name", sorted(DICTIONARY_TASKS.components))
def test_every_task_can_be_made_small_once_and_for_all(name: str) -> None:
    settings = load_dictionary_task(name).settings
    before = repr(settings)
    small = small_settings(settings)
    assert type(small) is type(settings)
    assert small_settings(small) == small
    assert repr(load_dictionary_task(name).settings) == before


@pytest.mark.parametrize("split", ["validation", "test"])
def test_small_labelled_sets_still_have_both_labels_wherever_they_are_needed(split: SplitName) -> None:
    sets = load_sets(small_settings(load_dictionary_task("sae-probing").settings))
    for one in sets:
        assert len(one.rows) <= MOST["rows"]
        labels = divided(one, Division(split, 4, 0)).labels
        assert 0 < labels.sum() < len(labels)


@pytest.mark.parametrize("name", ["sae-causal", "sae-probing", "sae-absorption", "sae-absorption-hierarchy", "sae-tpp"])
def test_tasks_with_costs_of_their_own_change(name: str) -> None:
    settings = load_dictionary_task(name).settings
    assert asdict(small_settings(settings)) != asdict(settings)


def prepared(monkeypatch: pytest.MonkeyPatch, settings: RunSettings) -> tuple[Any, Any, list[int]]:
    """Settings and ground that a family is prepared with, and the tokens that nulls ask for."""
    seen, tokens = [], []
    monkeypatch.setattr("mibench.tracks.sae.causal.prepare", lambda *given: seen.append(given))
    monkeypatch.setattr(module, "network_of", lambda bench: None)
    monkeypatch.setattr(module, "_source", lambda *given: tokens.append(given[-1]) or SimpleNamespace(n_tokens=0))
    bench: Any = SimpleNamespace(hf=SimpleNamespace(name="m"), dictionaries=DictionaryBench())
    job = plan(settings)[0]
    module.evaluation_of(job, bench, settings)
    ((task, found),) = seen
    found.nulls.frozen(8, 2)
    return task, found, tokens


def test_a_real_run_has_the_tasks_own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    task, found, tokens = prepared(monkeypatch, SETTINGS)
    assert task is load_dictionary_task("sae-causal").settings
    assert (found.words, tokens) == (None, [NULL_TOKENS])
    # Few examples, as somebody may ask for, are no tiny run.
    task, found, tokens = prepared(monkeypatch, SETTINGS.model_copy(update={"limit": 4, "train_tokens": 600}))
    assert task is load_dictionary_task("sae-causal").settings
    assert (found.words, tokens) == (None, [NULL_TOKENS])


def test_a_tiny_run_has_few_rows_words_and_tokens_of_nulls(monkeypatch: pytest.MonkeyPatch) -> None:
    task, found, tokens = prepared(monkeypatch, tiny(SETTINGS))
    assert (task.train_rows, task.tuning_rows, task.controls.epochs) == (8, 8, 1)
    assert (found.words, tokens) == (WORDS, [TOKENS])
