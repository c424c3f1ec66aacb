"""A trained model as a folder that transformers loads, with what is known of it."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.torch import save

from mibench.core.files import atomic_write
from mibench.core.hashing import file_digest
from mibench.core.truth import write_truth
from mibench.planted.tokenizer import tokenizer_files
from mibench.siit.card import Made, card
from mibench.siit.check import check
from mibench.siit.findings import Findings
from mibench.siit.network import Network
from mibench.siit.probe import Probe
from mibench.siit.recipes import Recipe
from mibench.siit.truth import truth_of

WEIGHTS_FILE = "model.safetensors"
DIGESTS_FILE = "digests.json"


def write_model(folder: Path, recipe: Recipe, network: Network) -> None:
    """Write configuration, tokenizer and weights.

    Raises:
        StoreError: A file cannot be written.
    """
    files = tokenizer_files(recipe.vocabulary, longest=recipe.sizes.n_positions)
    for name, text in files.items():
        atomic_write(folder / name, text)
    atomic_write(folder / "config.json", json.dumps(recipe.sizes.config, indent=2, sort_keys=True) + "\n")
    tensors = {name: tensor.detach().contiguous() for name, tensor in network.weights.items()}
    atomic_write(folder / WEIGHTS_FILE, save(tensors, {"format": "pt"}))


def write_knowledge(folder: Path, recipe: Recipe, made: Made) -> Findings:
    """Check a model that is there, and write its truth and its card.

    Raises:
        ModelError: It cannot be loaded.
        StoreError: A file cannot be written.
    """
    probe = Probe.of(folder, recipe.reader)
    findings, truth = check(probe), truth_of(probe)
    write_truth(folder, truth)
    atomic_write(folder / "README.md", card(recipe, truth, made, findings))
    return findings


def write_digests(folder: Path) -> None:
    """Write the digests of all files in a folder's model folders.

    Raises:
        StoreError: The file cannot be written.
    """
    files = sorted(path for path in folder.glob("*/*") if path.is_file() and not path.name.startswith("."))
    found = {path.relative_to(folder).as_posix(): file_digest(path) for path in files}
    atomic_write(folder / DIGESTS_FILE, json.dumps({"sha256": found}, indent=2) + "\n")
