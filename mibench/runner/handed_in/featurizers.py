"""Artifact files of the variable track: ours, or MIB's triplets; what they say of themselves sets the cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mibench.artifacts.featurizers.featurizers import Featurizers
from mibench.artifacts.featurizers.files import load_featurizers
from mibench.artifacts.featurizers.native import is_native
from mibench.artifacts.formats.mib_featurizers import import_triplets, is_triplets, task_of_triplets
from mibench.artifacts.formats.position_map import check_positions
from mibench.core.errors import ArtifactError, UsageError
from mibench.core.files import is_folder
from mibench.core.sites import Component
from mibench.core.specs import MethodRef
from mibench.models.catalogue import names_of
from mibench.runner.cells.identity import method_ref
from mibench.runner.settings import RunSettings
from mibench.tasks.variable_task import load_variable_task


@dataclass(frozen=True)
class Whose:
    """What is known of an artifact besides its content.

    Attributes:
        method: Name of the method; None: the file's own word, else the file's name.
        version: Version of the method.
        params: Its parameters; empty: the file's own word.
        seed: Its seed.
    """

    method: str | None = None
    version: int | None = None
    params: Mapping[str, object] | None = None
    seed: int | None = None


def is_featurizers(path: Path) -> bool:
    """Whether a file or folder holds featurizers, ours or MIB's; only names and headers are read."""
    return is_native(path) or is_triplets(path)


def read_featurizers(
    path: Path, whose: Whose, settings: RunSettings, positions: Mapping[str, str | None]
) -> tuple[Featurizers, MethodRef]:
    """Read featurizers, and say whose they are.

    Raises:
        UsageError: No such file, or the model is not stated.
        ArtifactError: They cannot be used.
    """
    found = load_featurizers(path) if is_native(path) else _imported(path, settings, positions)
    name = whose.method or found.method or (path.resolve().name if is_folder(path) else path.stem)
    reference = method_ref(
        name=name,
        version=whose.version,
        params=dict(whose.params or found.params),
        seed=whose.seed,
        artifact_digest=found.digest,
    )
    return replace(found, method=name), reference


def _imported(path: Path, settings: RunSettings, positions: Mapping[str, str | None]) -> Featurizers:
    """MIB's featurizers, with what could not be read of them in their notes."""
    known = load_variable_task(task_of_triplets(path)).position_names
    check_positions(positions, known)
    done = import_triplets(path, model=stated_model(settings), position_map=positions, positions=known)
    return replace(done.featurizers, meta={**done.featurizers.meta, "notes": done.report.words()})


def stated_model(settings: RunSettings) -> str:
    """The one model of the settings, which MIB's files do not name for certain.

    Raises:
        UsageError: Several are given.
    """
    if len(settings.model) != 1:
        raise UsageError(
            "State one model for MIB's featurizers.",
            why="Their shapes fit several models, Llama-3.1-8B and its Instruct version among them.",
            do="Give --model once.",
        )
    return settings.model[0]


def check_for(found: Featurizers, model: str, task: str) -> None:
    """Check that featurizers say that they are for a model and a task.

    Raises:
        ArtifactError: They are for others.
    """
    same = {"model": found.model.casefold() in names_of(model), "task": found.task == task}
    for what, own, asked in (("model", found.model, model), ("task", found.task, task)):
        if not same[what]:
            raise ArtifactError(
                f"The featurizers are not for {asked}.",
                why=f"They say that they are for {own}.",
                do=f"Use the {what} {own}, or make them again.",
            )


def ground_of(found: Featurizers, settings: RunSettings) -> RunSettings:
    """The settings of the cell that an artifact is scored in: its positions and component, where nothing is said.

    Raises:
        ArtifactError: It is about several components.
    """
    components = {one.site.component for one in found.sites}
    if len(components) > 1:
        names = ", ".join(sorted(components))
        raise ArtifactError("The featurizers cannot be scored.", why=f"They are about {names}.", do="Split them.")
    (component,) = components
    if settings.variable and found.variable not in settings.variable:
        raise ArtifactError(
            f"The featurizers are not about {', '.join(settings.variable)}.",
            why=f"They say that they are about {found.variable}.",
            do="Leave out --variable.",
        )
    asked = {
        "variable": [found.variable],
        "position": settings.position or sorted({one.site.position for one in found.sites}),
        "component": component,
    }
    if component is Component.HEAD and not settings.heads:
        asked["heads"] = _listed_heads(found)
    return settings.model_copy(update=asked)


def _listed_heads(found: Featurizers) -> list[str]:
    """Heads that go together too: those that the artifact says were listed, all of MIB's, and else none."""
    own = sorted({f"{one.site.layer}.{one.site.head}" for one in found.sites})
    if isinstance(found.meta.get("source"), dict):
        return own
    listed = found.meta.get("heads")
    named = [".".join(map(str, head)) for head in listed if isinstance(head, list)] if isinstance(listed, list) else []
    return [name for name in named if name in own]
