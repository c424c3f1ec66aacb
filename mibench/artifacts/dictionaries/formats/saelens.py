"""SAELens' folder: ``cfg.json`` and ``sae_weights.safetensors``, of version 6 and of the flat one before."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mibench.artifacts.circuit import brief
from mibench.artifacts.dictionaries.checks import refuse
from mibench.artifacts.dictionaries.dictionary import (
    Activation,
    Architecture,
    Array,
    Dictionary,
    Rule,
    Scaling,
    TrainingFacts,
)
from mibench.artifacts.dictionaries.formats.settings import Settings, read_settings
from mibench.artifacts.dictionaries.formats.statements import Statement, foreign_point, place_of
from mibench.artifacts.dictionaries.formats.tensors import Tensors, threshold_of
from mibench.artifacts.dictionaries.formats.weights import read_safetensors
from mibench.core.files import is_file
from mibench.core.hook_points import HookKind, HookPoint

FORM = "saelens"
CONFIG = "cfg.json"
WEIGHTS = "sae_weights.safetensors"
SCALER = "activation_scaler.json"


@dataclass(frozen=True)
class Kind:
    """An architecture of SAELens.

    Attributes:
        activation: What it computes.
        transcoder: Whether it reconstructs another place.
        skip: Whether it has a linear path past the latents.
        rescales: Whether it may select latents by what they add: ``p`` times the norm of the decoder's row.
    """

    activation: Activation
    transcoder: bool = False
    skip: bool = False
    rescales: bool = False


KINDS = {
    "standard": Kind("relu"),
    "topk": Kind("topk", rescales=True),
    "jumprelu": Kind("jumprelu"),
    "gated": Kind("gated"),
    # As they are while they train; an ended training saves jumprelu.
    "batchtopk": Kind("jumprelu", rescales=True),
    "matryoshka_batchtopk": Kind("jumprelu", rescales=True),
    "transcoder": Kind("relu", transcoder=True),
    "skip_transcoder": Kind("relu", transcoder=True, skip=True),
    "jumprelu_transcoder": Kind("jumprelu", transcoder=True),
    "jumprelu_skip_transcoder": Kind("jumprelu", transcoder=True, skip=True),
}
TRAINED_AS: dict[str, Architecture] = {
    "standard": "relu",
    "p-anneal": "p-anneal",
    "topk": "topk",
    "jumprelu": "jumprelu",
    "gated": "gated",
    "batchtopk": "batchtopk",
    "matryoshka_batchtopk": "matryoshka",
    "frozen-decoder": "frozen-decoder",
}
"""What SAELens calls how a dictionary was trained, and two names of ours."""
_KEPT = ("sae_lens_version", "seqpos_slice", "neuronpedia_id", "model_class_name", "model_from_pretrained_kwargs")


def is_format(path: Path) -> bool:
    """Whether ``path`` is such a folder, by the names in it."""
    return is_file(path / CONFIG) and is_file(path / WEIGHTS)


def read(path: Path, user: Statement) -> Dictionary:
    """Read a folder of SAELens.

    Norms of the decoder's rows that the selection of the largest latents counts with are folded in, which is exact.

    Raises:
        ArtifactError: It cannot be used, or a dictionary cannot say what it computes.
    """
    config = read_settings(path / CONFIG)
    facts = config.part("metadata") if "metadata" in config else config
    name, kind = _kind(config)
    place = place_of(_statement(facts, user), user, transcoder=kind.transcoder)
    _check_hook(config, facts, place.hook)
    scaling, scale = _scaling(config, kind, path)
    arrays = _arrays(Tensors(read_safetensors(path / WEIGHTS)), config, kind)
    trained = facts.text("training_architecture") or name
    return Dictionary(
        place=place,
        architecture=TRAINED_AS.get(trained, kind.activation),  # type: ignore[arg-type]
        rule=Rule(kind.activation, _pre_bias(config, kind), _k(config, kind), scaling, scale),
        tensors=arrays,
        training=_training(config, facts),
        params=_params(config, facts) if kind.activation == "jumprelu" else {},
        meta={"format": FORM, **facts.kept(*_KEPT)},
    )


def _kind(config: Settings) -> tuple[str, Kind]:
    name = config.text("architecture") or "standard"
    function = config.text("activation_fn", "activation_fn_str") or "relu"
    if function == "topk" and name in ("standard", "topk"):
        name = "topk"
    elif function != "relu" and name != "topk":
        raise refuse(f"Its activation function is '{function:.40}'.", "Give one with relu or topk.")
    if name not in KINDS:
        why = f"Its architecture '{name:.40}' computes something that no dictionary here does."
        raise refuse(why, f"Give one of {', '.join(KINDS)}.")
    return name, KINDS[name]


def _statement(facts: Settings, user: Statement) -> Statement:
    hook = foreign_point(facts.text("hook_name", "hook_point"), user.hook)
    layer = facts.count("hook_layer", "hook_point_layer")
    if hook is not None and layer not in (None, hook.layer):
        raise refuse(f"It says both {hook.name} and layer {layer}.", f"Fix {CONFIG}.")
    output = foreign_point(facts.text("hook_name_out"), user.output)
    return Statement(facts.text("model_name"), hook, output, layer)


def _check_hook(config: Settings, facts: Settings, hook: HookPoint) -> None:
    head = facts.raw("hook_head_index", "hook_point_head_index")
    if head is not None:
        why = f"It reads head {brief(head)} only; hook points here hold all heads."
        raise refuse(why, "Give a dictionary of all heads, or of what attention adds.")
    shaped = config.text("reshape_activations") or "none"
    if shaped not in ("none", "hook_z") or (shaped == "hook_z" and hook.kind is not HookKind.HEADS):
        raise refuse(f"It reshapes activations as '{shaped:.40}' at {hook.name}.", "hook_z is for heads only.")


def _pre_bias(config: Settings, kind: Kind) -> bool:
    said = config.flag("apply_b_dec_to_input")
    if kind.transcoder and said:
        raise refuse("It is a transcoder that subtracts b_dec from what it reads.", f"Fix {CONFIG}.")
    return not kind.transcoder if said is None else said


def _k(config: Settings, kind: Kind) -> int | None:
    if kind.activation != "topk":
        return None
    k = config.count("k") or config.part("activation_fn_kwargs").count("k")
    if k is None:
        raise refuse("Nothing says how many latents it keeps.", f"Write k into {CONFIG}.")
    return k


def _params(config: Settings, facts: Settings) -> dict[str, float]:
    """``k`` of a BatchTopK training, which may be no whole number."""
    k = config.number("k")
    if k is None:
        k = facts.part("training_architecture_details").number("k")
    return {} if k is None else {"k": int(k) if k == int(k) else k}


def _scaling(config: Settings, kind: Kind, folder: Path) -> tuple[Scaling, float]:
    value = config.raw("normalize_activations")
    name = {True: "expected_average_only_in", False: "none", None: "none"}.get(value) if _plain(value) else value
    if name == "none":
        return "none", 1.0
    if name == "layer_norm" and not kind.transcoder:
        return "layer-norm", 1.0
    if name == "expected_average_only_in":
        return "constant", _scale(config, folder)
    why = f"It normalises activations as {brief(name)}, which a dictionary here cannot say."
    if name == "layer_norm":
        why = "It normalises by layer_norm what it reads, and does not undo it in what it writes."
    raise refuse(why, "Give one with none, expected_average_only_in or layer_norm; a transcoder without layer_norm.")


def _plain(value: object) -> bool:
    return value is None or type(value) is bool


def _scale(config: Settings, folder: Path) -> float:
    scale = config.number("norm_scaling_factor")
    if scale is None and is_file(folder / SCALER):
        scale = read_settings(folder / SCALER).number("scaling_factor")
    if scale is None:
        raise refuse(
            "It scales activations (expected_average_only_in), and nothing says by how much.",
            "Fold the factor in with SAELens' fold_activation_norm_scaling_factor and save it again, "
            f"or write it as norm_scaling_factor into {CONFIG}.",
        )
    return scale


def _arrays(tensors: Tensors, config: Settings, kind: Kind) -> dict[str, Array]:
    arrays = _biases(tensors, kind)
    d_sae, d_out = arrays["b_gate" if kind.activation == "gated" else "b_enc"].size, arrays["b_dec"].size
    d_in = config.count("d_in") if kind.transcoder else d_out
    arrays["w_enc"] = tensors.matrix("W_enc", rows=d_in, columns=d_sae)
    arrays["w_dec"] = tensors.matrix("W_dec", rows=d_sae, columns=d_out)
    d_in = arrays["w_enc"].shape[0]
    if kind.skip:
        arrays["w_skip"] = tensors.matrix("W_skip", rows=d_in, columns=d_out, flipped=True)
    for name, size in (("d_in", d_in), ("d_sae", d_sae), ("d_out", d_out)):
        if config.count(name) not in (None, size):
            raise refuse(f"{CONFIG} says that {name} is {config.count(name)}; its tensors have {size}.", "Fix either.")
    if kind.activation == "jumprelu":
        arrays["threshold"] = _threshold(tensors, d_sae)
    factors = _factors(tensors, config, d_sae)
    tensors.finish()
    if factors is not None:
        arrays["w_dec"] = (arrays["w_dec"] * factors[:, None]).astype(np.float32)
    rescale = config.flag("rescale_acts_by_decoder_norm") and kind.rescales
    return _unit_rows(arrays) if rescale else arrays


def _biases(tensors: Tensors, kind: Kind) -> dict[str, Array]:
    arrays = {"b_dec": tensors.vector("b_dec")}
    if kind.activation != "gated":
        return arrays | {"b_enc": tensors.vector("b_enc")}
    tensors.drop("b_enc")
    gate = tensors.vector("b_gate")
    return arrays | {"b_gate": gate} | {name: tensors.vector(name, size=gate.size) for name in ("r_mag", "b_mag")}


def _threshold(tensors: Tensors, d_sae: int) -> Array:
    if "log_threshold" in tensors:
        logs = tensors.vector("log_threshold", size=d_sae).astype(np.float64)
        # Beyond this it is too large for float32 anyway.
        return np.exp(np.minimum(logs, 100)).astype(np.float32)
    if "topk_threshold" in tensors:
        return threshold_of(np.array(tensors.number("topk_threshold"), dtype=np.float32), d_sae)
    return threshold_of(tensors.vector("threshold", size=d_sae), d_sae)


def _factors(tensors: Tensors, config: Settings, d_sae: int) -> Array | None:
    """What latents are multiplied by before the decoder: found by fine-tuning, in old files; None: nothing."""
    name = "finetuning_scaling_factor" if "finetuning_scaling_factor" in tensors else "scaling_factor"
    if name not in tensors:
        return None
    factors = tensors.vector(name, size=d_sae)
    if np.allclose(factors, 1):
        return None
    if not config.flag("finetuning_scaling_factor"):
        raise refuse(f"It has a {name}, and {CONFIG} does not say whether it counts.", "Say finetuning_scaling_factor.")
    return factors


def _unit_rows(arrays: dict[str, Array]) -> dict[str, Array]:
    """The same with the norms of the decoder's rows moved into the encoder, which changes the units of its latents."""
    wide = {name: array.astype(np.float64) for name, array in arrays.items()}
    norms = np.linalg.norm(wide["w_dec"], axis=1)
    wide["w_dec"] /= np.where(norms > 0, norms, 1)[:, None]
    for name in {"w_enc", "b_enc", "b_gate", "b_mag"} & wide.keys():
        wide[name] = wide[name] * norms
    return {name: array.astype(np.float32) for name, array in wide.items()}


def _training(config: Settings, facts: Settings) -> TrainingFacts:
    tokens = facts.raw("training_tokens")
    special, bos = facts.raw("exclude_special_tokens"), facts.flag("prepend_bos")
    widths = facts.part("training_architecture_details").counts("matryoshka_widths") or config.counts(
        "matryoshka_widths"
    )
    return TrainingFacts(
        corpus=facts.text("dataset_path"),
        # Where it is not known SAELens writes a negative number.
        tokens=tokens if type(tokens) is int and tokens > 0 else None,
        context=facts.count("context_size"),
        bos=bos,
        trained_on_bos=(not special if type(special) is bool and bos else None),
        groups=tuple(int(one) for one in np.diff((0, *widths)).tolist()) if _rising(widths) else (),
    )


def _rising(widths: tuple[int, ...]) -> bool:
    return all(one < other for one, other in zip((0, *widths), widths, strict=False))
