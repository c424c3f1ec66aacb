"""Check dictionaries: names, types, shapes, finite numbers, and that the parts fit together."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mibench.artifacts.circuit import brief
from mibench.artifacts.dictionaries.dictionary import Dictionary, Place, Rule, TrainingFacts
from mibench.artifacts.dictionaries.layout import ACTIVATIONS, ARCHITECTURES, OPTIONAL, SCALINGS, Shape, tensors_of
from mibench.core.errors import ArtifactError, DataError
from mibench.core.hashing import canonical_json
from mibench.core.hook_points import HookPoint

MAX_LATENTS = 2**21
MAX_WIDTH = 2**17
MAX_BYTES = 2**35
"""32 GiB: a dictionary of 262 144 latents for activations of width 4096 takes 8."""
MAX_TEXT = 200
MAX_JSON = 2**18
"""Bytes of params, and of meta, as JSON."""
LARGEST = 1e18
"""Largest number in a tensor: products of two stay finite in float32."""
_LARGEST_LOG = 80.0
_LARGEST_COUNT = 2**62


def refuse(why: str, do: str) -> ArtifactError:
    """Return the error for an unusable dictionary."""
    return ArtifactError("This dictionary cannot be used.", why=why, do=do)


@contextmanager
def usable(path: Path) -> Iterator[None]:
    """Say of which file it is, where reading one fails.

    Raises:
        ArtifactError: It is damaged, too large, or holds no usable dictionary.
    """
    what = f"{path} cannot be used as a dictionary."
    try:
        yield
    except ArtifactError as error:
        raise ArtifactError(what, why=error.why, do=error.do) from error
    except MemoryError as error:
        raise ArtifactError(what, why="There is not enough memory for it.", do="Use a larger machine.") from error
    except OSError as error:
        raise ArtifactError(what, why=f"{error.strerror or error}.", do="Check the file.") from error


def validate_dictionary(dictionary: Dictionary) -> None:
    """Check everything that can be checked without the model.

    With as many latents as entries a matrix handed in the wrong way round has the right shape: it is not noticed here.

    Raises:
        ArtifactError: The dictionary cannot be used.
    """
    _check_place(dictionary.place)
    _one_of("architecture", dictionary.architecture, ARCHITECTURES)
    _check_rule(dictionary.rule)
    arrays = dictionary.tensors
    _check_types(arrays)
    check_shapes(dictionary.place, dictionary.rule, {name: one.shape for name, one in arrays.items()})
    for name in sorted(arrays):
        _check_numbers(name, arrays[name])
    _check_training(dictionary.training, dictionary.d_sae)
    _check_words(dictionary)


def check_model(dictionary: Dictionary, width_in: int, width_out: int) -> None:
    """Check that a dictionary fits a model.

    Args:
        dictionary: A validated dictionary.
        width_in: Entries of the model's activation at ``place.hook``.
        width_out: Entries at ``place.target``.

    Raises:
        ArtifactError: It is for activations of another width.
    """
    place = dictionary.place
    found = ((place.hook, dictionary.d_in, width_in, "reads"), (place.target, dictionary.d_out, width_out, "writes"))
    for point, width, wanted, verb in found:
        if width != wanted:
            why = f"It {verb} {width} entries at {point.name}, where the model has {wanted}."
            raise refuse(
                why, f"Name the model that it is for{f' ({place.model})' if place.model else ''}, or its place."
            )


def check_shapes(place: Place, rule: Rule, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Check that the tensors are those that the rule needs, and that they fit together; no number is looked at.

    Args:
        place: A checked place.
        rule: A checked rule.
        shapes: Of each tensor.

    Raises:
        ArtifactError: They cannot be used.
    """
    needed = tensors_of(rule.activation)
    if not set(needed) <= set(shapes) <= set(needed) | set(OPTIONAL):
        why = f"With activation {rule.activation} it has the tensors {_listed(shapes)}, not {_listed(needed)}."
        raise refuse(why, "Give those that its activation needs, and w_skip if it has one.")
    sizes: dict[str, int] = {}
    for name, wanted in (*needed.items(), *OPTIONAL.items()):
        if name in shapes:
            _bind(name, shapes[name], wanted, sizes)
    _check_sizes(shapes, sizes)
    _check_fit(place, rule, sizes)


