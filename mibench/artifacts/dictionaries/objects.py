"""A dictionary from an SAE object in Python, by SAEBench's attribute contract; objects are code, never from files."""

from __future__ import annotations

from typing import Any

from mibench.artifacts.dictionaries.checks import refuse, validate_dictionary
from mibench.artifacts.dictionaries.dictionary import Dictionary, Place
from mibench.artifacts.dictionaries.object_check import Fault, Subject, compare, variants
from mibench.artifacts.dictionaries.object_config import ObjectConfig
from mibench.artifacts.dictionaries.object_tensors import candidates
from mibench.core.errors import ArtifactError

_NEEDED = ("W_enc", "W_dec", "b_dec", "encode", "decode", "cfg")


def from_object(obj: Any, *, place: Place | None = None, seed: int = 0) -> Dictionary:
    """Return what an SAE object computes, as a dictionary.

    The object has ``W_enc [d_in, d_sae]``, ``W_dec [d_sae, d_out]``, ``b_enc``, ``b_dec``, ``encode``, ``decode`` and
    ``cfg``; ``threshold`` for JumpReLU and BatchTopK; ``b_gate`` (or ``gate_bias``), ``r_mag`` and ``b_mag`` (or
    ``mag_bias``) for gated ones; ``W_skip`` for a skip transcoder. ``cfg`` has ``architecture`` and, unless ``place``
    is given, ``hook_name``. Where ``cfg`` does not say whether ``b_dec`` is subtracted first, the object shows it.

    What it computes on random activations has to agree with the dictionary within a relative 1e-4, so that neither an
    orientation nor a convention is taken on trust. It is called and not changed.

    Args:
        obj: The object, in float32 or float64.
        place: Where it reads and writes; None: as ``cfg`` says.
        seed: Of the random activations.

    Raises:
        ArtifactError: Something is missing, cannot be done here, or the object computes something else.
    """
    missing = [name for name in _NEEDED if not hasattr(obj, name)]
    if missing:
        raise refuse(
            f"The object has no {', '.join(missing)}.", "Give W_enc, W_dec, b_enc, b_dec, encode, decode, cfg."
        )
    cfg, subject = ObjectConfig(obj.cfg), Subject(obj)
    where, kwargs = place or cfg.place, cfg.model_kwargs
    meta = {"object": type(obj).__name__[:80]} | ({"model_from_pretrained_kwargs": kwargs} if kwargs else {})
    faults: list[tuple[Fault, Dictionary]] = []
    for rule, tensors in candidates(obj, cfg):
        architecture, training = cfg.family.architecture, cfg.training
        dictionary = Dictionary(where, architecture, rule, tensors, training=training, meta=meta)
        validate_dictionary(dictionary)
        cfg.check_sizes({"d_in": dictionary.d_in, "d_sae": dictionary.d_sae, "d_out": dictionary.d_out})
        fault = compare(subject, dictionary, seed)
        if fault is None:
            return dictionary
        faults.append((fault, dictionary))
    raise _disagrees(subject, faults, seed)


def _disagrees(subject: Subject, faults: list[tuple[Fault, Dictionary]], seed: int) -> ArtifactError:
    """The error for an object that computes something else; says what it may be, where that can be found out."""
    if not faults:
        return refuse("It has neither k nor a threshold.", "Set cfg.activation_fn_kwargs['k'], or threshold.")
    # The furthest: one whose encode() agrees says more of what is wrong.
    fault, dictionary = max(faults, key=lambda one: (one[0].part != "encode", -one[0].size))
    for meaning, other in variants(dictionary):
        found = compare(subject, other, seed)
        if found is None or (fault.part == "encode" != found.part):
            return refuse(f"Its {fault.why} It seems that {meaning}.", "Fix cfg or the weights.")
    rule = dictionary.rule
    what = f"{rule.activation}, pre_bias {rule.pre_bias}, scaling {rule.scaling}"
    return refuse(f"Its {fault.why} It was taken for {what}.", "Fix cfg.architecture, or what it computes.")
