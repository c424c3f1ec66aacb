"""Where a dictionary works, in words."""

from __future__ import annotations

from mibench.artifacts.dictionaries.dictionary import Place
from mibench.tasks.sae.dictionary_task import is_generated


def place_text(place: Place) -> str:
    """Return hook points as settings write them; of generated data, which have none, the name of their task."""
    return f"{place.model} (generated)" if is_generated(place.model) else place.text
