"""Fitting site by site: one that cannot be fitted is left out, and said so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mibench.artifacts.featurizers.featurizers import Featurizers
from mibench.artifacts.featurizers.operation import Operation
from mibench.core.errors import MethodError
from mibench.core.sites import Site
from mibench.methods.subspaces.samples import Samples, samples_of
from mibench.methods.variable_view import VariableView


class Unfit(Exception):  # noqa: N818 - no error, but news of one site
    """Why a site cannot be fitted."""


@dataclass(frozen=True)
class Fit:
    """What is found at one site.

    Attributes:
        operations: To its features, all of which are selected.
        k: Number of features.
        notes: What else is worth keeping, by name.
    """

    operations: tuple[Operation, ...]
    k: int
    notes: Mapping[str, Any] = field(default_factory=dict)


def fit_sites(view: VariableView, fit: Callable[[Site, Samples], Fit]) -> Featurizers:
    """Fit each site to its training samples; the artifact's meta has ``k``, notes and ``left_out`` by site.

    Raises:
        MethodError: No site can be fitted.
    """
    found: dict[Site, Fit] = {}
    left_out: dict[str, str] = {}
    sites = view.sites
    for done, (site, samples) in enumerate(samples_of(view, sites), 1):
        try:
            found[site] = fit(site, samples)
        except Unfit as reason:
            left_out[site.name] = str(reason)
        view.progress(done, len(sites))
    if not found:
        name, why = next(iter(left_out.items()))
        raise MethodError("No site can be fitted.", why=f"{name}: {why}.", do="Give more or other training rows.")
    return view.featurizers({site: (one.operations, "all") for site, one in found.items()}, **_meta(found, left_out))


def _meta(found: Mapping[Site, Fit], left_out: Mapping[str, str]) -> dict[str, Any]:
    notes: dict[str, Any] = {"k": {site.name: one.k for site, one in found.items()}}
    for site, one in found.items():
        for name, value in one.notes.items():
            notes.setdefault(name, {})[site.name] = value
    return notes | ({"left_out": dict(left_out)} if left_out else {})
