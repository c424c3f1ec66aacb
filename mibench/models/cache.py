"""Where converted models and digests are kept between runs."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from mibench.models.catalogue import ModelSpec

CACHE_VARIABLE = "MIBENCH_CACHE"


def cache_root() -> Path:
    """Return the cache folder: ``MIBENCH_CACHE``, else the user's cache folder of the platform."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen).expanduser() if chosen else Path(platformdirs.user_cache_dir("mibench"))


def converted_folder(spec: ModelSpec) -> Path:
    """Return where the converted weights of ``spec`` are kept; what they are pinned by is part of the name."""
    pin = spec.weights_sha256 or spec.revision or "unpinned"
    return cache_root() / "models" / f"{spec.name}-{pin[:12]}"
