"""Triplets as MIB's own code saves them, made with torch's modules and not with ours."""

from __future__ import annotations

import json

import torch
from torch import nn


class Rotate(nn.Module):
    """Stands for pyvene's layer: one parameter, ``weight [d, k]``."""

    def __init__(self, d, k):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(d, k))
        nn.init.orthogonal_(self.weight)


class Module(nn.Module):
    """Stands for the featurizer's module and its inverse, which share the layer."""

    def __init__(self, rotate):
        super().__init__()
        self.rotate = rotate


def subspace(d, k, seed=0):
    """A subspace module with trained-looking weights."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = Module(nn.utils.parametrizations.orthogonal(Rotate(d, k)))
        with torch.no_grad():
            # As gradients do: those of the diagonal are zero.
            module.rotate.parametrizations.weight.original.add_(0.1 * torch.randn(d, k).tril(-1))
    return module


def save(
    folder, unit, module=None, indices="absent", classes=None, config=None, parts=("featurizer", "inverse_featurizer")
):
    """Write a triplet; without a module, that of an identity."""
    folder.mkdir(parents=True, exist_ok=True)
    name = "Identity" if module is None else "Subspace"
    both = classes or (f"{name}FeaturizerModule", f"{name}InverseFeaturizerModule")
    if config is None:
        weight = None if module is None else module.rotate.weight.detach().clone()
        config = {} if module is None else {"rotation_matrix": weight, "requires_grad": True}
    n_features = None if module is None else module.rotate.weight.shape[1]
    info = {
        "featurizer_class": both[0],
        "inverse_featurizer_class": both[1],
        "n_features": n_features,
        "additional_config": config,
    }
    state = {} if module is None else module.state_dict()
    for part in parts:
        torch.save({"model_info": info, "state_dict": state}, folder / f"{unit}_{part}")
    if indices != "absent":
        (folder / f"{unit}_indices").write_text(json.dumps(indices))


def load(folder, unit):
    """The rotation as MIB's loader rebuilds it: shapes from model_info, weights from the state; None: identity."""
    data = [torch.load(folder / f"{unit}_{part}", weights_only=True) for part in ("featurizer", "inverse_featurizer")]
    info = data[0]["model_info"]
    if info["featurizer_class"] == "IdentityFeaturizerModule":
        return None
    rotation = info["additional_config"]["rotation_matrix"]
    rotate = Rotate(*rotation.shape)
    rotate.weight.data.copy_(rotation)
    rotate = nn.utils.parametrizations.orthogonal(rotate)
    if not info["additional_config"]["requires_grad"]:
        rotate.requires_grad_(False)
    module, inverse = Module(rotate), Module(rotate)
    module.load_state_dict(data[0]["state_dict"])
    inverse.load_state_dict(data[1]["state_dict"])
    assert info["n_features"] == rotation.shape[1]
    return module.rotate.weight.detach()
