"""dictionary_learning's folder: ``ae.pt``, a state dict, and ``config.json``, which names its class."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mibench.artifacts.dictionaries.checks import refuse
from mibench.artifacts.dictionaries.dictionary import (
    Activation,
    Architecture,
    Array,
    Dictionary,
    Rule,
    TrainingFacts,
)
from mibench.artifacts.dictionaries.formats.settings import Settings, read_settings
from mibench.artifacts.dictionaries.formats.statements import Statement, place_of
from mibench.artifacts.dictionaries.formats.tensors import Numbers, Tensors, threshold_of
from mibench.artifacts.dictionaries.formats.weights import read_torch
from mibench.artifacts.dictionaries.layout import ARCHITECTURES
from mibench.core.files import is_file
from mibench.core.hook_points import HookKind, HookPoint

FORM = "dictionary-learning"
CONFIG = "config.json"
WEIGHTS = "ae.pt"


@dataclass(frozen=True)
class Kind:
    """A class of dictionary_learning.

    Attributes:
        activation: What it computes.
        architecture: How it was trained, unless its trainer says more.
        bias: What it calls the decoder's bias.
        pre_bias: Whether it subtracts that first.
    """

    activation: Activation
    architecture: Architecture
    bias: str
    pre_bias: bool


KINDS = {
    "AutoEncoder": Kind("relu", "relu", "bias", pre_bias=True),
    "AutoEncoderNew": Kind("relu", "relu", "decoder.bias", pre_bias=False),
    "GatedAutoEncoder": Kind("gated", "gated", "decoder_bias", pre_bias=True),
    "AutoEncoderTopK": Kind("topk", "topk", "b_dec", pre_bias=True),
    "BatchTopKSAE": Kind("jumprelu", "batchtopk", "b_dec", pre_bias=True),
    "MatryoshkaBatchTopKSAE": Kind("jumprelu", "matryoshka", "b_dec", pre_bias=True),
    "JumpReluAutoEncoder": Kind("jumprelu", "jumprelu", "b_dec", pre_bias=False),
}
TRAINERS = {
    "StandardTrainer": "AutoEncoder",
    "StandardTrainerAprilUpdate": "AutoEncoderNew",
    "PAnnealTrainer": "AutoEncoder",
    "GatedSAETrainer": "GatedAutoEncoder",
    "GatedAnnealTrainer": "GatedAutoEncoder",
    "TopKTrainer": "AutoEncoderTopK",
    "BatchTopKTrainer": "BatchTopKSAE",
    "MatryoshkaBatchTopKTrainer": "MatryoshkaBatchTopKSAE",
    "JumpReluTrainer": "JumpReluAutoEncoder",
}
PLACES = {
    "resid_post": HookKind.RESIDUAL_POST,
    "resid_pre": HookKind.RESIDUAL_PRE,
    "mlp_out": HookKind.MLP_OUT,
    "attn_out": HookKind.ATTN_OUT,
}
"""How names of submodules begin."""


def is_format(path: Path) -> bool:
    """Whether ``path`` is such a folder, by the names in it."""
    return is_file(path / CONFIG) and is_file(path / WEIGHTS)


def read(path: Path, user: Statement) -> Dictionary:
    """Read a folder of dictionary_learning.

    Its class decides what is computed: a TopK dictionary keeps ``k`` latents, the threshold in its file is for a use
    that must be asked for there. A BatchTopK dictionary uses its threshold.

    Raises:
        ArtifactError: It cannot be used, or a dictionary cannot say what it computes.
    """
    config = read_settings(path / CONFIG)
    trainer = config.part("trainer")
    arrays = read_torch(path / WEIGHTS)
    kind = _kind(trainer, arrays)
    tensors = Tensors(arrays)
    k, groups = _k(tensors, trainer), _groups(tensors, arrays, trainer)
    weights = _arrays(tensors, trainer, kind)
    buffer = config.part("buffer")
    if kind.activation == "topk" and k is None:
        raise refuse("Nothing says how many latents it keeps.", f"Write k into {CONFIG}.")
    return Dictionary(
        place=place_of(_statement(trainer, buffer), user, transcoder=False),
        architecture=_architecture(trainer, kind),
        rule=Rule(kind.activation, kind.pre_bias, k if kind.activation == "topk" else None),
        tensors=weights,
        training=TrainingFacts(
            corpus=buffer.text("dataset_name"),
            context=buffer.count("ctx_len"),
            seed=trainer.count("seed"),
            groups=groups,
        ),
        params={} if k is None or kind.activation == "topk" else {"k": k},
        meta={"format": FORM, **trainer.kept("trainer_class", "dict_class", "submodule_name")},
    )


def _kind(trainer: Settings, arrays: dict[str, Numbers]) -> Kind:
    trained, name = trainer.text("trainer_class"), trainer.text("dict_class")
    known = TRAINERS.get(trained or "")
    name = name or known
    if name is None:
        raise refuse(f"{CONFIG} names no class.", "Write trainer.dict_class, as dictionary_learning does.")
    if name not in KINDS:
        why = f"Its class '{name:.40}' computes something that no dictionary here does."
        raise refuse(why, f"Give one of {', '.join(KINDS)}.")
    kind = KINDS[name]
    if known is not None and KINDS[known].activation != kind.activation:
        raise refuse(f"{CONFIG} says both {trained} and {name}.", "Fix either.")
    if name == "AutoEncoder" and "bias" not in arrays and "decoder.bias" in arrays:
        # Its trainer was given the other class; only this one has such a tensor.
        return KINDS["AutoEncoderNew"]
    return kind


def _architecture(trainer: Settings, kind: Kind) -> Architecture:
    if (trainer.text("trainer_class") or "").startswith("PAnneal"):
        return "p-anneal"
    # Written here where the class does not say it.
    said = trainer.text("architecture")
    return said if said in ARCHITECTURES else kind.architecture  # type: ignore[return-value]


def _k(tensors: Tensors, trainer: Settings) -> int | None:
    inside, outside = tensors.whole("k"), trainer.count("k")
    if inside is not None and outside not in (None, inside):
        raise refuse(f"{WEIGHTS} says that k is {inside}, {CONFIG} says {outside}.", "Fix either.")
    return outside if inside is None else inside


def _groups(tensors: Tensors, arrays: dict[str, Numbers], trainer: Settings) -> tuple[int, ...]:
    said = trainer.counts("group_sizes")
    tensors.drop("group_sizes")
    found = arrays.get("group_sizes")
    if found is None:
        return said
    if found.ndim != 1 or found.dtype != np.int64 or not 0 < found.size <= 64:
        raise refuse("group_sizes is no short list of whole numbers.", "Save it as dictionary_learning does.")
    groups = tuple(int(one) for one in found.tolist())
    if said not in ((), groups):
        raise refuse(f"{WEIGHTS} and {CONFIG} say other group_sizes.", "Fix either.")
    return groups


def _arrays(tensors: Tensors, trainer: Settings, kind: Kind) -> dict[str, Array]:
    arrays = {"b_dec": tensors.vector(kind.bias)}
    gated = {"b_gate": "gate_bias", "b_mag": "mag_bias", "r_mag": "r_mag"}
    if kind.activation == "gated":
        arrays |= {ours: tensors.vector(name) for ours, name in gated.items()}
    else:
        arrays["b_enc"] = tensors.vector("b_enc", "encoder.bias")
    d_in = arrays["b_dec"].size
    d_sae = arrays["b_gate" if kind.activation == "gated" else "b_enc"].size
    direct, other = "W_enc" in tensors, "W_dec" in tensors
    arrays["w_enc"] = tensors.matrix("W_enc", "encoder.weight", rows=d_in, columns=d_sae, flipped=not direct)
    arrays["w_dec"] = tensors.matrix("W_dec", "decoder.weight", rows=d_sae, columns=d_in, flipped=not other)
    for name, size in (("activation_dim", d_in), ("dict_size", d_sae)):
        if trainer.count(name) not in (None, size):
            raise refuse(f"{CONFIG} says that {name} is {trainer.count(name)}; {WEIGHTS} has {size}.", "Fix either.")
    if kind.activation == "jumprelu":
        arrays["threshold"] = _threshold(tensors, kind, d_sae)
    tensors.drop("threshold")
    tensors.finish()
    return arrays


def _threshold(tensors: Tensors, kind: Kind, d_sae: int) -> Array:
    if kind.architecture == "jumprelu":
        return threshold_of(tensors.vector("threshold", size=d_sae), d_sae)
    value = tensors.number("threshold")
    if value is None:
        raise refuse("It has no threshold, which BatchTopK dictionaries use.", "Save it with a newer version.")
    return threshold_of(np.array(value, dtype=np.float32), d_sae)


def _statement(trainer: Settings, buffer: Settings) -> Statement:
    layer, model = trainer.count("layer"), trainer.text("lm_name")
    module = trainer.text("submodule_name") or ""
    side = buffer.text("io") or "out"
    if side not in ("in", "out"):
        raise refuse(f"It reads and writes '{side:.20}', as a transcoder.", "Give an autoencoder.")
    if layer is None:
        return Statement(model)
    kind = next((kind for name, kind in PLACES.items() if module.startswith(name)), None)
    if kind is not None:
        return Statement(model, HookPoint(layer, kind))
    if module:
        return Statement(model, layer=layer)
    residual = HookKind.RESIDUAL_PRE if side == "in" else HookKind.RESIDUAL_POST
    return Statement(model, layer=layer, default=HookPoint(layer, residual))
