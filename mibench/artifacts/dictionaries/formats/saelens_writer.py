"""Write SAELens' folder, as its version 6.54 reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mibench.artifacts.dictionaries.dictionary import Dictionary
from mibench.artifacts.dictionaries.formats.saelens import CONFIG, FORM, TRAINED_AS, WEIGHTS
from mibench.artifacts.dictionaries.formats.writing import cannot_hold, save_safetensors, unscaled, write_settings
from mibench.core.hook_points import HookKind, HookPoint

_VERSION = "6.54.12"
_NAMES = {"relu": "standard", "topk": "topk", "jumprelu": "jumprelu", "gated": "gated"}
_TENSORS = {"w_enc": "W_enc", "w_dec": "W_dec", "w_skip": "W_skip"}
_TRAINED_AS = {ours: theirs for theirs, ours in TRAINED_AS.items()}


def write(dictionary: Dictionary, folder: Path) -> None:
    """Write a dictionary into an empty folder.

    A constant scaling is folded in. Facts of its training that SAELens has no name for are left out.

    Raises:
        ArtifactError: The format cannot hold it.
    """
    values = _settings(dictionary)
    layer_norm = dictionary.rule.scaling == "layer-norm"
    arrays = dict(dictionary.tensors) if layer_norm else unscaled(dictionary, FORM)
    if "w_skip" in arrays:
        arrays["w_skip"] = np.ascontiguousarray(arrays["w_skip"].T)
    save_safetensors(folder / WEIGHTS, {_TENSORS.get(name, name): array for name, array in arrays.items()})
    write_settings(folder / CONFIG, values)


def _settings(dictionary: Dictionary) -> dict[str, Any]:
    rule, place = dictionary.rule, dictionary.place
    transcoder = place.output is not None or "w_skip" in dictionary.tensors
    heads = place.hook.kind is HookKind.HEADS
    values: dict[str, Any] = {
        "architecture": _architecture(dictionary, transcoder=transcoder),
        "d_in": dictionary.d_in,
        "d_sae": dictionary.d_sae,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": rule.pre_bias,
        "normalize_activations": "layer_norm" if rule.scaling == "layer-norm" else "none",
        "reshape_activations": "hook_z" if heads and not transcoder else "none",
        "metadata": _metadata(dictionary, transcoder=transcoder),
    }
    if transcoder:
        values["d_out"] = dictionary.d_out
    if rule.activation == "topk":
        values |= {"k": rule.k, "rescale_acts_by_decoder_norm": False}
    return values


def _architecture(dictionary: Dictionary, *, transcoder: bool) -> str:
    activation = dictionary.rule.activation
    if activation not in _NAMES:
        raise cannot_hold(FORM, f"the activation {activation}")
    if not transcoder:
        return _NAMES[activation]
    if activation not in ("relu", "jumprelu"):
        raise cannot_hold(FORM, f"a transcoder, or a skip, with the activation {activation}")
    if dictionary.rule.pre_bias:
        raise cannot_hold(FORM, "a transcoder, or a skip, with pre_bias")
    if dictionary.rule.scaling == "layer-norm":
        raise cannot_hold(FORM, "a transcoder, or a skip, with layer-norm scaling")
    words = ("jumprelu" if activation == "jumprelu" else "", "skip" if "w_skip" in dictionary.tensors else "")
    return "_".join([word for word in words if word] + ["transcoder"])


def _metadata(dictionary: Dictionary, *, transcoder: bool) -> dict[str, Any]:
    training, meta = dictionary.training, dictionary.meta
    bos, seen = training.bos, training.trained_on_bos
    # Once undone it is no more to be done to the model.
    kwargs = None if "processing" in meta else meta.get("model_from_pretrained_kwargs")
    details: dict[str, Any] = {"k": dictionary.params.get("k")} if dictionary.rule.activation == "jumprelu" else {}
    if training.groups:
        details["matryoshka_widths"] = np.cumsum(training.groups).tolist()
    values = {
        "sae_lens_version": _VERSION,
        "sae_lens_training_version": None,
        "model_name": dictionary.place.model or None,
        "hook_name": _hook_name(dictionary.place.hook),
        "hook_name_out": _hook_name(dictionary.place.target) if transcoder else None,
        "context_size": training.context,
        "prepend_bos": bos,
        "dataset_path": training.corpus,
        "training_tokens": training.tokens,
        "exclude_special_tokens": None if seen is None or not bos else not seen,
        "model_from_pretrained_kwargs": kwargs or {},
        "training_architecture": _TRAINED_AS.get(dictionary.architecture),
        "training_architecture_details": {name: value for name, value in details.items() if value is not None},
    }
    return {name: value for name, value in values.items() if value is not None}


def _hook_name(point: HookPoint) -> str:
    if point.transformer_lens is None:
        raise cannot_hold(FORM, f"the place {point.name}")
    return point.transformer_lens