def _bind(name: str, found: tuple[int, ...], wanted: Shape, sizes: dict[str, int]) -> None:
    expected = ", ".join(f"{one} = {sizes[one]}" if one in sizes else one for one in wanted)
    wrong = refuse(f"'{name}' has shape {list(found)[:4]}, not [{expected}].", "Transpose it, or fix its shape.")
    if len(found) != len(wanted):
        raise wrong
    for one, size in zip(wanted, found, strict=True):
        if size < 1 or sizes.setdefault(one, size) != size:
            raise wrong


def _check_sizes(shapes: Mapping[str, tuple[int, ...]], sizes: Mapping[str, int]) -> None:
    for name, limit in (("d_sae", MAX_LATENTS), ("d_in", MAX_WIDTH), ("d_out", MAX_WIDTH)):
        if sizes[name] > limit:
            raise refuse(f"{name} is {sizes[name]}; the limit is {limit}.", "Give a smaller one.")
    size = 4 * sum(math.prod(shape) for shape in shapes.values())
    if size > MAX_BYTES:
        raise refuse(f"It takes {size} bytes; the limit is {MAX_BYTES}.", "Give a smaller one.")


def _check_fit(place: Place, rule: Rule, sizes: Mapping[str, int]) -> None:
    d_in, d_out, d_sae = sizes["d_in"], sizes["d_out"], sizes["d_sae"]
    if place.target == place.hook and d_in != d_out:
        why = f"It reads {d_in} entries and writes {d_out} at the same place."
        raise refuse(why, "Say what a transcoder reconstructs: place.output.")
    if rule.pre_bias and d_in != d_out:
        why = f"It subtracts a b_dec of {d_out} entries from an activation of {d_in}."
        raise refuse(why, "A dictionary with pre_bias writes as many entries as it reads.")
    if rule.k is not None and rule.k > d_sae:
        raise refuse(f"It keeps {rule.k} of {d_sae} latents.", "Say a smaller k.")
    if rule.scaling == "layer-norm" and d_in < 2:
        raise refuse("It normalises activations of one entry.", "Use no layer-norm scaling there.")


def _check_place(place: Place) -> None:
    if not isinstance(place, Place) or not _is_name(place.model):
        raise refuse("It does not say where it reads.", "Give a Place with the model's name.")
    for point in (place.hook, place.target):
        try:
            known = isinstance(point, HookPoint) and HookPoint.parse(point.name) == point
        except DataError:
            known = False
        if not known:
            raise refuse(f"It reads or writes at {brief(point)}, which is no hook point.", "Make it with HookPoint.")


def _check_rule(rule: Rule) -> None:
    if not isinstance(rule, Rule):
        raise refuse(f"Its rule is {brief(rule)}.", "Give a Rule.")
    _one_of("activation", rule.activation, ACTIVATIONS)
    _one_of("scaling", rule.scaling, SCALINGS)
    if type(rule.pre_bias) is not bool:
        raise refuse(f"pre_bias is {brief(rule.pre_bias)}.", "Say True or False.")
    if (rule.activation == "topk") != (rule.k is not None):
        raise refuse(f"With activation {rule.activation} k is {brief(rule.k)}.", "Say k with topk, and only there.")
    if rule.k is not None and (type(rule.k) is not int or rule.k < 1):
        raise refuse(f"k is {brief(rule.k)}.", "Say how many latents are kept, at least 1.")
    _check_scale(rule)


def _check_scale(rule: Rule) -> None:
    # A whole number would have another digest than the equal float that is read back from a file.
    if not isinstance(rule.scale, float) or not 1 / LARGEST <= rule.scale <= LARGEST:
        raise refuse(f"scale is {brief(rule.scale)}.", "Give a positive float.")
    if rule.scaling != "constant" and rule.scale != 1:
        raise refuse(f"With scaling {rule.scaling} scale is {rule.scale}.", "Give a scale with scaling constant only.")


