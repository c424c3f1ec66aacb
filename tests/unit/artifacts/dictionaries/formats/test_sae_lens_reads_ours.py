"""What is written here, read by sae-lens itself; run where it is installed."""

from __future__ import annotations

import foreign_dictionaries as foreign
import numpy as np
import pytest
import torch

from mibench.artifacts.dictionaries import formula
from mibench.artifacts.dictionary_files import save_dictionary_as

sae_lens = pytest.importorskip("sae_lens")

NAMES = [
    "relu",
    "relu without pre_bias",
    "p-anneal",
    "frozen decoder",
    "topk",
    "topk without pre_bias",
    "jumprelu",
    "jumprelu with pre_bias",
    "batchtopk",
    "matryoshka",
    "gated",
    "gated without pre_bias",
    "constant scaling",
    "layer-norm scaling",
    "attention output",
    "transcoder",
    "skip transcoder",
    "jumprelu transcoder",
    "skip",
]


@pytest.mark.parametrize("name", NAMES)
def test_sae_lens_computes_the_same_with_what_is_written(name, tmp_path):
    dictionary = foreign.EXAMPLES[name]
    save_dictionary_as(dictionary, tmp_path / "sae", "saelens")
    sae = sae_lens.SAE.load_from_disk(tmp_path / "sae", device="cpu")
    x = foreign.tokens()
    with torch.no_grad():
        latents, reconstruction = sae.encode(torch.tensor(x).float()), sae(torch.tensor(x).float())
    assert np.abs(latents.numpy() - formula.encode(dictionary, x)).max() < 1e-5
    assert np.abs(reconstruction.numpy() - formula.reconstruct(dictionary, x)).max() < 1e-5
    assert sae.cfg.metadata.model_name == "gpt2"
    assert sae.cfg.metadata.hook_name == dictionary.place.hook.transformer_lens


def test_sae_lens_reads_heads_side_by_side(tmp_path):
    dictionary = foreign.EXAMPLES["heads"]
    save_dictionary_as(dictionary, tmp_path / "sae", "saelens")
    sae = sae_lens.SAE.load_from_disk(tmp_path / "sae", device="cpu")
    x = foreign.tokens()
    with torch.no_grad():
        reconstruction = sae(torch.tensor(x).float().reshape(len(x), 2, -1)).reshape(len(x), -1)
    assert np.abs(reconstruction.numpy() - formula.reconstruct(dictionary, x)).max() < 1e-5
