"""What a checkpoint folder holds, as one digest: configuration, weights and tokenizer."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

from mibench.core.errors import MibenchError, ModelError
from mibench.core.files import atomic_write, read_text
from mibench.core.hashing import canonical_json, digest, file_digest
from mibench.core.truth import TRUTH_FILE
from mibench.models.cache import cache_root

CONFIG_FILE = "config.json"
INDEX_FILE = "model.safetensors.index.json"
VOCABULARY_FILES = ("vocab.json", "merges.txt", "tokenizer.model")
TOKENIZER_FILES = ("tokenizer.json", *VOCABULARY_FILES)

_VOLATILE_KEYS = frozenset({"transformers_version", "_name_or_path", "use_cache", "dtype", "torch_dtype"})
"""Keys that change nothing: the stored dtype shows in the weights, the loaded one is named elsewhere."""
_MAX_CONFIG_BYTES = 64 * 1024 * 1024


def read_config(folder: Path) -> dict[str, Any]:
    """Return ``config.json`` of a checkpoint folder.

    Raises:
        ModelError: There is none, or it is not a JSON object.
    """
    return _read_object(folder / CONFIG_FILE)


def weight_files(folder: Path) -> list[Path]:
    """Return the safetensors files of a checkpoint folder, sorted by name.

    Raises:
        ModelError: There is none, or the folder's index names a file that is not there.
    """
    found = sorted(path for path in folder.glob("*.safetensors") if path.is_file())
    if not found:
        raise _no_weights(folder)
    index = folder / INDEX_FILE
    if index.is_file():
        weight_map = _read_object(index).get("weight_map")
        named = {str(name) for name in weight_map.values()} if isinstance(weight_map, dict) else set()
        missing = sorted(named - {path.name for path in found})
        if missing or not named:
            raise ModelError(
                f"The checkpoint {folder} is not complete.",
                why=f"{INDEX_FILE} names {', '.join(missing[:3]) or 'no file'}, not in the folder.",
                do="Copy or download the folder again.",
            )
    return found


def folder_digest(folder: Path) -> str:
    """Return the digest of a checkpoint folder's configuration, weights and vocabulary.

    It is the same for equal content wherever the folder lies; the names of weight files count, since a
    checkpoint that was split anew is a new file set. What is known of the mechanism counts where it is there: numbers
    depend on it.
    """
    config = {key: value for key, value in read_config(folder).items() if key not in _VOLATILE_KEYS}
    files = [*weight_files(folder), *_vocabulary(folder), *_truth(folder)]
    return digest({"config": config, "files": {path.name: cached_file_digest(path) for path in files}})


def cached_file_digest(path: Path) -> str:
    """Return the sha256 of a file; one that was read before with the same size and time is not read again."""
    real = path.resolve()
    stat = real.stat()
    stamp = [str(real), stat.st_size, stat.st_mtime_ns]
    entry = cache_root() / "digests" / f"{hashlib.sha256(canonical_json(stamp)).hexdigest()[:32]}.json"
    known = _known_digest(entry)
    if known is not None:
        return known
    found = file_digest(real)
    with contextlib.suppress(MibenchError):
        atomic_write(entry, canonical_json({"file": stamp, "sha256": found}))
    return found


def _known_digest(entry: Path) -> str | None:
    try:
        value = json.loads(entry.read_text(encoding="utf-8"))["sha256"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return value if isinstance(value, str) and len(value) == 64 else None


def _truth(folder: Path) -> list[Path]:
    return [folder / name for name in (TRUTH_FILE,) if (folder / name).is_file()]


def _vocabulary(folder: Path) -> list[Path]:
    whole = folder / "tokenizer.json"
    if whole.is_file():
        return [whole]
    return [folder / name for name in VOCABULARY_FILES if (folder / name).is_file()]


def _read_object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(read_text(path, max_bytes=_MAX_CONFIG_BYTES), parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not JSON.", why=str(error), do="Restore or download the file.") from error
    if not isinstance(value, dict):
        raise ModelError(f"{path} is not a JSON object.", why=f"It holds a {type(value).__name__}.", do="Restore it.")
    return value


def _no_weights(folder: Path) -> ModelError:
    pickled = sorted(path.name for path in folder.glob("*.bin")) + sorted(path.name for path in folder.glob("*.pt*"))
    if pickled:
        return ModelError(
            f"The weights in {folder} are not read.",
            why=f"{pickled[0]} is a pickle, which can run code when read; only safetensors are loaded.",
            do="Load it where you trust it and call model.save_pretrained(FOLDER): that writes safetensors.",
        )
    return ModelError(
        f"{folder} has no weights.",
        why="There is no *.safetensors file in it.",
        do="Give a folder written by model.save_pretrained(FOLDER).",
    )
