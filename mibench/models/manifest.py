"""What a converted folder was made from, whatever kind of file that was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mibench.models.catalogue import ModelSpec
from mibench.models.convert import read_manifest
from mibench.models.interpbench.folder import read_lens_manifest


def converted_manifest(folder: Path, spec: ModelSpec) -> dict[str, Any] | None:
    """Return the manifest of a converted folder, or None where it is not a whole conversion of ``spec``."""
    read = read_lens_manifest if spec.transformer_lens else read_manifest
    return read(folder, spec)
