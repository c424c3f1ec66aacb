from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
import torch
from tiny_models import MAKERS, tiny_model

from mibench.engine.model import LanguageModel
from mibench.models.catalogue import CATALOGUE
from mibench.models.footprint import Footprint, footprint

LLAMA = Footprint(8_030_261_248, 32, 32, 8, 128, 4096, 14336, 128_256)


@pytest.mark.parametrize("name", MAKERS)
def test_sizes_are_those_of_the_loaded_model(name, tmp_path):
    model = tiny_model(name, torch.float32)
    model.save_pretrained(tmp_path / name)
    found, loaded = footprint(str(tmp_path / name)), LanguageModel(model)
    anatomy = loaded.anatomy
    assert found is not None
    assert found.exact
    assert found.n_params == sum(part.numel() for part in model.parameters())
    assert (found.n_layers, found.n_heads, found.n_kv_heads) == (anatomy.n_layers, anatomy.n_heads, anatomy.n_kv_heads)
    assert (found.d_model, found.head_dim, found.vocab) == (anatomy.d_model, anatomy.head_dim, model.config.vocab_size)
    assert found.graph.shape == loaded.graph.shape
    assert found.n_edges == loaded.graph.n_edges
    assert found.n_nodes == loaded.graph.n_sources
    assert found.post_norm == (anatomy.blocks[0].post_attn is not None)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_bytes_of_folded_weights_are_those_that_the_engine_keeps(dtype, tmp_path):
    tiny_model("llama", torch.float32).save_pretrained(tmp_path)
    model = LanguageModel(tiny_model("llama", dtype))
    kept = sum(one.weight.nbytes for one in model.folded)
    if model.accumulate != dtype:
        kept += sum(one.nbytes for one in model.out_weights)
    found = footprint(str(tmp_path))
    assert found is not None
    assert found.folded_bytes(str(dtype).removeprefix("torch.")) == kept


def test_a_configuration_without_weights_is_enough(tmp_path):
    model = tiny_model("gpt2", torch.float32)
    model.config.architectures = ["GPT2LMHeadModel"]
    model.config.save_pretrained(tmp_path)
    found = footprint(str(tmp_path))
    assert found is not None
    assert found.n_params == sum(part.numel() for part in model.parameters())


def test_eight_billion_parameters_take_sixteen_gigabytes_in_sixteen_bits_and_one_and_a_half_million_edges():
    assert LLAMA.weight_bytes("bfloat16") == 2 * 8_030_261_248
    assert LLAMA.n_nodes == 1 + 32 * 33
    assert LLAMA.n_edges == 1_592_881


def test_what_is_not_here_is_told_by_the_catalogue_or_not_at_all(private_cache, monkeypatch):
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_, **__: None)
    footprint.cache_clear()
    found = footprint("llama-3.1-8b")
    assert found is not None
    assert not found.exact
    assert found.n_params == CATALOGUE["llama-3.1-8b"].n_params
    for ref in ("no-such-model", "org/name@main", "local:folder"):
        assert footprint(ref) is None


def test_a_model_of_the_hub_is_found_in_its_cache(tmp_path, monkeypatch):
    tiny_model("qwen2", torch.float32).save_pretrained(tmp_path)
    asked = []

    def cached(hub_id, file, revision=None):
        asked.append((hub_id, file, revision))
        return str(tmp_path / file)

    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", cached)
    found = footprint("org/own@abc")
    assert found is not None
    assert found.n_layers == 3
    assert asked == [("org/own", "config.json", "abc")]


@pytest.mark.parametrize("head", [b"", b"\xff" * 8, struct.pack("<Q", 2) + b"[]", struct.pack("<Q", 5) + b"{"])
def test_broken_files_give_nothing_and_no_traceback(head, tmp_path):
    tiny_model("gpt2", torch.float32).save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(head)
    assert footprint(str(tmp_path)) is None


def test_an_unknown_architecture_gives_nothing(tmp_path):
    Path(tmp_path / "config.json").write_text(json.dumps({"model_type": "bert", "architectures": ["BertModel"]}))
    assert footprint(str(tmp_path)) is None
