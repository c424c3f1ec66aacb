"""Which tensors a dictionary has, and of which shape."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import get_args

from mibench.artifacts.dictionaries.dictionary import Activation, Architecture, Scaling

Shape = tuple[str, ...]

ACTIVATIONS: tuple[str, ...] = get_args(Activation)
ARCHITECTURES: tuple[str, ...] = get_args(Architecture)
SCALINGS: tuple[str, ...] = get_args(Scaling)

_ALWAYS: Mapping[str, Shape] = {"w_enc": ("d_in", "d_sae"), "w_dec": ("d_sae", "d_out"), "b_dec": ("d_out",)}
_LATENT: Shape = ("d_sae",)
_GATED: Mapping[str, Shape] = {"b_gate": _LATENT, "r_mag": _LATENT, "b_mag": _LATENT}

OPTIONAL: Mapping[str, Shape] = MappingProxyType({"w_skip": ("d_in", "d_out")})
"""Tensors that any dictionary may have."""


def tensors_of(activation: str) -> Mapping[str, Shape]:
    """The tensors that an activation needs, by name."""
    if activation == "gated":
        return {**_ALWAYS, **_GATED}
    threshold = {"threshold": _LATENT} if activation == "jumprelu" else {}
    return {**_ALWAYS, "b_enc": _LATENT, **threshold}
