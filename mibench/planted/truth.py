"""What is known of a planted model, in the form that lies beside its weights."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from mibench.core.sites import Component
from mibench.core.truth import KnownSite, KnownTruth, TaskTruth
from mibench.planted.features import Features, FloatArray
from mibench.planted.logic import Logic, Place


def truth_of(logic: Logic, note: str) -> KnownTruth:
    """Return the truth of every task of a program; the first knows the sites too.

    Args:
        logic: The program.
        note: What a reader of its numbers has to know.
    """
    first, *others = logic.edges
    sites = tuple(site for place in logic.places for site in _sites(place))
    tasks = {logic.name: TaskTruth(edges=logic.edges[first], sites=sites)}
    for name in others:
        tasks[f"{logic.name}-{name.replace('_', '-')}"] = TaskTruth(edges=logic.edges[name])
    return KnownTruth(origin="planted", note=note, tasks=tasks)


def subspaces_of(logic: Logic, features: Features) -> dict[str, FloatArray]:
    """Return orthonormal rows ``[k, d_model]`` for each place of a variable: the differences between its values."""
    return {_name(place): _span(_differences(place, features)) for place in logic.places}


def _sites(place: Place) -> Iterator[KnownSite]:
    """The residual stream after the layer, and what writes the variable there."""
    plain = KnownSite(variable=place.variable, layer=place.layer, position=place.position, subspace=_name(place))
    yield plain
    if place.mlp:
        yield plain.model_copy(update={"component": Component.MLP})
    if place.head is not None:
        yield plain.model_copy(update={"component": Component.HEAD, "head": place.head, "subspace": None})


def _name(place: Place) -> str:
    return f"{place.variable}.L{place.layer}.{place.position}"


def _differences(place: Place, features: Features) -> list[FloatArray]:
    vectors = [features.write({name: 1.0}) for name in place.features]
    return [vector - vectors[-1] for vector in vectors[:-1]] or vectors


def _span(vectors: list[FloatArray]) -> FloatArray:
    """Gram and Schmidt's orthonormal rows; sums are rounded once, so they are the same on every machine."""
    rows: list[FloatArray] = []
    for vector in vectors:
        rest = vector
        for row in rows:
            rest = rest - _dot(rest, row) * row
        rows.append(rest / math.sqrt(_dot(rest, rest)))
    return np.stack(rows)


def _dot(one: FloatArray, other: FloatArray) -> float:
    return math.fsum((one * other).tolist())
