"""Gemma Scope's ``params.npz``: JumpReLU dictionaries of Gemma 2; the names of their folders say what they are."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from mibench.artifacts.dictionaries.checks import refuse
from mibench.artifacts.dictionaries.dictionary import Dictionary, Rule, TrainingFacts
from mibench.artifacts.dictionaries.formats.archive import member_names, read_archive
from mibench.artifacts.dictionaries.formats.statements import Statement, place_of
from mibench.artifacts.dictionaries.formats.tensors import Tensors, threshold_of
from mibench.artifacts.dictionaries.formats.writing import cannot_hold, unscaled
from mibench.core.files import is_file
from mibench.core.hook_points import HookKind, HookPoint

FORM = "gemma-scope"
WEIGHTS = "params.npz"
SUFFIX = ".npz"
NAMES = ("w_enc", "w_dec", "b_enc", "b_dec", "threshold")
_RELEASE = re.compile(r"gemma-scope-(?P<size>\d{1,3}b)-(?P<form>pt|it)-(?P<kind>res|mlp|att|transcoders)\b.*")
_KINDS = {"res": HookKind.RESIDUAL_POST, "mlp": HookKind.MLP_OUT, "att": HookKind.HEADS}
_LAYER, _WIDTH = re.compile(r"layer_(\d{1,4})"), re.compile(r"width_(\d{1,6})(k|m|)")
_L0 = re.compile(r"average_l0_(\d{1,6})")
_UNITS = {"": 1, "k": 10**3, "m": 10**6}


def is_format(path: Path) -> bool:
    """Whether ``path`` is such a file or a folder with one, by the names in it."""
    file = _file(path)
    return file.suffix.lower() == SUFFIX and is_file(file) and _known(member_names(file))


def _known(names: set[str]) -> bool:
    return {name.lower() for name in names} >= set(NAMES)


def _file(path: Path) -> Path:
    return path if path.suffix.lower() == SUFFIX else path / WEIGHTS


def read(path: Path, user: Statement) -> Dictionary:
    """Read a file of Gemma Scope, or the folder with it.

    Without a release in the path (``gemma-scope-2b-pt-mlp``) it is of the residual stream, unless the user says more.

    Raises:
        ArtifactError: It cannot be used.
    """
    file = _file(path)
    says = statement_of(file)
    tensors = Tensors({name.lower(): array for name, array in read_archive(file).items()})
    b_enc, b_dec = tensors.vector("b_enc"), tensors.vector("b_dec")
    d_sae, d_out = b_enc.size, b_dec.size
    place = place_of(says, user, transcoder=None)
    arrays = {
        "w_enc": tensors.matrix("w_enc", rows=None if place.output else d_out, columns=d_sae),
        "b_enc": b_enc,
        "w_dec": tensors.matrix("w_dec", rows=d_sae, columns=d_out),
        "b_dec": b_dec,
        "threshold": threshold_of(tensors.vector("threshold", size=d_sae), d_sae),
    }
    tensors.finish()
    _check_width(file, d_sae)
    return Dictionary(
        place=place,
        architecture="jumprelu",
        rule=Rule("jumprelu", pre_bias=False),
        tensors=arrays,
        training=TrainingFacts(context=1024, bos=True, l0=_l0(file)) if says.model else TrainingFacts(l0=_l0(file)),
        meta={"format": FORM},
    )


def statement_of(file: Path) -> Statement:
    """What the names of a file's folders say.

    Raises:
        ArtifactError: It is of the embedding, which is no hook point here.
    """
    folders = file.absolute().parent.parts[-5:]
    if any(folder.startswith("embedding") for folder in folders):
        raise refuse("It reads the embedding, which is no hook point here.", "Give one of a layer.")
    release = next((found for folder in folders[::-1] if (found := _RELEASE.fullmatch(folder))), None)
    layer = _number(_LAYER, folders)
    model = None
    if release is not None:
        model = f"gemma-2-{release['size']}{'-it' if release['form'] == 'it' else ''}"
    if layer is None:
        return Statement(model)
    if release is None:
        return Statement(layer=layer, default=HookPoint(layer, HookKind.RESIDUAL_POST))
    if release["kind"] == "transcoders":
        return Statement(model, HookPoint(layer, HookKind.MLP_NORMALISED), HookPoint(layer, HookKind.MLP_OUT))
    return Statement(model, HookPoint(layer, _KINDS[release["kind"]]))


def _number(pattern: re.Pattern[str], folders: tuple[str, ...]) -> int | None:
    return next((int(found[1]) for folder in folders[::-1] if (found := pattern.fullmatch(folder))), None)


def _l0(file: Path) -> float | None:
    l0 = _number(_L0, file.absolute().parent.parts[-5:])
    return None if l0 is None else float(l0)


def _check_width(file: Path, d_sae: int) -> None:
    found = next((one for name in file.absolute().parent.parts[::-1] if (one := _WIDTH.fullmatch(name))), None)
    if found is None:
        return
    width = int(found[1]) * _UNITS[found[2]]
    # Their k is 1024 of a rounded number: 65k is 65536.
    if abs(d_sae - width) > 0.06 * width:
        raise refuse(f"Its folder says {found[0]}; it has {d_sae} latents.", "Put it into the folder it came from.")


def write(dictionary: Dictionary, path: Path) -> None:
    """Write a dictionary as one file; a constant scaling is folded in. Its place must not contradict the folders'.

    Raises:
        ArtifactError: The format cannot hold it.
    """
    rule, place = dictionary.rule, dictionary.place
    if rule.activation != "jumprelu" or dictionary.architecture != "jumprelu":
        raise cannot_hold(FORM, f"a dictionary that is {dictionary.architecture} and computes {rule.activation}")
    if rule.pre_bias:
        raise cannot_hold(FORM, "pre_bias")
    if "w_skip" in dictionary.tensors:
        raise cannot_hold(FORM, "a skip")
    place_of(statement_of(path), Statement(place.model or None, place.hook, place.output), transcoder=None)
    arrays = unscaled(dictionary, FORM)
    names = {"w_enc": "W_enc", "w_dec": "W_dec"}
    with path.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **{names.get(name, name): arrays[name] for name in NAMES})
