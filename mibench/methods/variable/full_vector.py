"""Full-vector patching: the whole activation is replaced."""

from __future__ import annotations

from mibench.artifacts.featurizers.featurizers import Featurizers
from mibench.artifacts.featurizers.operation import Operation
from mibench.methods.method import method
from mibench.methods.variable_view import VariableView


@method(track="variable", name="full-vector", version=1, needs=(), levels=())
def full_vector(view: VariableView) -> Featurizers:
    """Replace all that a site holds by what it holds on the source: x' = x_source.

    The ceiling of what a site can carry, and no localisation inside it: after the last layer, at the last token, it
    copies the source's answer whatever the variable. Cost: none. Source: interchange interventions of Geiger et al.
    (2021), arXiv 2106.02997; the Full Vector row of MIB (Mueller et al. 2025), arXiv 2504.13151.
    """
    return view.featurizers({site: ((Operation("identity"),), "all") for site in view.sites})
