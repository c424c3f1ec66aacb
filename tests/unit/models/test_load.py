from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from mibench.core.errors import ModelError, UsageError
from mibench.models import load as load_module
from mibench.models.cache import converted_folder
from mibench.models.catalogue import model_spec
from mibench.models.convert import CONVERTER_VERSION, MANIFEST_FILE
from mibench.models.digest import folder_digest
from mibench.models.load import load_hf, supported_architectures

Tiny = Callable[[str], Path]
FAMILIES = ["tiny_gpt2", "tiny_llama", "tiny_gemma2"]


def change_config(folder: Path, **changes: object) -> None:
    config = {**json.loads((folder / "config.json").read_text()), **changes}
    (folder / "config.json").write_text(json.dumps(config))


def rewrite_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def as_installed(folder: Path, digest: str) -> Path:
    spec = model_spec("smollm2-135m")
    target = shutil.copytree(folder, converted_folder(spec))
    manifest = {
        "converter_version": CONVERTER_VERSION,
        "gguf_sha256": spec.weights_sha256,
        "folder_digest": digest,
    }
    (target / MANIFEST_FILE).write_text(json.dumps(manifest))
    return target


def logit_difference(model: torch.nn.Module, clean: list[int], answers: list[int]) -> float:
    logits = model(torch.tensor([clean]), use_cache=False).logits[0, -1]
    return float(logits[answers[0]] - logits[answers[1]])


@pytest.mark.usefixtures("private_cache")
class TestFolders:
    @pytest.mark.parametrize("name", FAMILIES)
    def test_logits_are_those_of_the_reference(self, name: str, tiny: Tiny, golden: Path) -> None:
        loaded = load_hf(str(tiny(name)), dtype="float64")
        data = json.loads((golden / name / "inputs.json").read_text())["sets"]["A"]
        found = [logit_difference(loaded.model, *pair) for pair in zip(data["clean"], data["labels"], strict=True)]
        expected = np.load(golden / name / "outputs.npz")["A.eval.baseline_clean"]
        np.testing.assert_allclose(found, expected, atol=1e-4)

    @pytest.mark.parametrize("name", FAMILIES)
    def test_the_model_is_frozen_quiet_and_described(
        self, name: str, tiny: Tiny, capfd: pytest.CaptureFixture[str]
    ) -> None:
        folder = tiny(name)
        loaded = load_hf(str(folder))
        assert not loaded.model.training
        assert not any(weight.requires_grad for weight in loaded.model.parameters())
        assert (loaded.tokenizer, loaded.spec, loaded.note) == (None, None, "")
        assert (loaded.name, loaded.digest) == (f"local:{name}", folder_digest(folder))
        assert (loaded.vocab_size, loaded.folder) == (101, folder)
        assert capfd.readouterr() == ("", "")

    @pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
    def test_weights_have_the_dtype_asked_for(self, dtype: str, tiny: Tiny) -> None:
        loaded = load_hf(str(tiny("tiny_llama")), dtype=dtype)
        assert {weight.dtype for weight in loaded.model.parameters()} == {getattr(torch, dtype)}
        assert loaded.dtype == dtype

    def test_only_softcapped_families_need_the_eager_kernel(self, tiny: Tiny) -> None:
        kernels = {name: load_hf(str(tiny(name))).attention for name in FAMILIES}
        assert kernels == {"tiny_gpt2": "sdpa", "tiny_llama": "sdpa", "tiny_gemma2": "eager"}

    def test_the_kernel_asked_for_is_taken(self, tiny: Tiny) -> None:
        loaded = load_hf(str(tiny("tiny_llama")), attention="eager")
        assert loaded.model.config._attn_implementation == loaded.attention == "eager"

    def test_pickled_weights_are_refused_with_the_way_out(self, tiny: Tiny) -> None:
        folder = tiny("tiny_gpt2")
        (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
        with pytest.raises(ModelError) as caught:
            load_hf(str(folder))
        assert "pickle" in caught.value.why
        assert "save_pretrained" in caught.value.do

    def test_a_missing_tensor_is_not_filled_with_random_numbers(self, tiny: Tiny) -> None:
        folder = tiny("tiny_llama")
        name = "model.layers.1.mlp.up_proj.weight"
        rewrite_weights(folder, lambda weights: weights.pop(name))  # type: ignore[arg-type,return-value]
        with pytest.raises(ModelError, match="not complete") as caught:
            load_hf(str(folder))
        assert name in caught.value.why

    def test_a_tensor_of_another_shape_is_refused(self, tiny: Tiny) -> None:
        folder = tiny("tiny_llama")
        rewrite_weights(folder, lambda weights: weights.update({"model.norm.weight": torch.ones(7)}))
        with pytest.raises(ModelError):
            load_hf(str(folder))

    def test_cut_off_weights_are_refused(self, tiny: Tiny) -> None:
        folder = tiny("tiny_gpt2")
        weights = folder / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-100])
        with pytest.raises(ModelError, match="cannot be loaded"):
            load_hf(str(folder))

    @pytest.mark.parametrize("architectures", [["MambaForCausalLM"], None, "LlamaForCausalLM"])
    def test_an_unknown_architecture_names_the_supported_ones(self, architectures: object, tiny: Tiny) -> None:
        folder = tiny("tiny_llama")
        change_config(folder, architectures=architectures)
        with pytest.raises(ModelError, match="not supported") as caught:
            load_hf(str(folder))
        assert "LlamaForCausalLM" in caught.value.why

    @pytest.mark.parametrize("kind", ["quantised", "adapter"])
    def test_weights_that_are_not_plain_floats_are_refused(self, kind: str, tiny: Tiny) -> None:
        folder = tiny("tiny_llama")
        if kind == "quantised":
            change_config(folder, quantization_config={"quant_method": "gptq", "bits": 4})
        else:
            (folder / "adapter_config.json").write_text("{}")
        with pytest.raises(ModelError, match="plain floats"):
            load_hf(str(folder))

    def test_code_in_a_folder_never_runs(self, tiny: Tiny, tmp_path: Path) -> None:
        folder, mark = tiny("tiny_llama"), tmp_path / "ran"
        (folder / "modeling.py").write_text(f"open({str(mark)!r}, 'w')\nclass Model: ...\n")
        change_config(folder, auto_map={"AutoModelForCausalLM": "modeling.Model", "AutoConfig": "modeling.Model"})
        load_hf(str(folder))
        change_config(folder, model_type="private")
        with pytest.raises(ModelError):
            load_hf(str(folder))
        assert not mark.exists()

    def test_a_folder_without_configuration_is_explained(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="not a model in transformers format"):
            load_hf(str(tmp_path))


