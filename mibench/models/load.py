"""Load a network from the catalogue, a local folder or the hub; safetensors weights only."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mibench.core.errors import ModelError, UsageError
from mibench.core.files import is_folder
from mibench.core.names import did_you_mean, unknown
from mibench.core.processes import has_ended, machine
from mibench.core.truth import KnownTruth, read_truth
from mibench.models.cache import cache_root, converted_folder
from mibench.models.catalogue import CATALOGUE, ModelSpec
from mibench.models.digest import CONFIG_FILE, folder_digest, read_config, weight_files
from mibench.models.families import FAMILIES
from mibench.models.hub import snapshot
from mibench.models.known import known_folder, known_models, note_of
from mibench.models.manifest import converted_manifest
from mibench.models.placement import Spread, as_map, device_problem, spread_of
from mibench.models.plain_floats import check_plain
from mibench.models.quiet import quiet_transformers
from mibench.models.tokenizer import TextTokenizer, load_tokenizer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from transformers import PreTrainedModel

DTYPES = ("float32", "float64", "bfloat16", "float16")
ATTENTION_KERNELS = ("sdpa", "eager")
_HUB_REF = re.compile(r"(?P<hub_id>[\w.-]+/[\w.-]+)@(?P<revision>[\w./-]+)")


@dataclass(frozen=True, eq=False)
class HFModel:
    """A loaded network, ready for the engine: evaluation mode, weights frozen.

    Attributes:
        model: The causal language model of transformers.
        tokenizer: Its tokenizer; None where the folder has none, so that only token ids can be given.
        spec: Its catalogue entry; None for a folder or a hub reference.
        name: Catalogue name, ``local:FOLDER`` or ``hub/id@revision``.
        digest: Digest of the weights, configuration and vocabulary; of the GGUF file where there is one.
        dtype: Name of the dtype of the weights in memory.
        attention: Attention kernel, ``sdpa`` or ``eager``.
        vocab_size: Number of logits.
        folder: Where it was read from; a hub snapshot's folder is named after its commit.
        truth: What is known of its mechanism; None: nothing.
        places: Where its parts are, where it is spread over devices, the CPU and disk; None: all in one place.
    """

    model: PreTrainedModel
    tokenizer: TextTokenizer | None
    spec: ModelSpec | None
    name: str
    digest: str
    dtype: str
    attention: str
    vocab_size: int
    folder: Path
    truth: KnownTruth | None = None
    places: Mapping[str, str] | None = None

    @property
    def note(self) -> str:
        """What must be said wherever numbers of this model are shown."""
        return note_of(self.name)


@dataclass(frozen=True)
class _Checkpoint:
    """A folder with weights, before it is loaded."""

    name: str
    folder: Path
    spec: ModelSpec | None
    digest: str


def load_hf(ref: str, *, dtype: str = "float32", device: str = "cpu", attention: str | None = None) -> HFModel:
    """Load a network.

    Args:
        ref: A catalogue name, a folder in transformers format, or ``hub/id@revision``.
        dtype: ``float32``, ``float64``, ``bfloat16`` or ``float16``.
        device: Device of torch, such as ``cpu`` or ``cuda:0``; ``auto`` or several, ``cuda:0,cuda:1``: spread over all
            that there are, or over these, with what does not fit on the CPU and then on disk.
        attention: ``sdpa`` or ``eager``; None: the catalogue's, else what the family needs.

    Raises:
        UsageError: Unknown reference, dtype, device or attention kernel.
        ModelError: The checkpoint is not there, not whole, not safe or not of a supported architecture.
    """
    if dtype not in DTYPES:
        raise unknown("dtype", dtype, DTYPES)
    if attention is not None and attention not in ATTENTION_KERNELS:
        raise unknown("attention kernel", attention, ATTENTION_KERNELS)
    problem = device_problem(device)
    if problem is not None:
        raise problem
    spread = spread_of(device)
    checkpoint = _resolve(ref)
    config = read_config(checkpoint.folder)
    _check_config(checkpoint.folder, config)
    family = str(config.get("model_type"))
    kernel = attention or _default_attention(checkpoint.spec, config)
    model = _load_model(checkpoint.folder, dtype, kernel, spread)
    model = model.to(device) if spread is None else model
    return HFModel(
        model=model.eval().requires_grad_(requires_grad=False),
        tokenizer=load_tokenizer(checkpoint.folder, family=family),
        spec=checkpoint.spec,
        name=checkpoint.name,
        digest=checkpoint.digest,
        dtype=dtype,
        attention=kernel,
        vocab_size=int(model.config.vocab_size),
        folder=checkpoint.folder,
        truth=read_truth(checkpoint.folder),
        places=as_map(model),
    )


def supported_architectures() -> list[str]:
    """Return the architecture class names that the registered families declare, sorted."""
    declared = (component.metadata.get("architectures", ()) for component in FAMILIES.components.values())
    return sorted(name for names in declared for name in names)


def _resolve(ref: str) -> _Checkpoint:
    if ref in CATALOGUE:
        return _from_catalogue(CATALOGUE[ref])
    if ref in known_models():
        folder = known_folder(ref)
        return _Checkpoint(ref, folder, None, _checked_digest(folder))
    if is_folder(os.path.expanduser(ref)):  # noqa: PTH111  Path.expanduser fails on the home of nobody
        folder = Path(ref).expanduser().resolve()
        return _Checkpoint(f"local:{folder.name}", folder, None, _checked_digest(folder))
    match = _HUB_REF.fullmatch(ref)
    if match:
        folder = snapshot(match["hub_id"], match["revision"])
        return _Checkpoint(ref, folder, None, _checked_digest(folder))
    if "/" in ref:
        raise UsageError(
            f"There is no model '{ref}'.",
            why="It is no folder here, and a hub model is written with its revision.",
            do=f"Check the path, or write {ref.strip('/')}@main or a commit hash for the hub.",
        )
    guess = did_you_mean(ref, [*CATALOGUE, *known_models()])
    raise UsageError(
        f"Unknown model '{ref}'.",
        why="It is neither in the catalogue nor a folder here.",
        do=f"{guess} Or give a folder in transformers format, or hub/id@revision.",
    )


def _from_catalogue(spec: ModelSpec) -> _Checkpoint:
    if not spec.is_converted:
        folder = snapshot(spec.hub_id, spec.revision, gated=spec.gated)
        return _Checkpoint(spec.name, folder, spec, _checked_digest(folder))
    folder = converted_folder(spec)
    manifest = converted_manifest(folder, spec)
    command = f"mibench models pull {spec.name}"
    if manifest is None:
        raise ModelError(
            f"The model {spec.name} is not on this machine.",
            why=f"{folder} does not hold its converted weights.",
            do=command,
        )
    if _checked_digest(folder) != manifest["folder_digest"]:
        raise ModelError(
            f"The stored copy of {spec.name} has changed.",
            why=f"The files in {folder} do not fit its manifest.",
            do=f"Delete that folder and run: {command}",
        )
    return _Checkpoint(spec.name, folder, spec, spec.weights_sha256 or manifest["folder_digest"])


def _checked_digest(folder: Path) -> str:
    if not (folder / CONFIG_FILE).is_file():
        raise ModelError(
            f"{folder} is not a model in transformers format.",
            why=f"It has no {CONFIG_FILE}.",
            do="Give a folder written by model.save_pretrained(FOLDER).",
        )
    weight_files(folder)
    return folder_digest(folder)


def _check_config(folder: Path, config: dict[str, Any]) -> None:
    supported = supported_architectures()
    architectures = config.get("architectures")
    name = str(architectures[0]) if isinstance(architectures, list) and architectures else None
    if name not in supported:
        raise ModelError(
            f"The architecture {name or 'of ' + str(folder)} is not supported.",
            why=f"{CONFIG_FILE} names {name or 'none'}; supported: {', '.join(supported)}.",
            do="Add its family: one file of mibench/models/families, or an entry point (mibench.families).",
        )
    check_plain(folder, config)


def _default_attention(spec: ModelSpec | None, config: dict[str, Any]) -> str:
    if spec is not None:
        return spec.attention
    architecture = config["architectures"][0]
    families = [part.metadata for part in FAMILIES.components.values()]
    needed = (data.get("attention") for data in families if architecture in data["architectures"])
    return next(needed, None) or "sdpa"


def _load_model(folder: Path, dtype: str, attention: str, spread: Spread | None) -> PreTrainedModel:
    import torch
    from transformers import AutoModelForCausalLM

    offload = None if spread is None else _offload_folder()
    try:
        with quiet_transformers():
            model, report = AutoModelForCausalLM.from_pretrained(
                folder,
                dtype=getattr(torch, dtype),
                attn_implementation=attention,
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
                **({} if spread is None else spread.arguments(offload)),
            )
    # A foreign folder can fail inside transformers in any way.
    except Exception as error:
        if offload is not None:
            shutil.rmtree(offload, ignore_errors=True)
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise ModelError(f"The model in {folder} cannot be loaded.", why=reason, do="Check the folder.") from error
    if offload is not None:
        weakref.finalize(model, shutil.rmtree, offload, ignore_errors=True)  # when the process ends, at the latest
    missing = sorted([*report["missing_keys"], *(str(key) for key in report["mismatched_keys"])])
    if missing:
        raise ModelError(
            f"The checkpoint {folder} is not complete.",
            why=f"{len(missing)} tensors are missing or misshapen, such as {missing[0]}.",
            do="Copy, download or save the folder again.",
        )
    return model


def _offload_folder() -> Path:
    """A new folder for weights that neither devices nor the CPU hold: two loads of a model do not share files.

    Those that killed processes of this machine left go.
    """
    home = cache_root() / "offload"
    home.mkdir(parents=True, exist_ok=True)
    for left in home.glob(f"{machine()}-*"):
        owner = left.name.split("-")[1]
        if owner.isdecimal() and has_ended(int(owner)):
            shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{machine()}-{os.getpid()}-", dir=home))
