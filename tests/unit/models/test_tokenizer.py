from __future__ import annotations

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from mibench.core.errors import ModelError
from mibench.models.tokenizer import load_tokenizer


@pytest.fixture
def without_bos(tmp_path: Path) -> Path:
    inner = Tokenizer(models.WordLevel({"<unk>": 0, "Mary": 1, "John": 2, "<|endoftext|>": 3}, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    whole = PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="<unk>", eos_token="<|endoftext|>")
    whole.save_pretrained(tmp_path)
    return tmp_path


def test_smollm2_gives_the_golden_ids(smollm2_folder: Path, golden: Path) -> None:
    tokenizer = load_tokenizer(smollm2_folder, family="llama")
    assert tokenizer is not None
    rows = [json.loads(line) for line in (golden / "smollm2_ioi" / "pairs.jsonl").read_text().splitlines()]
    assert len(rows) == 20
    for row in rows:
        assert [tokenizer.bos_id, *tokenizer.encode(row["prompt"])] == row["clean"]
        assert [tokenizer.bos_id, *tokenizer.encode(row["counterfactual_prompt"])] == row["counterfactual"]
        assert tokenizer.decode(row["clean"][1:]) == row["prompt"]


def test_smollm2_keeps_names_whole_and_splits_numbers_after_the_space(smollm2_folder: Path) -> None:
    tokenizer = load_tokenizer(smollm2_folder, family="llama")
    assert tokenizer is not None
    assert len(tokenizer.encode(" Mary")) == 1
    assert [tokenizer.decode([token]) for token in tokenizer.encode(" 42")] == [" ", "4", "2"]


def test_qwen2_takes_endoftext_as_bos_and_other_families_none(without_bos: Path) -> None:
    qwen, llama = (load_tokenizer(without_bos, family=family) for family in ("qwen2", "llama"))
    assert qwen is not None
    assert llama is not None
    assert (qwen.bos_id, llama.bos_id) == (3, None)
    assert qwen.encode("John Mary") == [2, 1]


def test_a_folder_without_tokenizer_files_has_no_tokenizer(tmp_path: Path) -> None:
    assert load_tokenizer(tmp_path, family="gpt2") is None


def test_damaged_tokenizer_files_are_a_model_error(without_bos: Path) -> None:
    (without_bos / "tokenizer.json").write_text('{"version": "1.0", "model": ')
    with pytest.raises(ModelError, match="tokenizer"):
        load_tokenizer(without_bos, family="llama")
