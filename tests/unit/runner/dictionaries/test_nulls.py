"""Nulls of a text: as wide and as sparse as asked, named by what fixes them, and missed with a reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from probe_family import SAE, WIDTH, Letters, language_model

import mibench.runner.dictionaries.nulls as nulls_module
from mibench.core.errors import DataError, MethodError, StoreError, UsageError
from mibench.core.specs import ModelRef
from mibench.engine.activations.source import ActivationSource
from mibench.engine.activations.store import StoreRequest, open_store
from mibench.engine.dictionaries.coder import Coder
from mibench.runner.dictionaries.bench import DictionaryBench
from mibench.runner.dictionaries.nulls import BATCH, NULL_TOKENS, FrozenNulls
from mibench.tasks.corpora.blocks import token_blocks
from mibench.tasks.corpora.load import load_corpus
from mibench.tracks.sae.evaluation import NO_TEXT

REF = ModelRef(name="tiny", digest="0" * 64, dtype="float64")


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MIBENCH_CACHE", str(tmp_path / "cache"))


def source(folder: Path, letters: str, n: int = 60) -> Callable[[], ActivationSource]:
    """Activations of ``n`` documents, tokenized when they are asked for."""

    def made() -> ActivationSource:
        path = folder / "text.txt"
        path.write_text("\f".join(f"{number} {letters * 6}" for number in range(n)))
        blocks = token_blocks(load_corpus(str(path)), "train", Letters(), context=16, bos=True, tokens=NULL_TOKENS)
        return open_store(StoreRequest(model=language_model(), ref=REF, blocks=blocks, place=SAE))

    return made


def nulls(made: Callable[[], ActivationSource]) -> FrozenNulls:
    bench: Any = SimpleNamespace(model=language_model(), model_ref=REF, dictionaries=DictionaryBench())
    return FrozenNulls(bench, SAE, made)


def test_a_null_is_as_wide_and_as_sparse_as_asked_and_has_small_batches(tmp_path: Path) -> None:
    found = nulls(source(tmp_path, "ab cdefgh"))
    coder = found.frozen(40, 5.1)
    assert isinstance(coder, Coder)
    assert (coder.d_sae, coder.d_in) == (40, WIDTH)
    assert coder.dictionary.params["k"] == 4
    assert coder.dictionary.params["batch"] == BATCH
    again = found.frozen(40, 4.0)
    assert isinstance(again, Coder)
    assert again.dictionary.digest == coder.dictionary.digest


def test_its_text_gives_enough_steps() -> None:
    assert NULL_TOKENS // BATCH >= 150


def test_the_digest_follows_the_text_and_how_nulls_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = nulls(source(tmp_path, "ab cdefgh")).digest
    assert nulls(source(tmp_path, "ab cdefgh")).digest == first
    others = [nulls(source(tmp_path, "zy xwvuts")).digest]
    for name, value in (("NULL_TOKENS", 50_000), ("BATCH", 256), ("SPARSEST", 4), ("DENSEST", 64)):
        with monkeypatch.context() as patch:
            patch.setattr(nulls_module, name, value)
            others.append(nulls(source(tmp_path, "ab cdefgh")).digest)
    assert len({first, *others, NO_TEXT}) == 7


def test_the_digest_is_that_of_any_null_and_needs_no_model(tmp_path: Path) -> None:
    found = nulls(source(tmp_path, "ab cdefgh"))
    before = found.digest
    found.frozen(24, 2.0)
    assert found.digest == before
    blind = nulls(source(tmp_path, "ab cdefgh"))
    blind._bench.model = None  # type: ignore[assignment]
    assert blind.digest == before


@pytest.mark.parametrize("kind", [UsageError, DataError, MethodError])
def test_text_that_cannot_be_had_is_a_reason_and_asked_for_once(kind: type[UsageError]) -> None:
    asked = []

    def missing() -> ActivationSource:
        asked.append(1)
        raise kind("There is no text.", why="It is gone.", do="Give some.")

    found = nulls(missing)
    assert found.digest == NO_TEXT
    assert "There is no text. It is gone." in str(found.frozen(24, 3.0))
    assert asked == [1]


def test_text_under_one_batch_is_a_reason(tmp_path: Path) -> None:
    found = nulls(source(tmp_path, "ab", n=20))
    assert found.digest == NO_TEXT
    assert f"a step takes {BATCH} tokens" in str(found.frozen(24, 3.0))


def test_a_method_that_fails_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: Any, **__: Any) -> None:
        raise MethodError("It failed.", why="Nothing is finite.", do="Nothing.")

    monkeypatch.setattr(nulls_module, "make_dictionary", failing)
    found = nulls(source(tmp_path, "ab cdefgh"))
    assert "It failed. Nothing is finite." in str(found.frozen(24, 3.0))
    assert found.digest != NO_TEXT


def test_a_full_disk_is_no_reason() -> None:
    def full() -> ActivationSource:
        raise StoreError("The disk is full.", why="So it is.", do="Make room.")

    with pytest.raises(StoreError, match="full"):
        _ = nulls(full).digest


@pytest.mark.parametrize(("d_sae", "l0"), [(0, 3.0), (24, 0.0), (24, float("nan"))])
def test_no_null_has_no_latents(tmp_path: Path, d_sae: int, l0: float) -> None:
    assert "active per token" in str(nulls(source(tmp_path, "ab cdefgh")).frozen(d_sae, l0))
