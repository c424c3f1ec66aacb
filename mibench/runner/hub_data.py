"""Which data set of the hub a task reads, and whether it is on this machine."""

from __future__ import annotations

import importlib
import os
from functools import cache
from pathlib import Path

from mibench.core.specs import Track
from mibench.tasks.load import REGISTRY
from mibench.tasks.mib.hub import HubData
from mibench.tasks.variable_task import VARIABLE_TASKS

_REGISTRIES = {Track.CIRCUIT: REGISTRY, Track.VARIABLE: VARIABLE_TASKS}


@cache
def hub_data(task: str, track: Track) -> HubData | None:
    """The data set that a task reads from the hub; None where it needs none."""
    registry = _REGISTRIES.get(track)
    if registry is None or task not in registry.components:
        return None
    module = importlib.import_module(registry.components[task].module)
    found = getattr(module, "DATA", None)
    return found if isinstance(found, HubData) else None


def data_is_here(data: HubData) -> bool:
    """Whether a data set can be read without a network, as far as its folders tell."""
    if os.environ.get(data.local_copy):
        return True
    return any(_holds_files(root / name) for root, name in _places(data.hub_id))


def _holds_files(folder: Path) -> bool:
    """Whether something was fetched into a folder; an attempt that failed leaves locks and empty folders."""
    return any(path.is_file() and path.suffix not in {".lock", ".incomplete"} for path in folder.rglob("*"))


def _places(hub_id: str) -> list[tuple[Path, str]]:
    """Where the libraries keep what was fetched: prepared rows, and files as they are on the hub."""
    from huggingface_hub import constants

    prepared = os.environ.get("HF_DATASETS_CACHE") or str(Path(constants.HF_HOME) / "datasets")
    return [
        (Path(prepared), hub_id.replace("/", "___")),
        (Path(constants.HF_HUB_CACHE), f"datasets--{hub_id.replace('/', '--')}"),
    ]
