"""coupling: one block of an invertible network (RevNet, arXiv 1605.08803; in MIB's submissions, 2507.08802).

``x`` is permuted and cut: ``a`` its first ``split`` entries, ``b`` the rest. A small network ``net`` reads ``a``:
additive ``f = [a, b + net(a)]``; affine ``[s, t] = net(a)``, ``f = [a, b · exp(tanh(s)) + t]``. Undone exactly,
whatever ``net`` is. ``net`` is ``w0, b0, w1, b1 …`` with the activation between layers: ``h ← act(h w + b)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from pydantic import Field

from mibench.artifacts.featurizers.kinds.kind import Kind, Options, Shape
from mibench.artifacts.featurizers.operation import Array, refuse


class CouplingOptions(Options):
    """What the block computes."""

    form: Literal["additive", "affine"] = "additive"
    act: Literal["relu", "gelu", "tanh", "silu"] = "relu"
    """gelu is the exact one, with the error function."""
    layers: int = Field(ge=1, le=16)
    """Layers of ``net``."""
    split: int = Field(ge=1)
    """Entries that ``net`` reads, and that stay."""


def _tensors(options: Any) -> Mapping[str, Shape]:
    sizes = ["split", *(f"hidden{layer}" for layer in range(1, options.layers)), "out"]
    weights = {f"w{layer}": (sizes[layer], sizes[layer + 1]) for layer in range(options.layers)}
    biases = {f"b{layer}": (sizes[layer + 1],) for layer in range(options.layers)}
    return {"permutation": ("d",)} | weights | biases


def _check(tensors: Mapping[str, Array], options: Any) -> None:
    permutation = tensors["permutation"]
    width = len(permutation)
    if not np.array_equal(np.sort(permutation), np.arange(width)):
        raise refuse(f"'permutation' of coupling does not name each of {width} entries once.", "Give a permutation.")
    if options.split >= width:
        raise refuse(f"coupling splits off {options.split} of {width} entries.", "Leave entries to be changed.")
    wanted = (options.split, (width - options.split) * (2 if options.form == "affine" else 1))
    found = (tensors["w0"].shape[0], tensors[f"w{options.layers - 1}"].shape[1])
    if found != wanted:
        why = f"The network of coupling maps {found[0]} to {found[1]} numbers, not {wanted[0]} to {wanted[1]}."
        raise refuse(why, f"Give one for form {options.form} and split {options.split}.")


KIND = Kind("coupling", _tensors, options=CouplingOptions, check=_check)
