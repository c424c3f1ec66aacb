"""The planted models by name, and how their folders are written."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from mibench.core.errors import StoreError
from mibench.core.files import atomic_write, exists, is_folder
from mibench.core.names import unknown
from mibench.core.truth import SUBSPACES_FILE, TRUTH_FILE, KnownTruth, write_truth
from mibench.planted.attention import Positions
from mibench.planted.card import card
from mibench.planted.features import FloatArray
from mibench.planted.gpt2 import N_POSITIONS, gpt2_config, gpt2_tensors
from mibench.planted.gpt2 import POSITIONS as GPT2_POSITIONS
from mibench.planted.levels import LEVELS
from mibench.planted.llama import POSITIONS as LLAMA_POSITIONS
from mibench.planted.llama import llama_config, llama_tensors
from mibench.planted.logic import Logic
from mibench.planted.network import Network, compile_network
from mibench.planted.programs.carry import carry
from mibench.planted.programs.choice import choice
from mibench.planted.programs.induction import induction
from mibench.planted.programs.ioi import ioi
from mibench.planted.programs.lookup import lookup
from mibench.planted.tokenizer import UNKNOWN, tokenizer_files
from mibench.planted.truth import subspaces_of, truth_of

WEIGHTS_FILE = "model.safetensors"
FEATURES_FILE = "features.safetensors"
"""The direction ``[d_model]`` of every feature, by name."""
PROGRAMS: Mapping[str, Callable[..., Logic]] = {
    "planted-induction": induction,
    "planted-ioi": ioi,
    "planted-lookup": lookup,
    "planted-carry": carry,
    "planted-choice": choice,
}


@dataclass(frozen=True)
class _Family:
    title: str
    positions: Positions
    config: Callable[[Network], dict[str, Any]]
    tensors: Callable[[Network], dict[str, FloatArray]]


FAMILIES: Mapping[str, _Family] = {
    "gpt2": _Family("GPT-2", GPT2_POSITIONS, gpt2_config, gpt2_tensors),
    "llama": _Family("Llama", LLAMA_POSITIONS, llama_config, llama_tensors),
}


@dataclass(frozen=True)
class Planted:
    """A planted model.

    Attributes:
        name: ``PROGRAM-FAMILY``, and ``-d1`` to ``-d3`` after it where it is harder.
        note: What it is, in words.
        version: A few hex digits that change with what writes its files.
        program: Name of its program and of its task.
        family: ``gpt2`` or ``llama``.
        difficulty: From 0 to 3.
    """

    name: str
    note: str
    version: str
    program: str
    family: str
    difficulty: int

    @property
    def logic(self) -> Logic:
        """The program, without distractors."""
        logic = PROGRAMS[self.program](steep=LEVELS[self.difficulty].saturated)
        return replace(logic, words=(*logic.words, UNKNOWN))


def _version() -> str:
    """A digest of the code and words that write planted models and what is known of them."""
    package = Path(__file__).parent
    sources = [*sorted(package.rglob("*.py")), *(package.parent / "core" / name for name in ("truth.py", "sites.py"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:8]


def _every() -> Iterator[Planted]:
    version = _version()
    for program, difficulty, family in product(PROGRAMS, range(len(LEVELS)), FAMILIES):
        name = f"{program}-{family}" + (f"-d{difficulty}" if difficulty else "")
        note = f"{program.removeprefix('planted-')}, {LEVELS[difficulty].note}"
        yield Planted(name, note, version, program, family, difficulty)


PLANTED: dict[str, Planted] = {one.name: one for one in _every()}
"""The planted models by name."""


def planted(name: str) -> Planted:
    """Return the planted model of a name.

    Raises:
        UsageError: There is none.
    """
    if name not in PLANTED:
        raise unknown("planted model", name, PLANTED)
    return PLANTED[name]


def network_of(planted: Planted) -> Network:
    """Return the matrices of a planted model."""
    return compile_network(planted.logic, FAMILIES[planted.family].positions, LEVELS[planted.difficulty])


@cache
def planted_digest(planted: Planted) -> str:
    """Return the sha256 of a planted model's weights, as they are written."""
    return hashlib.sha256(_weights(planted, network_of(planted))).hexdigest()


def planted_truth(planted: Planted) -> KnownTruth:
    """Return what is known of a planted model; its weights are not made for that."""
    return truth_of(planted.logic, f"weights written by hand: {planted.note}")


def write_planted(planted: Planted, folder: Path) -> None:
    """Write the folder of a planted model, whole or not at all.

    Raises:
        StoreError: The folder cannot be written, or holds something already.
    """
    if exists(folder) and not _is_empty(folder):
        raise StoreError(f"{folder} was not written.", why="There is something there.", do="Name another folder.")
    temporary = folder.parent / f".{folder.name}.{secrets.token_hex(6)}.tmp"
    try:
        temporary.mkdir(parents=True)
        _fill(planted, temporary)
        _put(temporary, folder)
    except OSError as error:
        raise StoreError(
            f"{folder} could not be written.",
            why=f"{error.strerror or error}",
            do="Free space, or name another folder.",
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _is_empty(folder: Path) -> bool:
    return is_folder(folder) and not any(folder.iterdir())


def _put(temporary: Path, folder: Path) -> None:
    try:
        temporary.rename(folder)
    except OSError:
        # Another process may have written the same files since.
        if not (folder / TRUTH_FILE).is_file():
            raise


def _fill(planted: Planted, folder: Path) -> None:
    family, logic, network = FAMILIES[planted.family], planted.logic, network_of(planted)
    config = family.config(network) | {
        "vocab_size": len(logic.words),
        "bos_token_id": 0,
        "eos_token_id": None,
        "pad_token_id": None,
        "tie_word_embeddings": False,
        "dtype": "float32",
    }
    atomic_write(folder / "config.json", json.dumps(config, indent=2, sort_keys=True) + "\n")
    atomic_write(folder / WEIGHTS_FILE, _weights(planted, network))
    for name, text in tokenizer_files(logic.words, longest=N_POSITIONS).items():
        atomic_write(folder / name, text)
    atomic_write(folder / SUBSPACES_FILE, save(_single(subspaces_of(logic, network.features))))
    atomic_write(folder / FEATURES_FILE, save(_single(network.features.directions)))
    atomic_write(folder / "README.md", card(planted.name, logic, LEVELS[planted.difficulty], family.title))
    write_truth(folder, planted_truth(planted))


def _weights(planted: Planted, network: Network) -> bytes:
    tensors = _single(FAMILIES[planted.family].tensors(network))
    return bytes(save(tensors, metadata={"format": "pt"}))


def _single(tensors: Mapping[str, FloatArray]) -> dict[str, NDArray[np.float32]]:
    return {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in tensors.items()}
