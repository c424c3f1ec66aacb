"""Stand-ins for what is on the hub: a tiny GPT-2 that reads words, and IOI rows in the hub's layout."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from tiny_models import tiny_model
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from mibench.tasks.shipped import data_folder

SPLITS = ("train", "validation", "test")
_WORD = r" ?[A-Za-z]+|[^A-Za-z ]"


def write_rows(folder: Path, n: int) -> list[dict[str, Any]]:
    """Write ``n`` IOI rows of each split to ``folder`` as the hub has them, and return them all."""
    folder.mkdir(parents=True, exist_ok=True)
    everything = []
    for split in SPLITS:
        lines = (data_folder("ioi") / f"{split}.jsonl").read_text().splitlines()[:n]
        (folder / f"{split}.jsonl").write_text("".join(f"{line}\n" for line in lines))
        everything += [json.loads(line) for line in lines]
    return everything


def write_model(folder: Path, rows: Iterable[dict[str, Any]], n_positions: int = 64) -> Path:
    """Write a tiny random GPT-2 to ``folder``, with a tokenizer that knows the words of ``rows``."""
    split = pre_tokenizers.Split(Regex(_WORD), behavior="isolated")
    texts = [text for row in rows for text in (row["prompt"], row["s2_io_flip_counterfactual"]["prompt"])]
    names = [f" {row['metadata'][who]}" for row in rows for who in ("subject", "indirect_object", "random_c")]
    words = sorted({word for text in [*texts, *names] for word, _ in split.pre_tokenize_str(text)})
    vocabulary = {word: place for place, word in enumerate(["<|endoftext|>", "<unk>", *words])}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    inner.pre_tokenizer = split
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<|endoftext|>", unk_token="<unk>")
    model = tiny_model("gpt2", torch.float32, seed=3, vocab_size=len(vocabulary), n_positions=n_positions)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
