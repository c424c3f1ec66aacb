"""Featurizers of a causal variable: what a method of the causal-variable track hands in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from mibench.artifacts.circuit import brief
from mibench.artifacts.featurizers.checks import check_pipeline, feature_width, kind_of
from mibench.artifacts.featurizers.operation import Operation, refuse
from mibench.artifacts.featurizers.selection import Select, check_range, checked_select
from mibench.core.errors import ArtifactError, DataError
from mibench.core.hashing import array_digest, digest
from mibench.core.sites import Component, Site

MAX_SITES = 4096
_MAX_NAME = 200


@dataclass(frozen=True, eq=False)
class SiteFeaturizer:
    """How one site is featurized, and which features an interchange takes from the source.

    ``x' = F⁻¹(f, e_b)`` with ``f = f_b`` but ``f[S] = f_s[S]``: operations in order, error terms from the base.

    Attributes:
        site: Where.
        operations: Applied in order; the features are those of the last.
        select: ``S``: "all", indices of features, or a bool mask ``[n_features]``. Empty: nothing is swapped.
    """

    site: Site
    operations: tuple[Operation, ...]
    select: Select

    def __post_init__(self) -> None:
        object.__setattr__(self, "operations", tuple(self.operations))
        object.__setattr__(self, "select", checked_select(self.select))

    @property
    def n_parameters(self) -> int:
        """Floating-point numbers in all operations, and entries of a mask or list of features."""
        chosen = 0 if isinstance(self.select, str) else len(self.select)
        return chosen + sum(operation.n_parameters for operation in self.operations)

    @property
    def is_edit(self) -> bool:
        """Whether it changes the activation without a source, which is no interchange."""
        return any(kind_of(operation).edit for operation in self.operations)

    def validate(self, width: int | None = None, *, numbers: bool = True) -> int | None:
        """Check everything that can be checked, and return how many features there are, selected or not.

        Args:
            width: Entries of the site's activation; None: not known.
            numbers: Look at the numbers too, not at names, types and shapes alone.

        Returns:
            None where identities alone do not tell the width.

        Raises:
            ArtifactError: Something is wrong; the site is named.
        """
        try:
            if Site.parse(self.site.name) != self.site:
                raise refuse("It is no place in a network.", "Make it with Site.")
            n_features = check_pipeline(self.operations, width, numbers=numbers)
            if n_features is not None:
                check_range(self.select, n_features)
            if self.is_edit and not isinstance(self.select, str):
                raise refuse("It selects features of an edit.", 'Select "all" there.')
        except (ArtifactError, DataError) as error:
            raise refuse(f"{self.site.name}: {error.why}", error.do) from error
        return n_features

    def n_selected(self, width: int | None = None) -> int | None:
        """How many features are swapped; None where "all" of an unknown width are."""
        if isinstance(self.select, np.ndarray):
            return int(self.select.sum())
        return self.n_features(width) if self.select == "all" else len(self.select)

    def n_features(self, width: int | None = None) -> int | None:
        """How many features there are; None where identities alone do not tell the width."""
        return feature_width(self.operations, width)

    def to_json(self) -> dict[str, Any]:
        """What it is, arrays as digests."""
        operations = [
            {
                "kind": one.kind,
                "options": dict(one.options),
                "tensors": {name: array_digest(array) for name, array in sorted(one.tensors.items())},
            }
            for one in self.operations
        ]
        select: object = self.select
        if isinstance(self.select, np.ndarray):
            select = np.flatnonzero(self.select).tolist()
        elif self.select != "all":
            select = list(self.select)
        return {"site": self.site.name, "operations": operations, "select": select}


@dataclass(frozen=True, eq=False)
class Featurizers:
    """Featurizers of one causal variable in one model.

    Attributes:
        model: The model they are for, always stated: other models have the same shapes.
        task: The task whose causal model has the variable.
        variable: The variable, or several joined by ``+``.
        sites: One entry for each site, kept in the order of sites. A site that is not here is not scored.
        meta: Anything else worth keeping, small, JSON values.
        method: Name of the method that made them; None: unknown.
        params: Its parameters, JSON values.
    """

    model: str
    task: str
    variable: str
    sites: tuple[SiteFeaturizer, ...]
    meta: Mapping[str, Any] = field(default_factory=dict)
    method: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sites", tuple(sorted(self.sites, key=_order)))

    def __getitem__(self, site: Site) -> SiteFeaturizer:
        """The featurizer of ``site``."""
        return self._by_site[site]

    def __contains__(self, site: object) -> bool:
        """Whether ``site`` has a featurizer; one without is not scored."""
        return site in self._by_site

    @cached_property
    def _by_site(self) -> Mapping[Site, SiteFeaturizer]:
        return {one.site: one for one in self.sites}

    @property
    def n_parameters(self) -> int:
        """Numbers that the featurizers of all sites hold, as ``SiteFeaturizer.n_parameters``."""
        return sum(one.n_parameters for one in self.sites)

    @property
    def is_edit(self) -> bool:
        """Whether some site is edited without a source: such are ranked on a board of their own."""
        return any(one.is_edit for one in self.sites)

    @cached_property
    def digest(self) -> str:
        """sha256 of what an intervention does: model, task, variable and sites."""
        sites = [one.to_json() for one in self.sites]
        return digest({"model": self.model, "task": self.task, "variable": self.variable, "sites": sites})

    def validate(self) -> None:
        """Check everything that can be checked without the model.

        Raises:
            ArtifactError: They cannot be used.
        """
        for name in ("model", "task", "variable"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value.strip() or len(value) > _MAX_NAME:
                raise refuse(f"The {name} is {brief(value)}.", f"State the {name} by name.")
        self._check_sites()
        for one in self.sites:
            one.validate()

    def _check_sites(self) -> None:
        if not 1 <= len(self.sites) <= MAX_SITES:
            raise refuse(f"There are {len(self.sites)} sites.", f"Give 1 to {MAX_SITES}.")
        places = [one.site for one in self.sites]
        twice = [first.name for first, second in pairwise(places) if first == second]
        if twice:
            raise refuse(f"{twice[0]} has more than one featurizer.", "Give one for each site.")

    def check_model(self, d_model: int, head_dim: int, n_layers: int, n_heads: int) -> None:
        """Check that the sites are places of a model, and that widths and selections fit there; numbers are not read.

        Args:
            d_model: Width of the residual stream.
            head_dim: Width of a head.
            n_layers: How many layers there are.
            n_heads: How many heads a layer has.

        Raises:
            ArtifactError: A site or a shape does not fit.
        """
        for one in self.sites:
            site = one.site
            if site.layer >= n_layers or (site.head or 0) >= n_heads:
                why = f"{site.name} is not in a model of {n_layers} layers of {n_heads} heads."
                raise refuse(why, "State the model that they were made for.")
            one.validate(head_dim if site.component is Component.HEAD else d_model, numbers=False)


def _order(one: SiteFeaturizer) -> tuple[int, str, str, int]:
    site = one.site
    return site.layer, site.position, site.component, -1 if site.head is None else site.head


Given = Operation | Sequence[Operation] | tuple[Operation | Sequence[Operation], Select]
"""Operations that swap all features, or operations and which features they swap."""


def featurizers_of(sites: Mapping[Any, Given], *, model: str, task: str, variable: str) -> Featurizers:
    """Collect operations by site into checked featurizers.

    Args:
        sites: For each site or its name, the operations (all features are swapped), or ``(operations, select)``.
        model: The model they are for.
        task: The task.
        variable: The variable.

    Raises:
        ArtifactError: They cannot be used.
        DataError: A name is not that of a site.
    """
    made = []
    for place, given in sites.items():
        operations, select = _split(given)
        made.append(SiteFeaturizer(Site.parse(place) if isinstance(place, str) else place, operations, select))
    collected = Featurizers(model, task, variable, tuple(made))
    collected.validate()
    return collected


def _split(given: Given) -> tuple[tuple[Operation, ...], Select]:
    if isinstance(given, Operation):
        return (given,), "all"
    parts: Sequence[Any] = given
    if len(parts) == 2 and not isinstance(parts[1], Operation):
        operations, select = parts
        return _split(operations)[0], checked_select(select)
    if not all(isinstance(part, Operation) for part in parts):
        raise refuse("A site has something that is no operation.", "Give Operation(kind, tensors, options).")
    return tuple(parts), "all"
