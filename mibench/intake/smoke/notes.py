"""Smoke notes: each artifact on its first cell; what cannot be scored here is said, and is no fault."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mibench.artifacts.dictionaries.native import load_native
from mibench.artifacts.featurizers.files import load_featurizers
from mibench.artifacts.files import load_scores
from mibench.core.errors import MibenchError, ModelError
from mibench.core.specs import Track
from mibench.intake.manifest import ArtifactEntry
from mibench.intake.smoke.circuits import circuit_warning
from mibench.intake.smoke.dictionaries import dictionary_warning, generated_warning
from mibench.intake.smoke.featurizers import featurizer_warning
from mibench.models.catalogue import CATALOGUE
from mibench.runner.cells.workbench import Workbench
from mibench.runner.settings import RunSettings
from mibench.tasks.sae.dictionary_task import is_generated


def smoke_notes(
    artifacts: Mapping[int, tuple[ArtifactEntry, Path]], rows: int, folders: Mapping[str, Path]
) -> list[str]:
    """Score artifacts on a few validation rows, and say what looks wrong; nothing is fetched for it.

    Args:
        artifacts: What the manifest says of each, and its file, by its place in the manifest.
        rows: Rows of each, at most.
        folders: Models on this machine that mibench does not know, by name.
    """
    benches, found = _Benches(folders), []
    for index, (entry, path) in artifacts.items():
        try:
            warned = _warning(entry, path, benches, rows)
        except MibenchError as error:
            warned = f"was not scored on validation rows: {error.what} {error.why}"
        except (RuntimeError, MemoryError) as error:
            why = " ".join(str(error).split())[:200] or "there is not enough memory"
            warned = f"was not scored on validation rows: {why}"
        found += [f"artifacts[{index}] ({entry.path}) {warned}"] if warned else []
    return found


class _Benches:
    """The models of a submission, the last one kept: artifacts of one model mostly follow each other.

    Args:
        folders: Models on this machine that mibench does not know, by name.
    """

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._folders = folders
        self._last: tuple[str, Workbench] | None = None

    def get(self, name: str) -> Workbench:
        """The model called ``name``, loaded.

        Raises:
            ModelError: It is not on this machine, or cannot be used.
        """
        if self._last is None or self._last[0] != name:
            self._last = None
            _check_here(name, self._folders)
            settings = RunSettings.model_validate({})
            ref = str(self._folders.get(name, name))
            self._last = name, Workbench.load(ref, dtype=settings.dtype, device=settings.device, attention=None)
        return self._last[1]


def _check_here(name: str, folders: Mapping[str, Path]) -> None:
    """Refuse a model that would have to be fetched.

    Raises:
        ModelError: It would.
    """
    from huggingface_hub import try_to_load_from_cache

    spec = None if name in folders else CATALOGUE.get(name)
    if spec is None or spec.is_converted:
        return
    if not isinstance(try_to_load_from_cache(spec.hub_id, "config.json", revision=spec.revision), str):
        why = f"{spec.hub_id} is not in the cache of the hub."
        raise ModelError(f"The model {name} is not on this machine.", why=why, do=f"mibench models pull {name}")


def _warning(entry: ArtifactEntry, path: Path, benches: _Benches, rows: int) -> str | None:
    task = entry.tasks[0]
    if entry.track is Track.SAE and is_generated(task):
        return generated_warning(load_native(path), task, rows)
    bench = benches.get(entry.models[0])
    if entry.track is Track.CIRCUIT:
        scores = load_scores(path, level=entry.level, binary=entry.budget is not None)
        return circuit_warning(scores, bench, task, rows)
    if entry.track is Track.VARIABLE:
        return featurizer_warning(load_featurizers(path), bench, task, rows)
    return dictionary_warning(load_native(path), bench, task, rows)
