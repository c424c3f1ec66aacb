"""Site search by optimal transport, after PLOT."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from mibench.artifacts.featurizers.featurizers import Featurizers
from mibench.core.sites import Site
from mibench.methods.method import method
from mibench.methods.subspaces.effects import Effects, Transport, coupled, effects_of
from mibench.methods.subspaces.parts import Found, Parts, intervention, parts_of, whole
from mibench.methods.variable_view import VariableView

Group = Sequence[Site]
Strength = Annotated[float, Field(ge=1e-3, le=1e6)]


@method(track="variable", name="plot", version=1, needs=("train", "validation"), levels=())
def plot(
    view: VariableView,
    *,
    sites: Annotated[int, Field(ge=1)] = 3,
    parts: Annotated[int, Field(ge=0, le=64)] = 6,
    epsilon: Strength = 0.1,
    balance: Strength = 0.1,
) -> Featurizers:
    """Find the sites whose swap does to the outputs what the variable's interchange should do, without training.

    A signature has a number for each training row: the probability of the label (linear targets: the contrast).
    Three are known from the causal model: of the interchange on the variable, of no interchange, and of one on
    everything. Entropic optimal transport couples them with the signatures of full-vector swaps at every group of
    sites; the cost is the mean squared difference over that between the first two. The three have equal mass, and
    groups nearly so: one that is like none of the three gets less. Groups are ranked by what they get of the variable's
    mass. The best ``sites`` groups are then cut into spans of principal components, whose swaps are coupled and ranked
    in the same way; of the unions of a group's best spans, and the whole, the one that scores best on validation is
    handed in, the smallest of equals. Other sites are left out, and so not scored. ``mass`` in the artifact's meta is
    by group, best first.

    What differs from the paper: it couples all variables of the causal model at once, with layers first and positions
    next, swaps several sites at once, weighted by their mass, or trains DAS there. Here a cell knows one variable, the
    two references stand for the others, layers and positions are ranked together, and a swap is all or nothing. The
    paper's figures are not to be expected. Cost: a forward pass a group and training row, ``parts`` passes a chosen
    group and training row, ``parts`` + 1 a chosen group and validation row, and an SVD a chosen site. Source: Datla,
    Chang, Goldfeld (2026), arXiv 2605.06979.

    Args:
        view: The cell's view.
        sites: Groups of sites to hand in; a site that is in several keeps what the first ranked group gave it.
        parts: Spans of principal components a group, each longer than the one before; 0: groups are swapped whole.
        epsilon: Strength of the entropy; the variable's own effect has cost 1.
        balance: Price at which groups have unequal mass; large: all have the same, however little they are alike.
    """
    effects, transport = effects_of(view), Transport(epsilon, balance)
    ranked = coupled(view, effects, [intervention(view, whole(group)) for group in view.groups], transport)
    chosen = [view.groups[place] for place in ranked.order[:sites]]
    handles = [whole(group) for group in chosen]
    if parts:
        handles = _refined(view, effects, [parts_of(view, group, parts) for group in chosen], transport)
    found: Found = {}
    for handle in handles:
        found = handle | found
    mass = [[_name(view.groups[place]), float(ranked.mass[place])] for place in ranked.order]
    return view.featurizers(found, mass=mass)


def _refined(view: VariableView, effects: Effects, groups: Sequence[Parts], transport: Transport) -> list[Found]:
    """For each group, the union of its best spans that scores best on validation."""
    spans = [(place, span) for place, parts in enumerate(groups) for span in range(parts.number)]
    swaps = [intervention(view, groups[place].union([span])) for place, span in spans]
    order = coupled(view, effects, swaps, transport).order if spans else []
    handles = []
    for place, parts in enumerate(groups):
        best = [spans[one][1] for one in order if spans[one][0] == place]
        unions = [parts.union(best[: n + 1]) for n in range(len(best))]
        handles.append(_best(view, [*unions, whole(list(parts.columns))]))
    return handles


def _best(view: VariableView, handles: Sequence[Found]) -> Found:
    scores = view.evaluate([intervention(view, handle) for handle in handles])
    return handles[int(scores.argmax())]


def _name(group: Group) -> str:
    return " + ".join(site.name for site in group)
