"""What readers of layouts share: the source, the user's answers, and which models an artifact's sizes fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from mibench.artifacts.circuit import CircuitScores
from mibench.core.errors import ArtifactError, MibenchError
from mibench.intake.imports.items import Answers, Item, Said, settle
from mibench.intake.imports.words import in_names
from mibench.intake.model_sizes import ModelSizes, model_sizes
from mibench.models.catalogue import CATALOGUE


@dataclass(frozen=True)
class Context:
    """What is read, and what is said of it.

    Attributes:
        root: The source's folder.
        name: The source's name.
        answers: What the user says.
        folders: Models on this machine that no list has, by name.
        work: An empty folder for copies.
    """

    root: Path
    name: str
    answers: Answers
    work: Path
    folders: Mapping[str, Path] = field(default_factory=dict)

    def names(self, item: Item) -> str:
        """The names that a task or model may be told from: the source's, and those of folders and files in it."""
        return self.name if item.place == "." else f"{self.name}/{item.place}"


def settle_task(item: Item, context: Context) -> str | None:
    """Decide the task of circuits by the names of their folders."""
    own = in_names(context.names(item), "task")
    why = "Its names can mean several." if own else "No name in its path is a task's."
    return settle(item, "task", context.answers, own, why)


def settle_model(item: Item, scores: CircuitScores, context: Context) -> str | None:
    """Decide the model of circuits by the names of their folders and by their sizes."""
    named = in_names(context.names(item), "model")
    sizes = f"{scores.graph.n_layers} layers of {scores.graph.n_heads} heads"
    fitting = [
        Said(one.value, f"{one.source}; its sizes agree") for one in named if fits(one.value, scores, context.folders)
    ]
    if named:
        why = "Its names can mean several." if fitting else f"Its name says {named[0].value}; its sizes are {sizes}."
    else:
        models = [*CATALOGUE, *context.folders]
        fitting = [
            Said(name, f"its sizes, {sizes}, are of no other known model")
            for name in models
            if fits(name, scores, context.folders)
        ]
        why = f"No name in its path is a model's, and {len(fitting)} known models have its sizes, {sizes}."
    return settle(item, "model", context.answers, fitting, why)


def fits(name: str, scores: CircuitScores, folders: Mapping[str, Path]) -> bool:
    """Whether circuits can be of a model, by its sizes."""
    size = sizes_of(name, folders)
    if size is None:
        return False
    try:
        scores.check_model(size.graph, size.d_model)
    except ArtifactError:
        return False
    return True


def sizes_of(name: str, folders: Mapping[str, Path]) -> ModelSizes | None:
    """Sizes of a model; None: nothing is known of it."""
    if name in folders:
        try:
            return model_sizes(name, folders)
        except MibenchError:
            return None
    return _known(name)


@cache
def _known(name: str) -> ModelSizes | None:
    try:
        return model_sizes(name, {})
    except MibenchError:
        return None
