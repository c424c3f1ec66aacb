"""What a submission in a sandbox needs of this machine: the folders of its models, the package, and its cache."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import mibench
from mibench.models.cache import CACHE_VARIABLE, cache_root, converted_folder
from mibench.models.catalogue import CATALOGUE
from mibench.models.hub import snapshot
from mibench.models.known import known_folder, known_models

_LOCAL_DATA = "MIBENCH_MIB_"
"""How variables begin that name local copies of the hub's data."""
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def model_folder(name: str, folders: Mapping[str, Path]) -> Path:
    """Return the folder of a model, and of all that it links to: it is written or fetched if it is not there.

    Raises:
        ModelError: It cannot be had.
    """
    if name in folders:
        return folders[name]
    if name not in CATALOGUE:
        return known_folder(name)
    spec = CATALOGUE[name]
    if spec.is_converted:
        return converted_folder(spec)
    # A snapshot is links to the blobs of its repository.
    return snapshot(spec.hub_id, spec.revision, gated=spec.gated).parents[1]


def model_folders(names: Iterable[str], folders: Mapping[str, Path]) -> Iterator[Path]:
    """Yield the folders of models that are known here, and that of their digests.

    Raises:
        ModelError: One cannot be had.
    """
    for name in sorted(set(names)):
        if name in folders or name in CATALOGUE or name in known_models():
            yield model_folder(name, folders)
    # Saves the reading of every weight; it cannot be wrong about files that have not changed.
    yield cache_root() / "digests"


def local_copies() -> dict[str, str]:
    """Variables that name local copies of the hub's data."""
    return {name: value for name, value in os.environ.items() if name.startswith(_LOCAL_DATA)}


def surroundings(threads: int) -> dict[str, str]:
    """Variables of a process in a sandbox.

    Args:
        threads: Threads of one operation.
    """
    from huggingface_hub.constants import HF_HUB_CACHE

    places = {CACHE_VARIABLE: str(cache_root().absolute()), "PYTHONPATH": str(Path(mibench.__file__).parents[1])}
    return dict.fromkeys(_THREADS, str(threads)) | local_copies() | places | {"HF_HUB_CACHE": HF_HUB_CACHE}
