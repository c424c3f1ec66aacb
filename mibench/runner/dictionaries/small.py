"""Tasks of the SAE track made small for tiny runs, which walk every path and measure nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from types import MappingProxyType
from typing import Any, TypeVar

Settings = TypeVar("Settings")

WORDS = 6
"""Words of each concept and split."""
MOST: Mapping[str, Any] = MappingProxyType(
    {
        "train_rows": 8,
        "tuning_rows": 8,
        "rows": 40,
        "ce_tokens": 200,
        "latents": 2,
        "epochs": 1,
        "steps": 3,
        "draws": 1,
        "isolation": 1,
        "strengths": 1,
        "sparsities": 1,
        "least_f1": 0.0,
        "least_concepts": 1,
    }
)
"""Settings of tasks that make them long, or that little data cannot meet, by name, and the most that they are here.

Of a tuple, so many entries, the last ones: under the weakest penalty probes say something even of a few words. What is
read as far as a run's limit goes is not here: a tiny run has one.
"""


def small_settings(settings: Settings) -> Settings:
    """The settings of a task with numbers of `MOST` where they are larger or absent, also of the settings in it."""
    if not is_dataclass(settings) or isinstance(settings, type):
        return settings
    return replace(settings, **{one.name: _small(one.name, getattr(settings, one.name)) for one in fields(settings)})


def _small(name: str, value: Any) -> Any:
    if name not in MOST:
        return small_settings(value)
    most = MOST[name]
    if isinstance(value, tuple):
        return value[-most:]
    return most if value is None else min(value, most)
