"""The truth of a trained model: edges from its causal graph, sites from its alignment and from swaps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mibench.core.sites import Component
from mibench.core.truth import KnownSite, KnownTruth, TaskTruth
from mibench.siit.alignment import LOGITS, Alignment, place_of
from mibench.siit.probe import Place, Probe
from mibench.tasks.known.programs import task_names

NOTE = (
    "Trained (strict interchange-intervention training), not written: the edges are those that the training asks for, "
    "and an edge into a head stands for its q, k and v together. Sites are those where a swap of the whole site does "
    "what the causal model says, and the residual stream between a node and its readers; directions are not known."
)
_ROWS = 150
"""Rows of each set by which sites are told."""


def truth_of(probe: Probe) -> KnownTruth:
    """Return what is known of a model; the first task knows the sites too."""
    alignment = probe.reader.alignment
    sites = _sites(replace(probe, limit=min(_ROWS, probe.limit)))
    tasks: dict[str, TaskTruth] = {}
    for task, name in task_names(probe.reader.program).items():
        edges = alignment.edges_of(alignment.live_links(probe.rows(name)))
        tasks[task] = TaskTruth(edges=edges, resolution="head", sites=() if tasks else sites)
    return KnownTruth(origin="trained", note=NOTE, tasks=tasks)


def _sites(probe: Probe) -> tuple[KnownSite, ...]:
    found = [site for variable in probe.reader.program.variables for site in _sites_of(probe, variable)]
    return tuple(dict.fromkeys(found))


def _sites_of(probe: Probe, variable: str) -> Iterator[KnownSite]:
    """Where a swap does what the causal model says; what a node of the variable writes there is carried on."""
    alignment = probe.reader.alignment
    for place in probe.places():
        if not probe.swaps(variable, place).holds:
            continue
        yield _site(variable, place)
        if place.node in alignment.nodes[variable]:
            for layer in range(place.layer, _last_read(alignment, variable)):
                yield _site(variable, Place(place.position, layer))


def _site(variable: str, place: Place) -> KnownSite:
    component, head = Component.RESIDUAL_POST, None
    if place.node is not None:
        _, head = place_of(place.node)
        component = Component.MLP if head is None else Component.HEAD
    return KnownSite(variable=variable, component=component, layer=place.layer, head=head, position=place.position.name)


def _last_read(alignment: Alignment, variable: str) -> int:
    """Number of blocks after which nothing reads a variable any more."""
    readers = [end for source, end in alignment.links if source == variable]
    if LOGITS in readers:
        return alignment.graph.n_layers
    return max((place_of(node)[0] for end in readers for node in alignment.nodes[end]), default=0)