def _one_of(what: str, value: object, allowed: Collection[str]) -> None:
    if not isinstance(value, str) or value not in allowed:
        raise refuse(f"Its {what} is {brief(value)}.", f"Use one of {', '.join(allowed)}.")


def _check_types(tensors: Mapping[str, Any]) -> None:
    if not isinstance(tensors, Mapping) or not all(isinstance(name, str) for name in tensors):
        raise refuse("Its tensors have no names.", "Give a mapping of names to arrays.")
    for name in sorted(tensors):
        array = tensors[name]
        if not isinstance(array, np.ndarray) or array.dtype != np.float32:
            kind = f"{array.dtype!s:.40}" if isinstance(array, np.ndarray) else brief(array)
            raise refuse(f"'{name:.40}' is {kind}, no numpy array of float32.", "Convert it to float32.")
        if not array.flags.c_contiguous:
            raise refuse(f"'{name:.40}' does not lie in memory row by row.", "Use numpy.ascontiguousarray.")


def _check_numbers(name: str, array: np.ndarray[Any, Any]) -> None:
    # The extremes are NaN where one number is, and need no second array of this size.
    low, high = float(array.min()), float(array.max())
    limit = _LARGEST_LOG if name == "r_mag" else LARGEST
    if not (math.isfinite(low) and math.isfinite(high)):
        raise refuse(f"'{name}' holds NaN or infinity.", "Train it again.")
    if max(-low, high) > limit:
        raise refuse(f"'{name}' holds numbers from {low:.3g} to {high:.3g}; the limit is {limit:.3g}.", "Rescale it.")


def _check_training(training: TrainingFacts, d_sae: int) -> None:
    if not isinstance(training, TrainingFacts):
        raise refuse(f"Its training is {brief(training)}.", "Give TrainingFacts.")
    rules = {
        "corpus": _is_name,
        **dict.fromkeys(("tokens", "context", "seed"), _is_count),
        **dict.fromkeys(("bos", "trained_on_bos"), lambda value: type(value) is bool),
        **dict.fromkeys(("l0", "fvu"), _is_amount),
    }
    for name, fits in rules.items():
        value = getattr(training, name)
        if value is not None and not fits(value):
            raise refuse(f"training.{name} is {brief(value)}.", "Fix it, or leave it out (None).")
    groups = training.groups
    if not isinstance(groups, tuple) or not all(_is_count(one) and one for one in groups) or sum(groups) > d_sae:
        why = f"training.groups are not sizes of groups of its {d_sae} latents."
        raise refuse(why, "Give a tuple of positive whole numbers that add up to the latents.")


def _is_name(value: object) -> bool:
    return isinstance(value, str) and len(value) <= MAX_TEXT and value.isprintable()


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST_COUNT


def _is_amount(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def _check_words(dictionary: Dictionary) -> None:
    method = dictionary.method
    if method is not None and not (method and _is_name(method)):
        raise refuse(f"The method is {brief(method)}.", "State it by name, or leave it out (None).")
    for what in ("params", "meta"):
        values = getattr(dictionary, what)
        if not isinstance(values, Mapping) or not all(isinstance(name, str) for name in values):
            raise refuse(f"{what} is {brief(values)}.", "Give a mapping with text as names.")
        try:
            size = len(canonical_json(dict(values)))
        except (TypeError, ValueError, RecursionError) as error:
            raise refuse(
                f"{what} is not JSON: {error!s:.200}", "Keep numbers, text, lists and objects there."
            ) from error
        if size > MAX_JSON:
            raise refuse(f"{what} takes {size} bytes; the limit is {MAX_JSON}.", "Keep less there.")


def _listed(names: Collection[str]) -> str:
    return ", ".join(str(name)[:40] for name in sorted(names)[:12]) or "none"
