"""Train featurizers for all sites of a cell, and choose between ways of training on validation rows."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from mibench.artifacts.featurizers.featurizers import Featurizers, SiteFeaturizer
from mibench.core.errors import DataError, MethodError
from mibench.core.sites import Site
from mibench.engine.featurizers.edit import edit_of
from mibench.engine.interchange.options import Intervention, SiteEdit
from mibench.methods.alignment.fitting import Clock, Fitted, Recipe, fit
from mibench.methods.alignment.site_map import Exported
from mibench.methods.variable_view import VariableView

Group = tuple[Site, ...]


def trained_groups(groups: Sequence[Group]) -> list[Group]:
    """The groups without those that lie within another: a site has one featurizer, trained in the largest group.

    Raises:
        MethodError: Two of those that are left share a site.
    """
    sets = [frozenset(group) for group in groups]
    largest = [one for one in dict.fromkeys(groups) if not any(frozenset(one) < other for other in sets)]
    places = [site for group in largest for site in group]
    if len(set(places)) < len(places):
        raise MethodError(
            "A site is in two groups, neither of which is within the other.",
            why="It would be trained twice, and has one featurizer.",
            do="Give groups that share no site, or of which one holds the other.",
        )
    return largest


def align(view: VariableView, recipes: Sequence[Recipe], **meta: Any) -> Featurizers:
    """Train each group of sites once a recipe; with several, keep what is best on the validation rows.

    Equals go to the one that swaps fewer features, then to the earlier one.

    Args:
        view: The view.
        recipes: At least one.
        **meta: Kept with the artifact, beside a log by group.
    """
    groups = trained_groups(view.groups)
    _read_sources(view, validation=len(recipes) > 1)
    rows = sum(recipe.training.epochs for recipe in recipes) * len(view.train)
    clock = Clock(view.progress, len(groups) * rows)
    found: dict[Site, Exported] = {}
    log = {}
    for group in groups:
        fitted = [fit(view, group, recipe, clock) for recipe in recipes]
        exported = [{site: one.exported() for site, one in each.maps.items()} for each in fitted]
        place, candidates = _choose(view, exported)
        found |= exported[place]
        log[" + ".join(site.name for site in group)] = _entry(fitted[place], place, candidates)
    return view.featurizers(found, log=log, **meta)


def _read_sources(view: VariableView, *, validation: bool) -> None:
    """Read the sources of all sites in one pass; without this there would be one for each group."""
    for runs in (view.interchanges("train"), *([view.interchanges("validation")] if validation else [])):
        with suppress(DataError):  # what is read is kept even where it does not make one tensor
            runs.sources(view.sites)


def _entry(fitted: Fitted, place: int, candidates: list[dict[str, Any]]) -> dict[str, Any]:
    entry: dict[str, Any] = {"loss": fitted.log}
    return entry | ({"chosen": place, "candidates": candidates} if len(candidates) > 1 else {})


def _choose(view: VariableView, exported: Sequence[dict[Site, Exported]]) -> tuple[int, list[dict[str, Any]]]:
    """Place of the best candidate, and the validation score and number of swapped features of each."""
    if len(exported) == 1:
        return 0, []
    made = [[SiteFeaturizer(site, *what) for site, what in each.items()] for each in exported]
    scores = view.evaluate([_intervention(view, each) for each in made]).tolist()
    features = [sum(one.n_selected(view.width(one.site)) or 0 for one in each) for each in made]
    place = max(range(len(made)), key=lambda one: (scores[one], -features[one], -one))
    return place, [{"score": score, "features": count} for score, count in zip(scores, features, strict=True)]


def _intervention(view: VariableView, featurizers: Sequence[SiteFeaturizer]) -> Intervention:
    device, dtype = view.model.device, view.model.accumulate
    return tuple(SiteEdit(one.site, edit_of(one, device=device, dtype=dtype)) for one in featurizers)
