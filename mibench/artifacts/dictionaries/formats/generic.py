"""A plain ``.safetensors`` with ``W_enc``, ``W_dec``, ``b_enc`` and ``b_dec``, and a few words on what they are.

The words stand in the file's metadata, one entry for each or all as one JSON object in ``dictionary``; or in a
``.json`` of the same name beside it:

- ``architecture``: ``relu``, ``topk``, ``jumprelu``, ``gated``, or another name of ours;
- ``activation``: what it computes, where the architecture does not say;
- ``apply_b_dec_to_input``: true or false;
- ``k``, for topk;
- ``hook`` and ``output``: hook points; ``model``;
- ``scaling`` (``none``, ``constant``, ``layer-norm``) and ``scale``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mibench.artifacts.dictionaries.checks import refuse
from mibench.artifacts.dictionaries.dictionary import Array, Dictionary, Rule, TrainingFacts
from mibench.artifacts.dictionaries.formats.settings import Settings, parse_object, read_settings
from mibench.artifacts.dictionaries.formats.statements import Statement, foreign_point, place_of
from mibench.artifacts.dictionaries.formats.tensors import Tensors, threshold_of
from mibench.artifacts.dictionaries.formats.weights import checked_header, read_safetensors
from mibench.artifacts.dictionaries.formats.writing import save_safetensors
from mibench.artifacts.dictionaries.layout import ARCHITECTURES
from mibench.core.errors import ArtifactError
from mibench.core.files import is_file
from mibench.core.hashing import canonical_json

FORM = "generic"
SUFFIX = ".safetensors"
_NEEDED = {"w_enc", "w_dec", "b_dec"}
ENTRY = "dictionary"
_NO_TEXT = ("k", "scale", "apply_b_dec_to_input", "groups")
_COMPUTES = {
    "p-anneal": "relu",
    "batchtopk": "jumprelu",
    "matryoshka": "jumprelu",
    "identity": "linear",
    "pca": "linear",
}
"""What an architecture computes, where that is not its name."""


def is_format(path: Path) -> bool:
    """Whether ``path`` is a safetensors file with such tensors; only its header is read."""
    if path.suffix.lower() != SUFFIX or not is_file(path):
        return False
    try:
        return {name.lower() for name in checked_header(path).tensors} >= _NEEDED
    except (ArtifactError, OSError, ValueError):
        return False


def read(path: Path, user: Statement) -> Dictionary:
    """Read such a file.

    Raises:
        ArtifactError: It cannot be used, or does not say what it computes.
    """
    words = _words(path)
    tensors = Tensors(_lower(read_safetensors(path)))
    k = words.count("k")
    inside = tensors.whole("k")
    if inside is not None and k not in (None, inside):
        raise refuse(f"It says that k is {inside} and {k}.", "Fix either.")
    k = inside if k is None else k
    architecture, activation = _architecture(words, tensors, k)
    pre_bias, scale = words.flag("apply_b_dec_to_input"), words.number("scale")
    if pre_bias is None:
        do = "Write apply_b_dec_to_input, true or false, into its metadata, or into a .json of its name."
        raise refuse("Nothing says whether b_dec is subtracted before the encoder.", do)
    hook = foreign_point(words.text("hook", "hook_name"), user.hook)
    output = foreign_point(words.text("output", "hook_name_out"), user.output)
    place = place_of(Statement(words.text("model", "model_name"), hook, output), user, transcoder=None)
    return Dictionary(
        place=place,
        architecture=architecture,  # type: ignore[arg-type]
        rule=Rule(
            activation,  # type: ignore[arg-type]
            pre_bias,
            k if activation == "topk" else None,
            words.text("scaling") or "none",  # type: ignore[arg-type]
            1.0 if scale is None else scale,
        ),
        tensors=_arrays(tensors, activation, same=place.output is None),
        training=TrainingFacts(groups=words.counts("groups")),
        params={} if k is None or activation == "topk" else {"k": k},
        meta={"format": FORM},
    )


def _words(path: Path) -> Settings:
    metadata, beside = checked_header(path).metadata, path.with_suffix(".json")
    if ENTRY in metadata:
        inside = parse_object(metadata[ENTRY], f"'{ENTRY}' in the metadata")
    else:
        inside = {name: _value(name, text) for name, text in metadata.items()}
    if not is_file(beside):
        return Settings(inside, f"the metadata of {path.name}")
    values = read_settings(beside).values
    odd = [name for name in inside if name in values and values[name] != inside[name]]
    if odd:
        raise refuse(f"{beside.name} and the file's metadata say another '{odd[0]:.40}'.", "Fix either.")
    return Settings({**inside, **values}, beside.name)


def _value(name: str, text: str) -> object:
    """A value of the metadata, which is all text."""
    if name in _NO_TEXT:
        return parse_object(f'{{"value": {text[:2000]}}}', f"'{name:.40}' in the metadata").get("value")
    return text


def _lower(arrays: Mapping[str, Array]) -> dict[str, Array]:
    lowered = {name.lower(): array for name, array in arrays.items()}
    if len(lowered) != len(arrays):
        raise refuse("It has tensors whose names differ in their case only.", "Give each one once.")
    return lowered


def _architecture(words: Settings, tensors: Tensors, k: int | None) -> tuple[str, str]:
    by_tensors = "gated" if "b_gate" in tensors else "jumprelu" if "threshold" in tensors else None
    found = by_tensors or ("topk" if k is not None else None)
    said = words.text("architecture")
    if said is None and found is None:
        raise refuse("Nothing says its architecture.", f"Write one of {', '.join(ARCHITECTURES)} into its metadata.")
    said = said or found or ""
    if said not in ARCHITECTURES:
        raise refuse(f"Its architecture is '{said:.40}'.", f"Use one of {', '.join(ARCHITECTURES)}.")
    activation = words.text("activation") or _COMPUTES.get(said, said)
    if activation == "frozen-decoder":
        activation = found or "relu"
    if by_tensors is not None and activation != by_tensors:
        why = f"It says that it computes {activation:.20}, and has tensors of {by_tensors}."
        raise refuse(why, "Say what it computes, or leave them out.")
    return said, activation


def _arrays(tensors: Tensors, activation: str, *, same: bool) -> dict[str, Array]:
    arrays = {"b_dec": tensors.vector("b_dec")}
    latent = ("b_gate", "r_mag", "b_mag") if activation == "gated" else ("b_enc",)
    arrays |= {name: tensors.vector(name) for name in latent}
    d_sae, d_out = arrays[latent[0]].size, arrays["b_dec"].size
    d_in = d_out if same else None
    arrays["w_enc"] = tensors.matrix("w_enc", rows=d_in, columns=d_sae, infer=True)
    arrays["w_dec"] = tensors.matrix("w_dec", rows=d_sae, columns=d_out, infer=True)
    if activation == "jumprelu":
        arrays["threshold"] = threshold_of(tensors.vector("threshold"), d_sae)
    if "w_skip" in tensors:
        arrays["w_skip"] = tensors.matrix("w_skip", rows=arrays["w_enc"].shape[0], columns=d_out)
    tensors.finish()
    return arrays


def write(dictionary: Dictionary, path: Path) -> None:
    """Write a dictionary as one file, with the words in its metadata."""
    rule, place = dictionary.rule, dictionary.place
    words: dict[str, object] = {
        "architecture": dictionary.architecture,
        "activation": rule.activation,
        "apply_b_dec_to_input": rule.pre_bias,
        "k": dictionary.params.get("k") if rule.k is None else rule.k,
        "hook": place.hook.name,
        "output": None if place.output is None else place.output.name,
        "model": place.model or None,
        "scaling": rule.scaling,
        "scale": rule.scale,
        "groups": list(dictionary.training.groups) or None,
    }
    if type(words["k"]) is not int:
        words["k"] = None
    known = {name: value for name, value in words.items() if value is not None}
    # One entry: safetensors writes several in any order.
    save_safetensors(path, dictionary.tensors, {ENTRY: canonical_json(known).decode()})
