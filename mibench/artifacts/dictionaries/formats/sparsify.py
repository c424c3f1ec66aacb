"""EleutherAI sparsify's folder: ``cfg.json`` and ``sae.safetensors``, in a folder named after its hook point."""

from __future__ import annotations

import re
from pathlib import Path

from mibench.artifacts.dictionaries.checks import refuse
from mibench.artifacts.dictionaries.dictionary import Architecture, Array, Dictionary, Rule, TrainingFacts
from mibench.artifacts.dictionaries.formats.settings import Settings, read_settings
from mibench.artifacts.dictionaries.formats.statements import Statement, foreign_point, place_of
from mibench.artifacts.dictionaries.formats.tensors import Tensors
from mibench.artifacts.dictionaries.formats.weights import read_safetensors
from mibench.artifacts.dictionaries.formats.writing import cannot_hold, save_safetensors, unscaled, write_settings
from mibench.artifacts.dictionaries.layout import ARCHITECTURES
from mibench.core.errors import ArtifactError
from mibench.core.files import is_file
from mibench.core.hook_points import HookKind, HookPoint

FORM = "sparsify"
CONFIG = "cfg.json"
WEIGHTS = "sae.safetensors"
RUN = "config.json"
"""In the folder above: how all of a run were trained."""
_MODULE = re.compile(r"(?:[a-z_.]{1,40}\.)?(?:layers|h|blocks)[._](?P<layer>\d{1,4})(?:\.(?P<part>[a-z_]{1,40}))?")
_MLP, _ATTENTION = {"mlp"}, {"attn", "self_attn", "attention"}
_OTHER = ("embed_skip", "gram_lookup")
_POST_NORM = re.compile(r"gemma-?[23]")


def is_format(path: Path) -> bool:
    """Whether ``path`` is such a folder, by the names in it."""
    return is_file(path / CONFIG) and is_file(path / WEIGHTS)


def read(path: Path, user: Statement) -> Dictionary:
    """Read a folder of sparsify.

    Raises:
        ArtifactError: It cannot be used, or a dictionary cannot say what it computes.
    """
    config, run = read_settings(path / CONFIG), _run(path)
    _check(config)
    transcoder = config.flag("transcode") or False
    tensors = Tensors(read_safetensors(path / WEIGHTS))
    arrays = _arrays(tensors, config)
    k = config.count("k")
    if k is None:
        raise refuse("Nothing says how many latents it keeps.", f"Write k into {CONFIG}.")
    return Dictionary(
        place=place_of(_statement(path, config, run, user), user, transcoder=transcoder),
        architecture=_architecture(config),
        rule=Rule("topk", pre_bias=not transcoder, k=k),
        tensors=arrays,
        training=TrainingFacts(corpus=run.text("dataset"), context=run.count("ctx_len")),
        meta={"format": FORM},
    )


def _run(path: Path) -> Settings:
    """Settings of the whole run; none where the file above is missing or another one."""
    above = path.absolute().parent / RUN
    if not is_file(above):
        return Settings({}, RUN)
    try:
        run = read_settings(above)
    except ArtifactError:
        return Settings({}, RUN)
    return run if "sae" in run or "hookpoints" in run else Settings({}, RUN)


def _check(config: Settings) -> None:
    activation = config.text("activation") or "topk"
    if activation != "topk":
        raise refuse(f"Its activation is '{activation:.40}', which no dictionary here has.", "Give one with topk.")
    if config.flag("signed"):
        raise refuse("It keeps latents of either sign (signed), which no dictionary here does.", "Give one without.")
    for name in _OTHER:
        if config.flag(name):
            raise refuse(f"It uses {name}, which no dictionary here does.", "Give one without.")


def _architecture(config: Settings) -> Architecture:
    said = config.text("architecture")
    return said if said in ARCHITECTURES else "topk"  # type: ignore[return-value]


