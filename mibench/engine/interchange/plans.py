"""Interventions as the engine runs them: events in the order of the network."""

from __future__ import annotations

from dataclasses import dataclass

from mibench.core.errors import DataError
from mibench.core.sites import Component, Site
from mibench.engine.interchange.options import Edit, Intervention
from mibench.engine.interchange.reading import Place, Stage
from mibench.engine.model import LanguageModel

_ORDER = (Component.RESIDUAL_PRE, Component.HEAD, Component.MLP, Component.RESIDUAL_POST)


@dataclass(frozen=True)
class Event:
    """One edit of an intervention."""

    place: Place
    site: Site
    edit: Edit


@dataclass(frozen=True)
class Plan:
    """An intervention, ordered.

    Attributes:
        events: Its edits in the order of the network.
        join: Layer from which on the run differs from the plain one.
        late: It edits after the last attention, so that positions other than those of the answers count there.
    """

    events: tuple[Event, ...]
    join: int
    late: bool

    @property
    def positions(self) -> set[str]:
        """Names of the positions that it edits."""
        return {event.site.position for event in self.events}


def plan_of(model: LanguageModel, intervention: Intervention) -> Plan:
    """The plan of an intervention.

    Raises:
        DataError: The model has no such site.
    """
    ordered = sorted(intervention, key=lambda one: (one.site.layer, _ORDER.index(one.site.component)))
    events = tuple(Event(Place.of(one.site), one.site, one.edit) for one in ordered)
    for event in events:
        check_site(model, event.site)
    n_layers = model.anatomy.n_layers
    join = min((event.place.layer for event in events), default=n_layers)
    return Plan(events, join, any(event.place > Place(n_layers - 1, Stage.STREAM) for event in events))


def check_site(model: LanguageModel, site: Site) -> None:
    """Refuse a site that the model does not have."""
    anatomy = model.anatomy
    if site.component is Component.HEAD:
        fits = site.head is not None and 0 <= site.head < anatomy.n_heads
    else:
        fits = site.head is None
    if not (fits and 0 <= site.layer < anatomy.n_layers):
        raise DataError(
            f"This model has no site {site.name}.",
            why=f"It has {anatomy.n_layers} layers and {anatomy.n_heads} heads a layer, counted from 0.",
            do="Give sites of this model.",
        )
