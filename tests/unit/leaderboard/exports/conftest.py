"""A board to export."""

from __future__ import annotations

from ..conftest import Shelf, shelf  # noqa: F401, TID252
