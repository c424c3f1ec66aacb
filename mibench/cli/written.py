"""What is said of an artifact that was written."""

from __future__ import annotations

from typing import Any

from mibench.artifacts.circuit import CircuitScores
from mibench.artifacts.dictionaries.dictionary import Dictionary
from mibench.artifacts.featurizers.featurizers import Featurizers
from mibench.cli.places import place_text
from mibench.records.record import Cost

Artifact = CircuitScores | Featurizers | Dictionary


def summary(found: Artifact, cost: Cost) -> dict[str, Any]:
    """Facts of an artifact and what making it took, as JSON values."""
    return {
        "method": found.method,
        "params": dict(found.params),
        **_size(found),
        "seconds": round(cost.seconds, 3),
        "forward_passes": cost.forward_passes,
        "backward_passes": cost.backward_passes,
    }


def words(found: Artifact) -> str:
    """The same size in words."""
    if isinstance(found, CircuitScores):
        return f"{found.n_scored} {found.level} scores"
    if isinstance(found, Dictionary):
        return f"{found.architecture} dictionary of {found.d_sae} latents at {place_text(found.place)}"
    return f"featurizers of {len(found.sites)} sites"


def _size(found: Artifact) -> dict[str, Any]:
    if isinstance(found, CircuitScores):
        return {"level": found.level.value, "items": found.n_scored}
    if isinstance(found, Dictionary):
        return {"items": found.d_sae, "architecture": found.architecture, "hook": place_text(found.place)}
    return {"items": len(found.sites)}
