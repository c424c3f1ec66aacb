"""Circuit scores, one file for each task and model: MIB's importances (.json, .pt), or mibench's own."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from mibench.artifacts.circuit import CircuitScores
from mibench.artifacts.files import load_scores
from mibench.artifacts.selection import Selection
from mibench.artifacts.series import BUDGETS, CircuitSeries
from mibench.core.errors import ArtifactError
from mibench.core.specs import Level
from mibench.intake.imports.context import Context, settle_model, settle_task
from mibench.intake.imports.items import Item, Said
from mibench.intake.imports.words import in_names, seed_of

_SEVERAL = re.compile(r"The file scores (?P<levels>.+); read at (?P<read>\w+) level\.")
"""What a reader notes where a file scores more than one level."""


def read(item: Item, context: Context) -> CircuitScores | None:
    """Read a file of circuit scores, and find out what it is for.

    Returns:
        The scores, with the selection that is wanted; None: something has to be asked.

    Raises:
        ArtifactError: It cannot be read.
    """
    path = item.found.paths[0]
    told = context.answers.of("level", item.place) or one_of(in_names(context.names(item), "level"))
    scores = _load(path, told)
    several = next((found for note in scores.notes if (found := _SEVERAL.fullmatch(note))), None)
    if several is not None and told is None:
        told = context.answers.all("level")
        if told is None:
            item.ask(
                "--level",
                f"It scores {several['levels']}.",
                [one.rstrip("s") for one in several["levels"].split(" and ")],
            )
        else:
            scores = _load(path, told)
    if several is None or told is not None:
        item.said["level"] = told or Said(scores.level.value, f"it scores {scores.level.value}s only")
        context.answers.agrees("level", scores.level.value)
    settle_task(item, context)
    settle_model(item, scores, context)
    scores = _selected(item, scores, context)
    item.notes += [note for note in scores.notes if not _SEVERAL.fullmatch(note)]
    if not scores.binary and bool((scores.scores >= 0).all()):
        item.notes.append("No score is negative, so the signed and the absolute ranking are one.")
    note_seed(item, context)
    return compact(scores)


def one_of(found: list[Said]) -> Said | None:
    """The only one, if there is just one."""
    return found[0] if len(found) == 1 else None


def note_seed(item: Item, context: Context) -> None:
    """Note the seed that a name has."""
    seed = seed_of(context.names(item))
    if seed is not None:
        item.said["seed"] = Said(str(seed), "the name")


def budgets_of(series: CircuitSeries) -> Said:
    """The budgets of circuits of nine sizes, and how many edges each has."""
    lines = []
    for ranking in series.circuits:
        sizes = ", ".join(
            f"{100 * one.budget:g} %: {one.circuit.weighted_real_edges:g} edges" for one in series.sized(ranking)
        )
        lines.append(sizes if len(series.circuits) == 1 else f"{ranking}: {sizes}")
    return Said("; ".join(lines), "given circuits, in the order of their sizes")


def compact(scores: CircuitScores) -> CircuitScores:
    """The same scores as float32, where that loses nothing."""
    with np.errstate(over="ignore"):
        narrow = scores.scores.astype(np.float32)
    return replace(scores, scores=narrow) if np.array_equal(narrow, scores.scores) else scores


def _load(path: Path, level: Said | None) -> CircuitScores:
    """A ranking; or the one circuit of a file that ranks nothing."""
    wanted = None if level is None else Level(level.value)
    try:
        return load_scores(path, level=wanted)
    except ArtifactError as error:
        try:
            circuit = load_scores(path, level=wanted, binary=True)
        except ArtifactError:
            raise error from None
        if circuit.in_graph is None or not circuit.in_graph.any():
            raise
        return circuit


def _selected(item: Item, scores: CircuitScores, context: Context) -> CircuitScores:
    if isinstance(scores, CircuitSeries):
        item.said["budgets"] = budgets_of(scores)
        return scores
    if scores.binary:
        share = scores.circuit().weighted_real_edges / scores.graph.n_edges
        budget = next((one for one in (*BUDGETS, 1.0) if share <= one * (1 + 1e-9)), 1.0)
        item.said["budget"] = Said(f"{budget:g}", f"it is one circuit, of {100 * share:.3g} % of the edges")
        return scores
    said = context.answers.of("selection", item.place) or context.answers.all("selection")
    if said is None:
        own = "its file" if scores.selection.rule != "top-n" else "what MIB does; its file says nothing else"
        said = Said(str(scores.selection), own)
        item.said["selection"] = said
        return scores
    item.said["selection"] = said
    chosen = replace(scores, selection=Selection.of(said.value))
    chosen.validate()
    return chosen
