"""Which sites of a cell are intervened on, one by one or together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mibench.core.errors import UsageError
from mibench.core.sites import Component, Site
from mibench.core.specs import VariableRef

Group = tuple[Site, ...]


@dataclass(frozen=True)
class Size:
    """Layers and heads of a model."""

    n_layers: int
    n_heads: int


def groups_of(where: VariableRef, size: Size) -> tuple[Group, ...]:
    """The groups of a cell: one site each, by layer and position, and all listed heads together at the end.

    Raises:
        UsageError: A layer or head that the model does not have.
    """
    layers = range(size.n_layers) if where.layers is None else where.layers
    _check([*layers, *(layer for layer, _ in where.heads)], size.n_layers, "layer")
    if where.component is not Component.HEAD:
        return tuple((Site(layer, name, where.component),) for layer in layers for name in where.positions)
    _check([head for _, head in where.heads], size.n_heads, "head")
    listed = where.heads or tuple((layer, head) for layer in layers for head in range(size.n_heads))
    single = [(Site(layer, name, Component.HEAD, head),) for layer, head in listed for name in where.positions]
    joint = [
        tuple(Site(layer, name, Component.HEAD, head) for layer, head in where.heads)
        for name in where.positions
        if len(where.heads) > 1
    ]
    return (*single, *joint)


def name_of(group: Group) -> str:
    """The names of its sites, joined by `` + ``."""
    return " + ".join(site.name for site in group)


def _check(numbers: Sequence[int], bound: int, what: str) -> None:
    for number in numbers:
        if not 0 <= number < bound:
            raise UsageError(
                f"There is no {what} {number}.",
                why=f"The model has {bound}.",
                do=f"Name {what}s from 0 to {bound - 1}.",
            )
