"""What a kind of operation declares: its options, tensors and their shapes, and what their numbers must satisfy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from mibench.artifacts.featurizers.operation import Array

Shape = tuple[str, ...]
"""Sizes by name: ``d`` is the width that goes in; a name means the same size in every tensor of an operation."""
MAX_ERROR = 1e-4
"""Largest entry by which a product may miss the identity matrix."""


class Options(BaseModel):
    """Options of a kind; unknown ones are refused, and nothing is converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def no_check(_tensors: Mapping[str, Array], _options: Any) -> None:
    """Nothing to check but names, shapes and finite numbers."""


@dataclass(frozen=True)
class Kind:
    """A kind of operation.

    Attributes:
        name: What manifests call it.
        tensors: Names and shapes of its tensors, given its options.
        width: Name of the size that is the number of features that come out.
        options: Its options.
        check: Raises ArtifactError if the numbers are wrong; shapes are right by then.
        edit: It changes an activation without a source: no interchange, ranked on a board of its own.
    """

    name: str
    tensors: Callable[[Any], Mapping[str, Shape]]
    width: str = "d"
    options: type[Options] = Options
    check: Callable[[Mapping[str, Array], Any], None] = no_check
    edit: bool = False
