"""One declarative file per architecture family."""

from __future__ import annotations

from mibench.core.registry import Registry

FAMILIES = Registry("family", "mibench.models.families")
