"""A published TransformerLens folder to one in transformers format, with a manifest of what it was made from."""

from __future__ import annotations

import json
import re
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mibench.core.errors import ModelError
from mibench.core.files import atomic_write, existing_file
from mibench.core.hashing import file_digest
from mibench.core.truth import KnownTruth, TaskTruth, write_truth
from mibench.models.catalogue import ModelSpec, TransformerLensFiles
from mibench.models.convert import MANIFEST_FILE
from mibench.models.digest import TOKENIZER_FILES, folder_digest
from mibench.models.interpbench.config import LensConfig, lens_config
from mibench.models.interpbench.convert import write_gpt2
from mibench.models.interpbench.graph_truth import GRAPH_FILE, graph_size, truth_edges
from mibench.models.interpbench.pickle_fields import pickled_fields
from mibench.models.interpbench.state import read_weights

LENS_CONVERTER_VERSION = 1
TASKS = ("mib/ioi", "ioi")
"""Tasks of which the published circuit is the truth."""
VOCABULARY = (*TOKENIZER_FILES, "tokenizer_config.json", "special_tokens_map.json")
_MAX_VOCABULARY_BYTES = 64 * 1024 * 1024
_COMMIT = re.compile(r"[0-9a-f]{40}")


def convert_lens(source: Path, folder: Path, spec: ModelSpec, files: TransformerLensFiles, *, vocabulary: Path) -> None:
    """Write the model in ``source`` to ``folder`` in transformers format, with its tokenizer and its true circuit.

    Args:
        source: A folder with ``files`` and MIB's graph file; nothing in it is run.
        folder: An empty folder.
        spec: Catalogue entry of the model.
        files: Where its parts are in ``source``.
        vocabulary: Folder with the tokenizer's files; without any the model takes token ids only.

    Raises:
        UsageError: A file is missing.
        ModelError: A file is not what it should be, or no GPT-2 gives the same logits.
        StoreError: The folder cannot be written.
    """
    places = {"config": files.config, "weights": files.weights, "graph": GRAPH_FILE}
    paths = {role: existing_file(source / place) for role, place in places.items()}
    digests = {role: file_digest(path) for role, path in paths.items()}
    _check_digest(spec, digests["weights"])
    config = lens_config(pickled_fields(paths["config"]))
    _check_sizes(spec, config, graph_size(source))
    edges = truth_edges(source)
    write_gpt2(config, read_weights(paths["weights"], config), folder)
    shutil.copyfile(paths["graph"], folder / GRAPH_FILE)
    write_truth(folder, _truth(edges))
    kept = _copy_vocabulary(vocabulary, folder)
    manifest = {
        "converter_version": LENS_CONVERTER_VERSION,
        "source_commit": _commit(source),
        "source_sha256": digests,
        "tokenizer_commit": _commit(vocabulary) if kept else None,
        "tokenizer_files": kept,
        "true_edges": len(edges),
        "folder_digest": folder_digest(folder),
        "licence": spec.licence,
        "note": spec.note,
        "versions": {name: version(name) for name in ("transformers", "torch", "safetensors")},
    }
    atomic_write(folder / MANIFEST_FILE, json.dumps(manifest, indent=2, sort_keys=True) + "\n")


def _truth(edges: tuple[str, ...]) -> KnownTruth:
    """The published circuit; models of InterpBench are trained by head, whatever slot the file names."""
    known = TaskTruth(edges=edges, resolution="head")
    note = "the circuit that InterpBench's model was trained to have, by head"
    return KnownTruth(origin="published", note=note, tasks=dict.fromkeys(TASKS, known))


def read_lens_manifest(folder: Path, spec: ModelSpec) -> dict[str, Any] | None:
    """Return the manifest of a converted folder, or None where it is not a conversion of ``spec``."""
    try:
        manifest = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("folder_digest"), str):
        return None
    sources = manifest.get("source_sha256")
    weights = sources.get("weights") if isinstance(sources, dict) else None
    pinned = spec.weights_sha256 in (None, weights)
    return manifest if pinned and manifest.get("converter_version") == LENS_CONVERTER_VERSION else None


def _check_digest(spec: ModelSpec, found: str) -> None:
    if spec.weights_sha256 not in (None, found):
        raise ModelError(
            f"This is not the pinned weights file of {spec.name}.",
            why=f"Its sha256 is {found}; {spec.weights_sha256} is wanted.",
            do=f"Take it from {spec.hub_id} on the hub.",
        )


def _check_sizes(spec: ModelSpec, config: LensConfig, graph: tuple[int, int]) -> None:
    found = (config.n_layers, config.n_heads, config.d_model)
    if found != (spec.n_layers, spec.n_heads, spec.d_model) or graph != found[:2]:
        raise ModelError(
            f"This is not {spec.name}.",
            why=f"Its layers, heads and width are {found[0]}, {found[1]} and {found[2]}, layers and heads of its graph "
            f"{graph[0]} and {graph[1]}; the catalogue says {spec.n_layers}, {spec.n_heads} and {spec.d_model}.",
            do=f"Take the files from {spec.hub_id} on the hub.",
        )


def _copy_vocabulary(source: Path, folder: Path) -> list[str]:
    found = [source / name for name in VOCABULARY if (source / name).is_file()]
    for path in found:
        if path.stat().st_size > _MAX_VOCABULARY_BYTES:
            raise ModelError(
                f"{path.name} is no tokenizer of this model.",
                why=f"It has {path.stat().st_size} bytes; the limit is {_MAX_VOCABULARY_BYTES}.",
                do="Take the tokenizer of GPT-2.",
            )
        shutil.copyfile(path, folder / path.name)
    return [path.name for path in found]


def _commit(folder: Path) -> str | None:
    """The commit of a hub snapshot, which its folder is named after."""
    return folder.name if _COMMIT.fullmatch(folder.name) else None
