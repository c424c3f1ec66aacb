from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from mibench.core.errors import ModelError
from mibench.models.load import load_hf

Tiny = Callable[[str], Path]
NAME = "model.layers.1.mlp.up_proj.weight"


@pytest.mark.usefixtures("private_cache")
class TestRefusals:
    @pytest.mark.parametrize("method", ["bitsandbytes", "gptq", "awq", "fp8", "compressed-tensors"])
    @pytest.mark.parametrize("key", ["quantization_config", "compression_config"])
    def test_a_configuration_that_names_a_quantisation(self, key: str, method: str, tiny: Tiny) -> None:
        folder = tiny("tiny_llama")
        config = json.loads((folder / "config.json").read_text()) | {key: {"quant_method": method}}
        (folder / "config.json").write_text(json.dumps(config))
        with pytest.raises(ModelError, match="plain floats") as caught:
            load_hf(str(folder))
        assert method in caught.value.why
        assert "Dequantise" in caught.value.do

    @pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.float8_e4m3fn, torch.float8_e5m2])
    def test_weights_stored_in_8_bits_without_a_word_of_it(self, dtype: torch.dtype, tiny: Tiny) -> None:
        folder = tiny("tiny_llama")
        weights = load_file(folder / "model.safetensors")
        weights[NAME] = weights[NAME].to(dtype)
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        with pytest.raises(ModelError, match="plain floats") as caught:
            load_hf(str(folder))
        assert NAME in caught.value.why

    def test_masks_of_old_checkpoints_are_no_weights(self, tiny: Tiny) -> None:
        folder = tiny("tiny_gpt2")
        weights = load_file(folder / "model.safetensors")
        weights["transformer.h.0.attn.bias"] = torch.ones(1, 1, 4, 4, dtype=torch.uint8)
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        assert load_hf(str(folder)).attention == "sdpa"
