"""Whether an SAE object computes what a dictionary says, on random activations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mibench.artifacts.dictionaries import formula
from mibench.artifacts.dictionaries.dictionary import Array, Dictionary

TOLERANCE = 1e-4
"""Largest relative difference, of the numbers of 16 tokens together."""
MAX_FLIPS = 1e-3
"""Largest share of active latents that fire on one side only: rounding moves those at a threshold."""
_SCALES = (0.1, 1.0, 10.0, 100.0, 1000.0)
_TOKENS = 16
_CALL_ERRORS = (RuntimeError, ValueError, TypeError, AttributeError, LookupError, AssertionError)


@dataclass(frozen=True)
class Fault:
    """What an object does otherwise.

    Attributes:
        part: Which of its functions.
        why: A sentence.
        size: How large the difference is; infinity where the function fails.
    """

    part: str
    why: str
    size: float


class Subject:
    """Calls an object with numpy arrays, on the device and in the type of its weights.

    Args:
        obj: With ``W_enc``, ``encode`` and ``decode``.
    """

    def __init__(self, obj: Any) -> None:
        self._obj = obj

    @property
    def has_forward(self) -> bool:
        """Whether it has a ``forward``."""
        return callable(getattr(self._obj, "forward", None))

    def call(self, name: str, values: Array) -> Array:
        """Call a function, the first of its results if it gives several."""
        import torch

        like = self._obj.W_enc
        with torch.no_grad():
            result = getattr(self._obj, name)(torch.tensor(values).to(device=like.device, dtype=like.dtype))
            result = result[0] if isinstance(result, tuple | list) else result
            array: Array = result.detach().to(device="cpu", dtype=torch.float32).numpy()
        return array


def compare(subject: Subject, dictionary: Dictionary, seed: int) -> Fault | None:
    """Compare an object with a dictionary: ``encode``, ``decode`` of its own and of random latents, ``forward``.

    A skip belongs to ``forward`` and not to ``decode``, as in SAELens.

    Args:
        subject: The object.
        dictionary: What it is taken for.
        seed: Of the activations.

    Returns:
        The first difference that is more than rounding; None where there is none.
    """
    x = activations(dictionary, seed)
    try:
        latents = subject.call("encode", x)
    except _CALL_ERRORS as error:
        return Fault("encode", f"encode() fails: {type(error).__name__}: {error!s:.150}", float("inf"))
    fault = _encode_fault(latents, formula.encode(dictionary, x))
    if fault is not None:
        return fault
    return _written_fault(subject, dictionary, x, latents)


def activations(dictionary: Dictionary, seed: int) -> Array:
    """Activations ``[tokens, d_in]`` of several sizes, in which encoder directions stand out so that latents fire."""
    rng, w_enc = np.random.default_rng(seed), dictionary.tensors["w_enc"]
    groups = []
    for scale in _SCALES:
        noise = rng.normal(size=(_TOKENS, dictionary.d_in))
        columns = w_enc[:, rng.integers(dictionary.d_sae, size=_TOKENS)].T.astype(np.float64)
        lengths = np.maximum(np.linalg.norm(columns, axis=1, keepdims=True), 1e-30)
        groups.append(scale * (noise + columns / lengths * np.sqrt(dictionary.d_in)))
    return np.concatenate(groups).astype(np.float32)


def _encode_fault(found: Array, wanted: formula.Floats) -> Fault | None:
    if found.shape != wanted.shape:
        return Fault("encode", f"encode() gives {list(found.shape)}, not {list(wanted.shape)}.", float("inf"))
    fires, expected = found != 0, wanted != 0
    flipped, active = int((fires != expected).sum()), int((fires | expected).sum())
    size = _difference(np.where(fires == expected, found, 0), np.where(fires == expected, wanted, 0))
    if flipped <= MAX_FLIPS * active and size <= TOLERANCE:
        return None
    why = f"encode() differs by {size:.1e} (relative); of {active} active latents {flipped} fire on one side only."
    return Fault("encode", why, size + flipped / max(active, 1))


def _written_fault(subject: Subject, dictionary: Dictionary, x: Array, latents: Array) -> Fault | None:
    without_skip = {name: array for name, array in dictionary.tensors.items() if name != "w_skip"}
    decoder = replace(dictionary, tensors=without_skip)
    rng = np.random.default_rng(len(latents))
    random = np.abs(rng.normal(size=latents.shape)) * (rng.random(latents.shape) < 0.1)
    cases = [("decode", latents, decoder, latents), ("decode", random.astype(np.float32), decoder, random)]
    if subject.has_forward:
        cases.append(("forward", x, dictionary, latents))
    for name, given, whole, coded in cases:
        wanted = formula.decode(whole, coded.astype(np.float32), x)
        try:
            found = subject.call(name, given)
        except _CALL_ERRORS as error:
            return Fault(name, f"{name}() fails: {type(error).__name__}: {error!s:.150}", float("inf"))
        if found.shape != wanted.shape:
            return Fault(name, f"{name}() gives {list(found.shape)}, not {list(wanted.shape)}.", float("inf"))
        size = _difference(found, wanted)
        if not size <= TOLERANCE:
            return Fault(name, f"{name}() differs by {size:.1e} (relative).", size)
    return None


def _difference(found: formula.Floats, wanted: formula.Floats) -> float:
    """The largest relative difference of a group of tokens of one size; infinity where a number is none."""
    if not np.isfinite(found).all():
        return float("inf")
    sizes = []
    for one, other in zip(np.split(found, len(_SCALES)), np.split(wanted, len(_SCALES)), strict=True):
        gap, norm = np.linalg.norm(one.astype(np.float64) - other), np.linalg.norm(other.astype(np.float64))
        sizes.append(float(gap / norm) if norm > 0 else (float("inf") if gap > 0 else 0.0))
    return max(sizes)


def variants(dictionary: Dictionary) -> Iterator[tuple[str, Dictionary]]:
    """What the object may mean instead, by what would then be wrong with it."""
    rule, tensors = dictionary.rule, dictionary.tensors
    if dictionary.d_in == dictionary.d_out:
        verb = "does not subtract" if rule.pre_bias else "subtracts"
        yield f"it {verb} b_dec from the input", replace(dictionary, rule=replace(rule, pre_bias=not rule.pre_bias))
    for name in ("w_enc", "w_dec"):
        if tensors[name].shape[0] == tensors[name].shape[1]:
            turned: Mapping[str, Array] = {**tensors, name: np.ascontiguousarray(tensors[name].T)}
            yield f"{name.replace('w', 'W', 1)} is transposed", replace(dictionary, tensors=turned)
