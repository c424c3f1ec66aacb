from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from mibench.core.errors import ModelError
from mibench.models.tokenizer import TextTokenizer, load_tokenizer


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    inner = Tokenizer(models.WordLevel({"<unk>": 0, "Mary": 1, "John": 2, "<s>": 3}, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    folder = tmp_path_factory.mktemp("words")
    PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="<unk>", bos_token="<s>").save_pretrained(folder)
    found = load_tokenizer(folder, family="llama")
    assert found is not None
    return found


def test_offsets_are_characters_of_the_tokens_and_none_is_for_bos(words: TextTokenizer) -> None:
    assert words.encode("Mary  met John") == [1, 0, 2]
    assert words.offsets("Mary  met John") == [(0, 4), (6, 9), (10, 14)]
    assert words.offsets("") == []


@settings(deadline=None)
@given(text=st.text(alphabet="ab1. \né", max_size=40))
def test_there_is_one_offset_for_each_token_of_encode(text: str, smollm2_folder: Path) -> None:
    tokenizer = load_once(smollm2_folder)
    offsets = tokenizer.offsets(text)
    assert len(offsets) == len(tokenizer.encode(text))
    assert all(0 <= start <= end <= len(text) for start, end in offsets)
    assert offsets == sorted(offsets)


def test_smollm2_says_where_digits_and_words_stand(smollm2_folder: Path) -> None:
    tokenizer = load_once(smollm2_folder)
    text = "The war lasted from 1357 to"
    pieces = [text[start:end].strip() for start, end in tokenizer.offsets(text)]
    assert pieces[-6:] == ["", "1", "3", "5", "7", "to"]


def test_a_tokenizer_that_does_not_know_its_places_is_refused() -> None:
    with pytest.raises(ModelError, match="where in a text its tokens stand"):
        TextTokenizer(SimpleNamespace(is_fast=False), None).offsets("x")  # type: ignore[arg-type]


_LOADED: dict[Path, TextTokenizer] = {}


def load_once(folder: Path) -> TextTokenizer:
    if folder not in _LOADED:
        found = load_tokenizer(folder, family="llama")
        assert found is not None
        _LOADED[folder] = found
    return _LOADED[folder]