class TestReferences:
    @pytest.mark.parametrize(
        ("flags", "hint"),
        [
            ({"dtype": "fp32"}, "float32"),
            ({"attention": "flash"}, "sdpa"),
            ({"device": "abacus"}, "cpu"),
        ],
    )
    def test_wrong_flags_are_wrong_commands(self, flags: dict[str, str], hint: str, golden: Path) -> None:
        with pytest.raises(UsageError) as caught:
            load_hf(str(golden / "tiny_gpt2"), **flags)
        assert hint in caught.value.do

    def test_an_unknown_name_suggests_the_nearest(self) -> None:
        with pytest.raises(UsageError, match="Unknown model 'gpt-2'") as caught:
            load_hf("gpt-2")
        assert "'gpt2'" in caught.value.do

    @pytest.mark.parametrize("ref", ["models/nowhere", "/nowhere/at/all", "../x", "org/name@", "a/b/c@main"])
    def test_a_path_that_is_not_there_is_a_wrong_command(self, ref: str) -> None:
        with pytest.raises(UsageError, match="There is no model"):
            load_hf(ref)

    def test_a_model_that_is_not_pulled_names_the_command(self, private_cache: Path) -> None:
        with pytest.raises(ModelError) as caught:
            load_hf("smollm2-135m")
        assert caught.value.do == "mibench models pull smollm2-135m"

    def test_a_changed_copy_of_a_pulled_model_is_refused(self, tiny: Tiny, private_cache: Path) -> None:
        target = as_installed(tiny("tiny_llama"), "0" * 64)
        with pytest.raises(ModelError, match="has changed") as caught:
            load_hf("smollm2-135m")
        assert str(target) in caught.value.why

    def test_a_pulled_model_has_the_digest_of_the_catalogue(self, tiny: Tiny, private_cache: Path) -> None:
        folder = tiny("tiny_llama")
        as_installed(folder, folder_digest(folder))
        loaded = load_hf("smollm2-135m")
        assert loaded.digest == model_spec("smollm2-135m").weights_sha256
        assert "dequantised from GGUF Q4_1" in loaded.note

    @pytest.mark.parametrize(
        ("ref", "hint"),
        [
            ("gpt2", "Unset HF_HUB_OFFLINE"),
            ("org/name@main", "Unset HF_HUB_OFFLINE"),
            ("gemma-2-2b", "licence"),
        ],
    )
    def test_an_offline_machine_is_told_what_to_do(
        self, ref: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
        with pytest.raises(ModelError, match="could not be fetched") as caught:
            load_hf(ref)
        assert caught.value.why.startswith("HF_HUB_OFFLINE is set. ")
        assert "cache" in caught.value.why.lower()
        assert hint in caught.value.do

    @pytest.mark.parametrize(("ref", "name"), [("gpt2", "gpt2"), ("org/name@v1.0", "org/name@v1.0")])
    def test_a_hub_model_is_loaded_from_its_snapshot(
        self, ref: str, name: str, tiny: Tiny, private_cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder, asked = tiny("tiny_gpt2"), []

        def snapshot(hub_id: str, revision: str | None, *, gated: bool = False) -> Path:
            asked.append((hub_id, revision, gated))
            return folder

        monkeypatch.setattr(load_module, "snapshot", snapshot)
        assert load_hf(ref).name == name
        wanted = {
            "gpt2": ("openai-community/gpt2", None, False),
            "org/name@v1.0": ("org/name", "v1.0", False),
        }
        assert asked == [wanted[ref]]

    def test_all_golden_architectures_are_supported(self) -> None:
        assert {"GPT2LMHeadModel", "LlamaForCausalLM", "Gemma2ForCausalLM"} <= set(supported_architectures())


def test_smollm2_gives_the_golden_logit_differences(smollm2_folder: Path, golden: Path) -> None:
    loaded = load_hf("smollm2-135m")
    rows = [json.loads(line) for line in (golden / "smollm2_ioi" / "pairs.jsonl").read_text().splitlines()][:5]
    found = [logit_difference(loaded.model, row["clean"], [row["correct"], row["incorrect"]]) for row in rows]
    expected = json.loads((golden / "smollm2_ioi" / "expected.json").read_text())
    np.testing.assert_allclose(found, expected["baseline"][:5], atol=1e-3)
    assert loaded.folder == smollm2_folder
    assert sum(weight.numel() for weight in loaded.model.parameters()) == loaded.spec.n_params  # type: ignore[union-attr]
