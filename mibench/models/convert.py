"""GGUF to a folder in transformers format, checked against what was read."""

from __future__ import annotations

import contextlib
import io
import json
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mibench.core.errors import ModelError
from mibench.core.files import atomic_write
from mibench.models.catalogue import ModelSpec
from mibench.models.digest import CONFIG_FILE, folder_digest
from mibench.models.quiet import quiet_transformers

if TYPE_CHECKING:
    import torch

CONVERTER_VERSION = 1
MANIFEST_FILE = "mibench_manifest.json"

_NOT_KEPT = ("quantization_config", "_name_or_path", "_model_name_or_path", "transformers_version")
_ONE_PIECE = " Mary"
_CHECKED_TEXT = "When Mary and John went to the store, John gave a drink to"
_TOLERANCE = 1e-5


def require_converter() -> None:
    """Check that the packages which read GGUF files are installed.

    Raises:
        ModelError: One of them is missing.
    """
    missing = [name for name in ("gguf", "accelerate") if find_spec(name) is None]
    if missing:
        raise ModelError(
            "A GGUF file cannot be read.",
            why=f"{' and '.join(missing)} not installed.",
            do="pip install 'mibench[gguf]'",
        )


def convert_gguf(gguf: Path, folder: Path, spec: ModelSpec) -> None:
    """Write the dequantised float32 weights, configuration and tokenizer of ``gguf`` to ``folder``.

    The folder is loaded again and must give the logits of the GGUF model.

    Args:
        gguf: A GGUF file whose digest has been checked.
        folder: An empty folder.
        spec: Catalogue entry of the model.

    Raises:
        ModelError: The file cannot be read, or the written folder differs from it.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        # The dequantiser draws its own progress bar whatever the logging level.
        with quiet_transformers(), contextlib.redirect_stderr(io.StringIO()):
            source = {"gguf_file": gguf.name, "local_files_only": True}
            tokenizer = AutoTokenizer.from_pretrained(gguf.parent, **source)
            _check_tokenizer(tokenizer)
            model = AutoModelForCausalLM.from_pretrained(gguf.parent, dtype=torch.float32, **source).eval()
            _save_weights(model, folder)
            tokenizer.save_pretrained(folder)
            _compare(model, tokenizer, folder)
    except (OSError, ValueError, KeyError, TypeError, ImportError, RuntimeError) as error:
        raise ModelError(
            f"{gguf.name} could not be converted.",
            why=str(error).strip() or type(error).__name__,
            do="Check that transformers, gguf and accelerate are the versions of constraints.txt.",
        ) from error
    atomic_write(folder / MANIFEST_FILE, json.dumps(_manifest(folder, spec), indent=2, sort_keys=True) + "\n")


def read_manifest(folder: Path, spec: ModelSpec) -> dict[str, Any] | None:
    """Return the manifest of a converted folder, or None where it is not a conversion of ``spec``."""
    try:
        manifest = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("folder_digest"), str):
        return None
    wanted = (CONVERTER_VERSION, spec.weights_sha256)
    return manifest if (manifest.get("converter_version"), manifest.get("gguf_sha256")) == wanted else None


def _save_weights(model: Any, folder: Path) -> None:
    from safetensors.torch import save_file

    tied = {"lm_head.weight"} if model.config.tie_word_embeddings else set()
    state = {name: value.contiguous() for name, value in model.state_dict().items() if name not in tied}
    weights = folder / "model.safetensors"
    save_file(state, weights, metadata={"format": "pt"})
    weights.chmod(0o644)
    config = {key: value for key, value in model.config.to_dict().items() if key not in _NOT_KEPT}
    config["architectures"] = [type(model).__name__]
    # Versions of transformers before 5 read rope_theta only here, and fall back to 10000 without it.
    config["rope_theta"] = model.config.rope_parameters["rope_theta"]
    atomic_write(folder / CONFIG_FILE, json.dumps(config, indent=2, sort_keys=True) + "\n")


def _check_tokenizer(tokenizer: Any) -> None:
    pieces = tokenizer.tokenize(_ONE_PIECE)
    if len(pieces) != 1:
        raise ModelError(
            "The tokenizer of the GGUF file was read wrongly.",
            why=f"'{_ONE_PIECE}' became {pieces}; it is one token, so a wrong tokenizer class was taken.",
            do="Install transformers and gguf in the versions of constraints.txt.",
        )


def _compare(model: Any, tokenizer: Any, folder: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    again = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, use_safetensors=True).eval()
    text = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    ids = tokenizer.encode(_CHECKED_TEXT, add_special_tokens=False)
    error = float((_logits(model, ids) - _logits(again, ids)).abs().max())
    same_ids = text.encode(_CHECKED_TEXT, add_special_tokens=False) == ids
    same_rope = again.config.rope_parameters == model.config.rope_parameters
    if not (error <= _TOLERANCE and same_ids and same_rope):
        raise ModelError(
            "The converted model differs from the GGUF file.",
            why=f"Logit error {error:.1e}, same token ids: {same_ids}, same rotary parameters: {same_rope}.",
            do="Install transformers and gguf in the versions of constraints.txt.",
        )


def _logits(model: Any, ids: list[int]) -> torch.Tensor:
    import torch

    with torch.no_grad():
        logits: torch.Tensor = model(torch.tensor([ids]), use_cache=False).logits
    return logits


def _manifest(folder: Path, spec: ModelSpec) -> dict[str, Any]:
    return {
        "converter_version": CONVERTER_VERSION,
        "gguf_sha256": spec.weights_sha256,
        "folder_digest": folder_digest(folder),
        "licence": spec.licence,
        "note": spec.note,
        "versions": {name: version(name) for name in ("transformers", "gguf", "torch", "safetensors")},
    }
