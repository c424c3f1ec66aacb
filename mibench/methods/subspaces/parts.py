"""Parts of what a group of sites holds: spans of principal components, swapped together in all its sites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mibench.artifacts.featurizers.featurizers import SiteFeaturizer
from mibench.artifacts.featurizers.operation import Operation
from mibench.artifacts.featurizers.selection import Select
from mibench.core.sites import Site
from mibench.engine.featurizers.edit import edit_of
from mibench.engine.interchange.options import Intervention, SiteEdit
from mibench.methods.subspaces.directions import principal, rotation
from mibench.methods.subspaces.samples import samples_of
from mibench.methods.variable_view import VariableView

_IDENTITY = Operation("identity")
Found = dict[Site, tuple[tuple[Operation, ...], Select]]
"""Operations and selected features by site."""


@dataclass(frozen=True)
class Parts:
    """Principal components of the sites of a group, cut into spans.

    Attributes:
        columns: Components by site, ``[width, rank]``, by variance.
        bounds: Where spans end, by site; one list as long as the other.
    """

    columns: Mapping[Site, NDArray[np.float64]]
    bounds: Mapping[Site, tuple[int, ...]]

    @property
    def number(self) -> int:
        """How many spans there are."""
        return max(len(bounds) for bounds in self.bounds.values())

    def union(self, chosen: Sequence[int]) -> Found:
        """Operations of some spans; at a site that has none of them, nothing is selected."""
        found: Found = {}
        for site, columns in self.columns.items():
            starts = (0, *self.bounds[site])
            kept = [range(starts[n], starts[n + 1]) for n in sorted(chosen) if n < len(self.bounds[site])]
            places = [place for span in kept for place in span]
            found[site] = ((rotation(columns[:, places]),), "all") if places else ((_IDENTITY,), ())
        return found


def parts_of(view: VariableView, group: Sequence[Site], number: int) -> Parts:
    """Cut each site's components into at most ``number`` spans, each about as many times as long as the one before."""
    columns = {site: principal(samples.centred, samples.noise)[0] for site, samples in samples_of(view, group)}
    return Parts(columns, {site: bounds_of(found.shape[1], number) for site, found in columns.items()})


def bounds_of(rank: int, number: int) -> tuple[int, ...]:
    """Where at most ``number`` spans of ``rank`` components end, spaced evenly in the logarithm, the first after 1."""
    if not rank:
        return ()
    return tuple(sorted({round(end) for end in np.geomspace(rank, 1, number)}))


def whole(group: Sequence[Site]) -> Found:
    """Operations that swap all that the sites hold."""
    return dict.fromkeys(group, ((_IDENTITY,), "all"))


def intervention(view: VariableView, found: Found) -> Intervention:
    """The intervention that swaps the selected features."""
    model = view.model
    return tuple(
        SiteEdit(site, edit_of(SiteFeaturizer(site, *one), device=model.device, dtype=model.accumulate))
        for site, one in sorted(found.items())
    )
