"""Write the golden files of this folder with sae-lens: small random dictionaries, and what they compute."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import torch
from sae_lens import (
    SAE,
    BatchTopKTrainingSAE,
    BatchTopKTrainingSAEConfig,
    GatedSAE,
    GatedSAEConfig,
    JumpReLUSAE,
    JumpReLUSAEConfig,
    JumpReLUSkipTranscoder,
    JumpReLUSkipTranscoderConfig,
    JumpReLUTranscoder,
    JumpReLUTranscoderConfig,
    MatryoshkaBatchTopKTrainingSAE,
    MatryoshkaBatchTopKTrainingSAEConfig,
    SkipTranscoder,
    SkipTranscoderConfig,
    StandardSAE,
    StandardSAEConfig,
    TopKSAE,
    TopKSAEConfig,
    Transcoder,
    TranscoderConfig,
)
from sae_lens.saes.sae import SAEMetadata
from safetensors.torch import load_file, save_file

HERE = Path(__file__).parent
D_IN, D_SAE, D_OUT, TOKENS = 8, 24, 6, 16
ALIKE = {"d_in": D_IN, "d_sae": D_SAE}
ACROSS = {**ALIKE, "d_out": D_OUT, "apply_b_dec_to_input": False}


def metadata(**more):
    said = {
        "model_name": "gpt2-small",
        "hook_name": "blocks.1.hook_resid_post",
        "context_size": 64,
        "prepend_bos": True,
    }
    return SAEMetadata(**said, **more)


def across():
    return SAEMetadata(
        model_name="gpt2-small", hook_name="blocks.1.ln2.hook_normalized", hook_name_out="blocks.1.hook_mlp_out"
    )


def heads():
    return SAEMetadata(model_name="gpt2-small", hook_name="blocks.1.attn.hook_z", model_from_pretrained_kwargs={})


def matryoshka():
    config = {**ALIKE, "k": 3.5, "matryoshka_widths": [6, 12, 24]}
    return MatryoshkaBatchTopKTrainingSAE(MatryoshkaBatchTopKTrainingSAEConfig(**config, metadata=metadata()))


def batchtopk(*, rescale):
    config = BatchTopKTrainingSAEConfig(**ALIKE, k=3, rescale_acts_by_decoder_norm=rescale, metadata=metadata())
    return BatchTopKTrainingSAE(config)


CASES = {
    "standard": lambda: StandardSAE(StandardSAEConfig(**ALIKE, metadata=metadata())),
    "standard_no_pre_bias": lambda: StandardSAE(
        StandardSAEConfig(**ALIKE, apply_b_dec_to_input=False, metadata=metadata())
    ),
    "standard_layer_norm": lambda: StandardSAE(
        StandardSAEConfig(**ALIKE, normalize_activations="layer_norm", metadata=metadata())
    ),
    "standard_hook_z": lambda: StandardSAE(StandardSAEConfig(**ALIKE, reshape_activations="hook_z", metadata=heads())),
    "standard_bfloat16": lambda: StandardSAE(StandardSAEConfig(**ALIKE, dtype="bfloat16", metadata=metadata())),
    "topk": lambda: TopKSAE(TopKSAEConfig(**ALIKE, k=4, metadata=metadata())),
    "topk_rescaled": lambda: TopKSAE(
        TopKSAEConfig(**ALIKE, k=4, rescale_acts_by_decoder_norm=True, metadata=metadata())
    ),
    "jumprelu": lambda: JumpReLUSAE(JumpReLUSAEConfig(**ALIKE, metadata=metadata())),
    "gated": lambda: GatedSAE(GatedSAEConfig(**ALIKE, metadata=metadata())),
    "transcoder": lambda: Transcoder(TranscoderConfig(**ACROSS, metadata=across())),
    "skip_transcoder": lambda: SkipTranscoder(SkipTranscoderConfig(**ACROSS, metadata=across())),
    "jumprelu_transcoder": lambda: JumpReLUTranscoder(JumpReLUTranscoderConfig(**ACROSS, metadata=across())),
    "jumprelu_skip_transcoder": lambda: JumpReLUSkipTranscoder(
        JumpReLUSkipTranscoderConfig(**ACROSS, metadata=across())
    ),
    "batchtopk": lambda: batchtopk(rescale=True),
    "batchtopk_not_rescaled": lambda: batchtopk(rescale=False),
    "matryoshka_batchtopk": matryoshka,
}


def fill(sae, generator):
    with torch.no_grad():
        for name, tensor in sae.state_dict().items():
            values = 0.5 * torch.randn(tensor.shape, generator=generator)
            if "threshold" in name:
                values = values.abs()
            tensor.copy_(values)


def inputs(generator, *, by_head):
    x = torch.randn(TOKENS, D_IN, generator=generator)
    return x.reshape(TOKENS, 2, D_IN // 2) if by_head else x


def compute(sae, x):
    with torch.no_grad():
        latents, reconstruction = sae.encode(x), sae(x)
    return {
        "x": x.reshape(TOKENS, -1),
        "latents": latents.float(),
        "reconstruction": reconstruction.reshape(TOKENS, -1).float(),
    }


def write(name, sae, generator):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    (sae.save_inference_model if hasattr(sae, "save_inference_model") else sae.save_model)(folder)
    outputs(folder, generator)


def outputs(folder, generator):
    loaded = SAE.load_from_disk(folder, device="cpu", dtype="float32")
    x = inputs(generator, by_head=loaded.cfg.reshape_activations == "hook_z")
    np.savez(folder / "outputs.npz", **{key: value.numpy() for key, value in compute(loaded, x).items()})


def write_unfinished(name, sae):
    """A BatchTopK dictionary as its trainer keeps it, which computes what the finished one does."""
    folder = HERE / f"{name}_in_training"
    shutil.rmtree(folder, ignore_errors=True)
    sae.save_model(folder)
    shutil.copy(HERE / name / "outputs.npz", folder / "outputs.npz")


def write_old(generator):
    """Before version 6: flat settings, TopK as an activation function, the place as ``hook_point``."""
    folder = HERE / "old_topk"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    save_file(load_file(HERE / "topk" / "sae_weights.safetensors"), folder / "sae_weights.safetensors")
    config = {
        "d_in": D_IN,
        "d_sae": D_SAE,
        "dtype": "float32",
        "device": "cpu",
        "model_name": "gpt2-small",
        "hook_point": "blocks.1.hook_resid_post",
        "hook_point_layer": 1,
        "hook_point_head_index": None,
        "activation_fn_str": "topk",
        "activation_fn_kwargs": {"k": 4},
        "normalize_activations": False,
        "context_size": 64,
        "dataset_path": "openwebtext",
        "training_tokens": -100000,
    }
    (folder / "cfg.json").write_text(json.dumps(config))
    outputs(folder, generator)


def main():
    generator = torch.Generator().manual_seed(0)
    for name, make in CASES.items():
        sae = make()
        fill(sae, generator)
        write(name, sae, generator)
        if name.startswith("batchtopk"):
            write_unfinished(name, sae)
    write_old(generator)


if __name__ == "__main__":
    main()
