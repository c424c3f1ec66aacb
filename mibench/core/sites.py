"""Where an intervention acts: a component of a layer, at the tokens that a position selector names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from mibench.core.errors import DataError


class Component(StrEnum):
    """What is read and replaced at a site."""

    RESIDUAL_PRE = "residual-pre"
    """The residual stream before a block, ``d_model`` wide."""
    RESIDUAL_POST = "residual-post"
    """The residual stream after a block, ``d_model`` wide (MIB's ResidualStream)."""
    HEAD = "head"
    """What one attention head hands to the output projection, ``head_dim`` wide (MIB's AttentionHead)."""
    MLP = "mlp"
    """What the MLP adds to the residual stream, ``d_model`` wide."""


_PLACE = r"(?P<component>[a-z-]+)\.L(?P<layer>\d{1,4})(?:\.H(?P<head>\d{1,4}))?"
_NAME = re.compile(_PLACE + r"@(?P<position>[A-Za-z0-9_.+-]{1,100})")


@dataclass(frozen=True, order=True)
class Site:
    """One place in a network, for every example.

    Attributes:
        layer: Which block, from 0.
        position: Name of the task's position selector.
        component: What is replaced.
        head: Which head, for the component ``head``; else None.
    """

    layer: int
    position: str
    component: Component = Component.RESIDUAL_POST
    head: int | None = None

    @property
    def name(self) -> str:
        """Such as ``residual-post.L12@last`` or ``head.L7.H3@all``."""
        head = "" if self.head is None else f".H{self.head}"
        return f"{self.component}.L{self.layer}{head}@{self.position}"

    @classmethod
    def parse(cls, name: str) -> Site:
        """Read a site's name.

        Raises:
            DataError: It is no such name, or names a head where there is none.
        """
        found = _NAME.fullmatch(name)
        known = found is not None and found["component"] in set(Component)
        if found is None or not known or (found["component"] == Component.HEAD) != (found["head"] is not None):
            raise DataError(
                f"'{name[:200]}' is not the name of a site.",
                why=f"It is written component.Llayer@position, component one of {', '.join(Component)}.",
                do="Write residual-post.L12@last or head.L7.H3@all.",
            )
        head = None if found["head"] is None else int(found["head"])
        return cls(int(found["layer"]), found["position"], Component(found["component"]), head)
