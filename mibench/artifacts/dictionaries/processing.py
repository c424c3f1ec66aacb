"""A dictionary that was trained on a model whose weights TransformerLens had processed, for the model as it is.

What each step of TransformerLens' processing does to an activation ``x`` of the model as it is:

- ``center_writing_weights``, in a model with LayerNorm (GPT-2, Pythia): everything written to the residual stream loses
  its mean over the entries, ``P x`` with ``P = I − 11ᵀ/d`` at every residual hook, and at ``hook_attn_out`` and
  ``hook_mlp_out``. The mean has no effect: every LayerNorm, the last one too, subtracts it. So the dictionary here is
  ``x̂ = D(P x) + (x − P x)``: the mean passes by it, the error ``x − x̂`` is that of the processed model, and so is
  every loss with the reconstruction in place. TransformerLens does nothing in a model with RMSNorm, nor is anything
  done here.
- ``fold_ln``: the norm's scale and shift go into the weights that read it. The residual stream stays. The hook
  ``ln2.hook_normalized`` is before them once they are folded, and with RMSNorm always; with a LayerNorm that is not
  folded it is after them, which is what the MLP reads (``mlp-in``).
- ``fold_value_biases``: the value bias ``b_V`` goes to the output bias. As attention weights add up to 1, ``hook_z`` is
  ``z − b_V``, and nothing else changes: ``x̂ = D(z − b_V) + b_V``.
- ``center_unembed`` changes the logits by one number a token, and no activation.
- ``refactor_factored_attn_matrices`` changes ``hook_z`` by a rotation of each head that is not known here.

Steps that are not named are taken as not done, as SAELens loads models (``from_pretrained_no_processing``);
``HookedTransformer.from_pretrained`` does all but the last by itself, so state them for a dictionary trained with it.
Post-norms (Gemma-2) need nothing: TransformerLens' ``hook_attn_out`` and ``hook_mlp_out`` are what is added to the
residual stream, after them, as here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mibench.artifacts.circuit import brief
from mibench.artifacts.dictionaries.checks import refuse, validate_dictionary
from mibench.artifacts.dictionaries.dictionary import Array, Dictionary
from mibench.core.hook_points import HookKind, HookPoint

Norm = Literal["layer", "rms"]
Float64 = NDArray[np.float64]

STEPS = (
    "fold_ln",
    "center_writing_weights",
    "center_unembed",
    "refactor_factored_attn_matrices",
    "fold_value_biases",
)
"""Steps of the processing, in their order."""

_HARMLESS = frozenset(
    {
        "attn_implementation",
        "cache_dir",
        "default_padding_side",
        "default_prepend_bos",
        "device",
        "device_map",
        "dtype",
        "local_files_only",
        "low_cpu_mem_usage",
        "move_to_device",
        "n_ctx",
        "n_devices",
        "token",
        "torch_dtype",
        "trust_remote_code",
        "use_safetensors",
    }
)
"""Settings of loading that change no weight."""

_WRITTEN = frozenset(
    {HookKind.RESIDUAL_PRE, HookKind.RESIDUAL_MID, HookKind.RESIDUAL_POST, HookKind.ATTN_OUT, HookKind.MLP_OUT}
)


def processed(
    dictionary: Dictionary, kwargs: Mapping[str, Any], *, norm: Norm, value_bias: NDArray[Any] | None = None
) -> Dictionary:
    """Return the dictionary for the model as it is.

    Args:
        dictionary: As it was trained, on a processed model.
        kwargs: ``model_from_pretrained_kwargs``: how the model was loaded; ``no_processing`` true means no step at all.
        norm: Which norms the model has: "layer" subtracts the mean, "rms" does not.
        value_bias: ``[n_heads · head_dim]``, the value bias of the layer, of each query head; with ``fold_ln`` and
            LayerNorm the norm's shift times the value weights is part of it. Needed at ``hook_z`` only.

    Returns:
        The same object where nothing was done to its activations; else a new one, ``meta["processing"]`` saying what
        was undone.

    Raises:
        ArtifactError: What was done cannot be undone here.
    """
    steps = _steps(kwargs)
    if "processing" in dictionary.meta:
        raise refuse("The processing of its model is undone already.", "Use it as it is.")
    result, notes = dictionary, []
    renamed = _renamed(dictionary, steps, norm)
    if renamed is not dictionary:
        result = renamed
        notes.append("ln2.hook_normalized of a LayerNorm that is not folded is what the MLP reads")
    if "center_writing_weights" in steps and norm == "layer":
        centred = _centred(result)
        if centred is not result:
            result = centred
            notes.append("center_writing_weights: the mean over the entries passes by the dictionary")
    if _touches_heads(dictionary, steps):
        result = _shifted(result, value_bias)
        notes.append("fold_value_biases: the value bias is subtracted first and added again")
    if not notes:
        return dictionary
    result = replace(result, meta={**dictionary.meta, "processing": notes})
    validate_dictionary(result)
    return result


def _steps(kwargs: Mapping[str, Any]) -> frozenset[str]:
    """The steps that were done."""
    unknown = sorted(set(map(str, kwargs)) - {*STEPS, "no_processing"} - _HARMLESS)
    if unknown:
        why = f"Its model was loaded with {', '.join(unknown)[:200]}, which may have changed what it computes."
        raise refuse(why, "Leave it out if it did not.")
    for name in (*STEPS, "no_processing"):
        if type(kwargs.get(name, False)) is not bool:
            raise refuse(f"{name} is {brief(kwargs[name])}.", "Say true or false.")
    done = frozenset(name for name in STEPS if kwargs.get(name, False))
    if done and kwargs.get("no_processing", False):
        raise refuse(f"It says no_processing, and {', '.join(sorted(done))}.", "Leave one of them out.")
    return done


def _renamed(dictionary: Dictionary, steps: frozenset[str], norm: Norm) -> Dictionary:
    """Name the places as they are called here; refuse one that a folded model does not have."""
    place, folded = dictionary.place, "fold_ln" in steps
    points = []
    for point in (place.hook, place.output):
        if point is not None and point.kind is HookKind.MLP_IN and folded:
            do = f"Name its place {HookKind.MLP_NORMALISED}.L{point.layer} if it was trained on ln2.hook_normalized."
            raise refuse(f"fold_ln folds the scale and shift of {point.name} away.", do)
        after_scale = point is not None and point.kind is HookKind.MLP_NORMALISED and norm == "layer" and not folded
        points.append(HookPoint(point.layer, HookKind.MLP_IN) if point is not None and after_scale else point)
    hook, output = points
    if hook is None or (hook, output) == (place.hook, place.output):
        return dictionary
    return replace(dictionary, place=replace(place, hook=hook, output=output))


def _centred(dictionary: Dictionary) -> Dictionary:
    """``x̂ = D(P x) + (x − P x)``; the same object where nothing centred is read or written."""
    place = dictionary.place
    reads, writes = (point.kind in _WRITTEN for point in (place.hook, place.target))
    if writes and place.target != place.hook:
        why = f"Its target at {place.target.name} was centred: its mean is not in what the dictionary reads."
        raise refuse(why, "Train a transcoder on a model loaded without center_writing_weights.")
    if not reads:
        return dictionary
    if dictionary.rule.scaling == "layer-norm":
        if place.target != place.hook:
            why = f"Layer-norm scaling would add the mean of {place.hook.name}, which it saw as 0, to its output."
            raise refuse(why, "Train it on a model loaded without center_writing_weights.")
        # It subtracts the mean before the encoder and adds it at the end: nothing is left to do.
        return replace(dictionary)
    tensors = {name: array.astype(np.float64) for name, array in dictionary.tensors.items()}
    w_enc = tensors["w_enc"]
    column_sums = w_enc.sum(axis=0)
    tensors["w_enc"] = w_enc - column_sums / len(w_enc)
    if dictionary.rule.pre_bias:
        # b_dec is not centred by P, as x is: what its mean adds to the encoder is kept.
        _add_to_projection(tensors, -tensors["b_dec"].mean() * column_sums)
    skip = tensors.get("w_skip", np.zeros((dictionary.d_in, dictionary.d_out)))
    skip = skip - skip.mean(axis=0, keepdims=True)
    if place.target == place.hook:
        skip = skip + 1 / dictionary.d_in
    if skip.any():
        tensors["w_skip"] = skip
    return replace(dictionary, tensors=_float32(tensors))


def _touches_heads(dictionary: Dictionary, steps: frozenset[str]) -> bool:
    place = dictionary.place
    if HookKind.HEADS not in {place.hook.kind, place.target.kind}:
        return False
    if "refactor_factored_attn_matrices" in steps:
        why = "refactor_factored_attn_matrices rotated what it reads at hook_z, by a rotation that is not stored."
        raise refuse(why, "Train it on a model loaded without.")
    return "fold_value_biases" in steps


def _shifted(dictionary: Dictionary, value_bias: NDArray[Any] | None) -> Dictionary:
    """``x̂ = D(z − b_V) + b_V``."""
    place, rule = dictionary.place, dictionary.rule
    if place.target != place.hook:
        raise refuse(
            "A transcoder from or to hook_z saw it without value biases.", "Train it without fold_value_biases."
        )
    if rule.scaling == "layer-norm":
        raise refuse("Layer-norm scaling saw hook_z without its value bias.", "Train it without fold_value_biases.")
    bias = _checked_bias(value_bias, dictionary.d_in) * (rule.scale if rule.scaling == "constant" else 1.0)
    tensors = {name: array.astype(np.float64) for name, array in dictionary.tensors.items()}
    moved = bias - bias @ tensors["w_skip"] if "w_skip" in tensors else bias
    tensors["b_dec"] = tensors["b_dec"] + moved
    _add_to_projection(tensors, ((moved if rule.pre_bias else 0) - bias) @ tensors["w_enc"])
    return replace(dictionary, tensors=_float32(tensors))


def _checked_bias(value_bias: NDArray[Any] | None, width: int) -> Float64:
    if value_bias is None:
        do = "Give the model's value bias, zeros if it has none."
        raise refuse("fold_value_biases took the value bias out of what it reads at hook_z.", do)
    bias = np.asarray(value_bias, dtype=np.float64)
    if bias.shape != (width,) or not np.isfinite(bias).all():
        raise refuse(f"The value bias has shape {list(bias.shape)[:4]}.", f"Give {width} finite numbers.")
    return bias


def _add_to_projection(tensors: dict[str, Float64], shift: Float64) -> None:
    """Add ``shift [d_sae]`` to ``(x − b_dec·pre_bias) @ w_enc`` of every token, through the biases behind it."""
    if "b_enc" in tensors:
        tensors["b_enc"] = tensors["b_enc"] + shift
        return
    tensors["b_gate"] = tensors["b_gate"] + shift
    tensors["b_mag"] = tensors["b_mag"] + np.exp(tensors["r_mag"]) * shift


def _float32(tensors: Mapping[str, Float64]) -> dict[str, Array]:
    return {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in tensors.items()}
