"""One operation of every kind, and the same featurizers by hand in numpy, float64."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.special import erf

from mibench.artifacts.featurizers.operation import Operation

NETWORK_ACTS = {
    "relu": lambda z: np.maximum(z, 0),
    "tanh": np.tanh,
    "silu": lambda z: z / (1 + np.exp(-z)),
    "gelu": lambda z: z * (1 + erf(z / np.sqrt(2))) / 2,
}


def rotation(rng, d, k, dtype=np.float64):
    """Orthonormal columns ``[d, k]``."""
    return np.linalg.qr(rng.normal(size=(d, k)))[0].astype(dtype)


def sae(rng, d, *, n=11, dtype=np.float64, **options):
    """A random dictionary; jumprelu without a threshold in its options gets one for each feature."""
    tensors = {
        "w_enc": rng.normal(size=(d, n)),
        "b_enc": rng.normal(size=n),
        "w_dec": rng.normal(size=(n, d)),
        "b_dec": rng.normal(size=d),
    }
    if options["act"] in {"jumprelu", "batchtopk"} and "threshold" not in options:
        tensors["threshold"] = rng.uniform(0, 1, n)
    return Operation("sae", {name: array.astype(dtype) for name, array in tensors.items()}, options)


def coupling(rng, d, split=None, *, form="additive", act="relu", hidden=(5,), dtype=np.float64):
    """A coupling block with a random network."""
    split = split or d // 2
    sizes = [split, *hidden, (d - split) * (2 if form == "affine" else 1)]
    tensors = {"permutation": rng.permutation(d)}
    for layer, (rows, columns) in enumerate(pairwise(sizes)):
        tensors[f"w{layer}"] = rng.normal(size=(rows, columns)).astype(dtype)
        tensors[f"b{layer}"] = rng.normal(size=columns).astype(dtype)
    return Operation("coupling", tensors, {"form": form, "act": act, "layers": len(sizes) - 1, "split": split})


def example(kind, rng, d=6):
    """An operation of ``kind`` for activations of width ``d``."""
    k = d - 2
    invertible = rng.normal(size=(d, d)) + 3 * np.eye(d)
    made = {
        "identity": lambda: Operation("identity"),
        "affine": lambda: Operation("affine", {"mean": rng.normal(size=d), "scale": rng.uniform(0.5, 2, d)}),
        "orthogonal": lambda: Operation("orthogonal", {"rotation": rotation(rng, d, k)}),
        "linear": lambda: Operation("linear", {"weight": invertible, "inverse": np.linalg.inv(invertible)}),
        "sae": lambda: sae(rng, d, act="relu", apply_b_dec_to_input=True),
        "householder": lambda: Operation("householder", {"vectors": rng.normal(size=(3, d))}),
        "coupling": lambda: coupling(rng, d, form="affine", act="gelu", hidden=(7, 5)),
        "low_rank_edit": lambda: Operation(
            "low_rank_edit",
            {"rotation": rotation(rng, d, k), "weight": rng.normal(size=(d, k)), "bias": rng.normal(size=k)},
        ),
    }
    return made[kind]()


def apply(operation, x):
    """Features and error term of one vector ``x``, one number after another where a loop says it best."""
    t, o = operation.tensors, operation.options
    if operation.kind == "identity":
        return x, 0.0
    if operation.kind == "affine":
        return (x - t["mean"]) / t["scale"], 0.0
    if operation.kind == "orthogonal":
        f = np.array([x @ column for column in t["rotation"].T])
        return f, x - sum((f[i] * t["rotation"][:, i] for i in range(len(f))), np.zeros_like(x))
    if operation.kind == "linear":
        f = t["weight"].T @ x
        return f, x - t["inverse"].T @ f
    if operation.kind == "householder":
        for v in t["vectors"]:
            x = (np.eye(len(v)) - 2 * np.outer(v, v) / (v @ v)) @ x
        return x, 0.0
    if operation.kind == "sae":
        f = _sae_features(t, o, x)
        return f, x - (f @ t["w_dec"] + t["b_dec"])
    kept, changed = x[t["permutation"]][: o["split"]], x[t["permutation"]][o["split"] :]
    log_scale, shift = _network(t, o, kept)
    return np.concatenate([kept, changed * np.exp(log_scale) + shift]), 0.0


def undo(operation, f, error):
    """The vector that has features ``f`` and this error term."""
    t, o = operation.tensors, operation.options
    if operation.kind == "identity":
        return f
    if operation.kind == "affine":
        return f * t["scale"] + t["mean"]
    if operation.kind == "orthogonal":
        return t["rotation"] @ f + error
    if operation.kind == "linear":
        return t["inverse"].T @ f + error
    if operation.kind == "householder":
        for v in t["vectors"][::-1]:
            f = (np.eye(len(v)) - 2 * np.outer(v, v) / (v @ v)) @ f
        return f
    if operation.kind == "sae":
        return f @ t["w_dec"] + t["b_dec"] + error
    kept, changed = f[: o["split"]], f[o["split"] :]
    log_scale, shift = _network(t, o, kept)
    x = np.empty_like(f)
    x[t["permutation"]] = np.concatenate([kept, (changed - shift) / np.exp(log_scale)])
    return x


def interchange(operations, selected, base, source):
    """The interchange on vectors, word for word: features selected come from the source, errors from the base."""
    errors, of_base, of_source = [], base, source
    for operation in operations:
        of_base, error = apply(operation, of_base)
        of_source, _ = apply(operation, of_source)
        errors.append(error)
    f = of_base.copy()
    f[selected] = of_source[selected]
    for operation, error in zip(operations[::-1], errors[::-1], strict=True):
        f = undo(operation, f, error)
    return f


def _sae_features(t, o, x):
    z = (x - t["b_dec"] if o.get("apply_b_dec_to_input") else x) @ t["w_enc"] + t["b_enc"]
    f = np.maximum(z, 0)
    if o["act"] == "topk":
        f[np.argsort(f)[: len(f) - o["k"]]] = 0
    if o["act"] in {"jumprelu", "batchtopk"}:
        f[z <= t.get("threshold", o.get("threshold"))] = 0
    return f


def _network(t, o, x):
    for layer in range(o["layers"]):
        x = NETWORK_ACTS[o.get("act", "relu")](x) if layer else x
        x = x @ t[f"w{layer}"] + t[f"b{layer}"]
    if o.get("form", "additive") == "additive":
        return np.zeros_like(x), x
    half = len(x) // 2
    return np.tanh(x[:half]), x[half:]
