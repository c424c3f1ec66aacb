"""Write dictionary_learning's folder, as its ``from_pretrained`` reads it."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from mibench.artifacts.dictionaries.dictionary import Array, Dictionary
from mibench.artifacts.dictionaries.formats.dictionary_learning import (
    CONFIG,
    FORM,
    KINDS,
    PLACES,
    TRAINERS,
    WEIGHTS,
    Kind,
)
from mibench.artifacts.dictionaries.formats.tensors import Numbers
from mibench.artifacts.dictionaries.formats.weights import torch_tensors
from mibench.artifacts.dictionaries.formats.writing import cannot_hold, unscaled, write_settings

_MODULES = {kind: module for module, kind in PLACES.items()}
# The first trainer of a class.
_TRAINER_OF = {name: trainer for trainer, name in reversed(TRAINERS.items())}
_DIRECT = ("jumprelu", "matryoshka")
"""Architectures whose classes keep matrices as ``[in, out]``, under other names."""


def write(dictionary: Dictionary, folder: Path) -> None:
    """Write a dictionary into an empty folder; a constant scaling is folded in.

    Raises:
        ArtifactError: The format cannot hold it.
    """
    import torch

    name = _class_of(dictionary)
    kind, place = KINDS[name], dictionary.place
    if place.output is not None or place.hook.kind not in _MODULES or "w_skip" in dictionary.tensors:
        raise cannot_hold(FORM, f"what reads {place.hook.name} and writes {place.target.name}, or has a skip")
    arrays = _state(dictionary, kind)
    torch.save(OrderedDict(torch_tensors(arrays)), folder / WEIGHTS)
    buffer = {
        "ctx_len": dictionary.training.context,
        "dataset_name": dictionary.training.corpus,
        "d_submodule": dictionary.d_in,
        "io": "out",
    }
    write_settings(folder / CONFIG, {"trainer": _known(_trainer(dictionary, name, arrays)), "buffer": _known(buffer)})


def _known(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _class_of(dictionary: Dictionary) -> str:
    rule = dictionary.rule
    if dictionary.architecture in ("batchtopk", "matryoshka") and rule.pre_bias:
        _check_nested(dictionary)
        return "MatryoshkaBatchTopKSAE" if dictionary.architecture == "matryoshka" else "BatchTopKSAE"
    own = ("BatchTopKSAE", "MatryoshkaBatchTopKSAE")
    for name, kind in KINDS.items():
        if name not in own and (kind.activation, kind.pre_bias) == (rule.activation, rule.pre_bias):
            return name
    words = f"the activation {rule.activation} {'with' if rule.pre_bias else 'without'} pre_bias"
    raise cannot_hold(FORM, words)


def _check_nested(dictionary: Dictionary) -> None:
    threshold = dictionary.tensors.get("threshold")
    if threshold is None or threshold.min() != threshold.max():
        raise cannot_hold(FORM, f"a {dictionary.architecture} dictionary without one threshold for all latents")
    groups = dictionary.training.groups
    if dictionary.architecture == "matryoshka" and sum(groups) != dictionary.d_sae:
        raise cannot_hold(FORM, "a matryoshka dictionary whose groups are not known, or are not all of its latents")


def _state(dictionary: Dictionary, kind: Kind) -> dict[str, Numbers]:
    ours = unscaled(dictionary, FORM)
    direct = kind.architecture in _DIRECT
    state: dict[str, Numbers] = {kind.bias: ours["b_dec"]}
    if kind.activation == "gated":
        state |= {"gate_bias": ours["b_gate"], "mag_bias": ours["b_mag"], "r_mag": ours["r_mag"]}
    else:
        state["b_enc" if direct else "encoder.bias"] = ours["b_enc"]
    if direct:
        state |= {"W_enc": ours["w_enc"], "W_dec": ours["w_dec"]}
    else:
        state |= {"encoder.weight": ours["w_enc"].T, "decoder.weight": ours["w_dec"].T}
    return state | _buffers(dictionary, kind, ours)


def _buffers(dictionary: Dictionary, kind: Kind, ours: dict[str, Array]) -> dict[str, Numbers]:
    if kind.activation == "jumprelu" and kind.architecture == "jumprelu":
        return {"threshold": ours["threshold"]}
    if kind.activation not in ("topk", "jumprelu"):
        return {}
    k = dictionary.rule.k if kind.activation == "topk" else dictionary.params.get("k")
    if type(k) is not int or not 0 < k < 2**31:
        raise cannot_hold(FORM, f"a {kind.architecture} dictionary without the k it was trained with (params)")
    # A TopK dictionary that was never asked for thresholds has -1 there.
    threshold = ours["threshold"][0] if "threshold" in ours else np.float32(-1)
    buffers: dict[str, Numbers] = {"k": np.array(k, dtype=np.int32), "threshold": np.array(threshold)}
    if kind.architecture == "matryoshka":
        buffers["group_sizes"] = np.array(dictionary.training.groups, dtype=np.int64)
    return buffers


def _trainer(dictionary: Dictionary, name: str, arrays: dict[str, Numbers]) -> dict[str, Any]:
    place, training = dictionary.place, dictionary.training
    trainer = "PAnnealTrainer" if dictionary.architecture == "p-anneal" else _TRAINER_OF[name]
    return {
        "trainer_class": trainer,
        "dict_class": name,
        "architecture": dictionary.architecture,
        "activation_dim": dictionary.d_in,
        "dict_size": dictionary.d_sae,
        "k": int(arrays["k"]) if "k" in arrays else None,
        "group_sizes": list(training.groups) or None,
        "layer": place.hook.layer,
        "lm_name": place.model or None,
        "submodule_name": f"{_MODULES[place.hook.kind]}_layer_{place.hook.layer}",
        "seed": training.seed,
    }
