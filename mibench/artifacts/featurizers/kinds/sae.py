"""sae: a sparse autoencoder's features; what it does not reconstruct is carried from the base.

``z = (x − b_dec?) w_enc + b_enc``; ``f = act(z)``; ``x̂ = f w_dec + b_dec``; error ``x − x̂``.
relu: ``max(z, 0)``. jumprelu and batchtopk: ``max(z, 0)`` where ``z > threshold``, else 0. topk: the ``k`` largest of
``max(z, 0)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from mibench.artifacts.featurizers.kinds.kind import Kind, Options, Shape
from mibench.artifacts.featurizers.operation import Array, refuse

Act = Literal["relu", "jumprelu", "topk", "batchtopk"]


class SaeOptions(Options):
    """How features are made from pre-activations."""

    act: Act
    k: int | None = Field(default=None, ge=1)
    """Features that topk keeps."""
    threshold: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """One for all features; None with jumprelu and batchtopk: the tensor ``threshold`` has one for each."""
    apply_b_dec_to_input: bool = False


def _tensors(options: Any) -> Mapping[str, Shape]:
    gated = options.act in {"jumprelu", "batchtopk"} and options.threshold is None
    return {
        "w_enc": ("d", "k"),
        "b_enc": ("k",),
        "w_dec": ("k", "d"),
        "b_dec": ("d",),
    } | ({"threshold": ("k",)} if gated else {})


def _check(tensors: Mapping[str, Array], options: Any) -> None:
    if (options.act == "topk") != (options.k is not None):
        raise refuse(f"sae with act {options.act} has k {options.k}.", "Say k with topk, and only there.")
    if options.threshold is not None and options.act in {"relu", "topk"}:
        raise refuse(f"sae with act {options.act} has a threshold.", "Use jumprelu or batchtopk.")
    if options.k is not None and options.k > tensors["w_enc"].shape[1]:
        raise refuse(f"topk keeps {options.k} of {tensors['w_enc'].shape[1]} features.", "Say a smaller k.")
    if "threshold" in tensors and (tensors["threshold"] < 0).any():
        raise refuse("'threshold' of sae is negative somewhere.", "Give thresholds of at least 0.")


KIND = Kind("sae", _tensors, width="k", options=SaeOptions, check=_check)