def _arrays(tensors: Tensors, config: Settings) -> dict[str, Array]:
    b_enc, b_dec = tensors.vector("encoder.bias"), tensors.vector("b_dec")
    d_sae, d_out = b_enc.size, b_dec.size
    d_in = config.count("d_in")
    if d_in is None:
        raise refuse("Nothing says d_in.", f"Write d_in into {CONFIG}, as sparsify does.")
    wanted = config.count("num_latents") or d_in * (config.count("expansion_factor") or 0)
    if wanted not in (0, d_sae):
        raise refuse(f"{CONFIG} says {wanted} latents; its tensors have {d_sae}.", "Fix either.")
    arrays = {
        "w_enc": tensors.matrix("encoder.weight", rows=d_in, columns=d_sae, flipped=True),
        "b_enc": b_enc,
        "w_dec": tensors.matrix("W_dec", rows=d_sae, columns=d_out, infer=True),
        "b_dec": b_dec,
    }
    if "W_skip" in tensors:
        arrays["w_skip"] = tensors.matrix("W_skip", rows=d_in, columns=d_out, flipped=True)
    tensors.finish()
    return arrays


def _statement(path: Path, config: Settings, run: Settings, user: Statement) -> Statement:
    model = run.text("model") or config.text("model")
    # Written here, where a folder's name need not say it.
    hook = foreign_point(config.text("hook"), user.hook)
    found = _MODULE.fullmatch(path.absolute().name)
    layer = None if found is None else int(found["layer"])
    if hook is not None or found is None:
        return Statement(model, hook, foreign_point(config.text("hook_out"), user.output), layer)
    points = points_of(int(found["layer"]), found["part"], transcode=config.flag("transcode") or False)
    if points is None or (found["part"] is not None and _POST_NORM.search((model or user.model or "").lower())):
        # What such a module gives is not what is added to the residual stream: a norm is between them.
        return Statement(model, layer=layer)
    return Statement(model, *points)


def points_of(layer: int, part: str | None, *, transcode: bool) -> tuple[HookPoint, HookPoint | None] | None:
    """What is read and written at a module of a layer: its output, or from its input to its output; None: unknown."""
    if part is None:
        post = HookPoint(layer, HookKind.RESIDUAL_POST)
        return (HookPoint(layer, HookKind.RESIDUAL_PRE), post) if transcode else (post, None)
    if part in _MLP:
        out = HookPoint(layer, HookKind.MLP_OUT)
        return (HookPoint(layer, HookKind.MLP_IN), out) if transcode else (out, None)
    if part in _ATTENTION and not transcode:
        return HookPoint(layer, HookKind.ATTN_OUT), None
    return None


def write(dictionary: Dictionary, folder: Path) -> None:
    """Write a dictionary into an empty folder, its place too; a constant scaling is folded in.

    Raises:
        ArtifactError: The format cannot hold it.
    """
    rule, place = dictionary.rule, dictionary.place
    transcoder = place.output is not None
    if rule.activation != "topk":
        raise cannot_hold(FORM, f"the activation {rule.activation}")
    if rule.pre_bias == transcoder:
        raise cannot_hold(FORM, "a transcoder with pre_bias" if transcoder else "an autoencoder without pre_bias")
    if dictionary.d_in != dictionary.d_out:
        raise cannot_hold(FORM, f"{dictionary.d_in} entries read and {dictionary.d_out} written")
    found = _MODULE.fullmatch(folder.name)
    if found is not None and int(found["layer"]) != place.hook.layer:
        raise cannot_hold(FORM, f"what reads {place.hook.name} in a folder named {folder.name}")
    arrays = unscaled(dictionary, FORM)
    names = {"w_enc": "encoder.weight", "b_enc": "encoder.bias", "w_dec": "W_dec", "b_dec": "b_dec", "w_skip": "W_skip"}
    flipped = {name: array.T if name in ("w_enc", "w_skip") else array for name, array in arrays.items()}
    save_safetensors(folder / WEIGHTS, {names[name]: array for name, array in flipped.items()})
    values = {
        "activation": "topk",
        "architecture": dictionary.architecture,
        "d_in": dictionary.d_in,
        "expansion_factor": max(1, dictionary.d_sae // dictionary.d_in),
        "hook": place.hook.name,
        "hook_out": place.target.name if transcoder else None,
        "k": rule.k,
        "model": place.model or None,
        "multi_topk": False,
        "normalize_decoder": False,
        "num_latents": dictionary.d_sae,
        "skip_connection": "w_skip" in arrays,
        "transcode": transcoder,
    }
    write_settings(folder / CONFIG, values)
