"""Read artifacts of each track by their safe readers, and hold them against the manifest and the model's sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mibench.artifacts.dictionaries.checks import check_model
from mibench.artifacts.dictionaries.dictionary import Dictionary
from mibench.artifacts.dictionaries.native import load_native
from mibench.artifacts.featurizers.featurizers import Featurizers
from mibench.artifacts.featurizers.files import load_featurizers
from mibench.artifacts.files import load_scores
from mibench.artifacts.series import CircuitSeries
from mibench.core.errors import ArtifactError, MibenchError
from mibench.core.hook_points import HookPoint
from mibench.core.specs import Track
from mibench.intake.manifest import ArtifactEntry
from mibench.intake.model_sizes import ModelSizes
from mibench.models.catalogue import names_of
from mibench.tasks.sae.dictionary_task import is_generated
from mibench.tasks.variable_task import VARIABLE_TASKS, load_variable_task

_AGREE = "Correct the manifest, or hand in the right file."


def artifact_faults(path: Path, entry: ArtifactEntry, sizes: Mapping[str, ModelSizes]) -> list[MibenchError]:
    """Read the file of an artifact; return everything that is wrong with it.

    Args:
        path: The file.
        entry: What the manifest says of it.
        sizes: Of the models that are known.
    """
    found: list[MibenchError] = []
    try:
        found.extend(_READERS[entry.track](path, entry, sizes))
    except MibenchError as error:
        found.append(error)
    return found


Faults = Iterator[MibenchError]


def _circuit(path: Path, entry: ArtifactEntry, sizes: Mapping[str, ModelSizes]) -> Faults:
    known = _known(entry, sizes)
    if not known:
        return
    _check_amount(path, known)
    scores = load_scores(path, level=entry.level, binary=entry.budget is not None)
    for size in known:
        try:
            scores.check_model(size.graph, size.d_model)
        except ArtifactError as error:
            yield error
    if isinstance(scores, CircuitSeries):
        if entry.budget is not None:
            yield _refused("It has circuits of nine sizes, and a budget is for one.", "Leave out budget.")
        scores.check_budgets()
    elif scores.binary:
        yield from _one_circuit(scores.circuit().weighted_real_edges, scores.graph.n_edges, entry.budget)


def _check_amount(path: Path, sizes: Sequence[ModelSizes]) -> None:
    """Check, before it is parsed, that JSON has no more keys than the model has nodes and edges to speak of."""
    if path.suffix.lower() != ".json":
        return
    largest = max((size.graph for size in sizes), key=lambda graph: graph.n_edges)
    keys, most = path.read_bytes().count(b":"), 4 * (largest.n_edges + largest.n_sources) + 100
    if keys > most:
        why = f"It has about {keys} keys; a graph of {largest.n_edges} edges needs at most {most}."
        raise _refused(why, "Choose the model that was scored.")


def _one_circuit(n_edges: float, total: int, budget: float | None) -> Faults:
    if budget is None:
        do = "State budget: the largest share of the graph's edges that it may have."
        yield _refused("It is one circuit, not a ranking, and the manifest does not say of what size.", do)
    elif not n_edges:
        yield _refused("The circuit is empty once it is pruned.", "Set in_graph of edges that reach the logits.")
    elif n_edges > budget * total * (1 + 1e-9):
        why = f"The circuit has {n_edges:g} edges; its budget of {100 * budget:g} % of {total} is {budget * total:g}."
        yield _refused(why, "Drop edges, or state the budget that it has.")


def _variable(path: Path, entry: ArtifactEntry, sizes: Mapping[str, ModelSizes]) -> Faults:
    found = load_featurizers(path)
    if len(entry.models) != 1 or found.model.casefold() not in names_of(entry.models[0]):
        yield _other("model", found.model, ", ".join(entry.models))
    for what, own, stated in (("task", found.task, entry.tasks), ("variable", found.variable, (entry.variable,))):
        if stated != (own,):
            yield _other(what, own, ", ".join(map(str, stated)))
    for size in _known(entry, sizes):
        graph = size.graph
        try:
            found.check_model(size.d_model, size.head_dim, graph.n_layers, graph.n_heads)
        except ArtifactError as error:
            yield error
    yield from _positions(found)


def _positions(found: Featurizers) -> Faults:
    if found.task not in VARIABLE_TASKS.components:
        return
    known = load_variable_task(found.task).position_names
    odd = sorted({one.site.position for one in found.sites} - set(known))
    if odd:
        why = f"The task {found.task} has no position {', '.join(odd)[:200]}."
        yield _refused(why, f"Its positions are {', '.join(known)}.")


def _sae(path: Path, entry: ArtifactEntry, sizes: Mapping[str, ModelSizes]) -> Faults:
    found = load_native(path)
    own = found.place.model
    if is_generated(own) or all(is_generated(task) for task in entry.tasks):
        if entry.tasks != (own,):
            yield _other("task", own, ", ".join(entry.tasks))
        return
    if len(entry.models) != 1 or own.casefold() not in names_of(entry.models[0]):
        yield _other("model", own or "none", ", ".join(entry.models))
    if found.place.text != entry.hook:
        yield _other("hook", found.place.text, entry.hook or "none")
    for size in _known(entry, sizes):
        yield from _at_place(found, size)


def _at_place(found: Dictionary, size: ModelSizes) -> Faults:
    points = (found.place.hook, found.place.target)
    try:
        for point in dict.fromkeys(points):
            _check_layer(point, size)
        check_model(found, *(size.width(point.kind) for point in points))
    except ArtifactError as error:
        yield error


def _check_layer(point: HookPoint, size: ModelSizes) -> None:
    if point.layer >= size.graph.n_layers:
        why = f"{point.name} is not in a model of {size.graph.n_layers} layers."
        raise _refused(why, "Name the model that it was trained on.")


def _known(entry: ArtifactEntry, sizes: Mapping[str, ModelSizes]) -> list[ModelSizes]:
    return [sizes[name] for name in entry.models if name in sizes]


def _other(what: str, own: str, stated: str) -> ArtifactError:
    return _refused(f"It says that its {what} is {own[:200]}, the manifest says {stated[:200]}.", _AGREE)


def _refused(why: str, do: str) -> ArtifactError:
    return ArtifactError("This artifact cannot be used.", why=why, do=do)


_READERS = {Track.CIRCUIT: _circuit, Track.VARIABLE: _variable, Track.SAE: _sae}
