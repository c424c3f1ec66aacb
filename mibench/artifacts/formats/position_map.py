"""What MIB's position ids are called here, written by a user."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

from mibench.core.errors import DataError
from mibench.core.files import read_text
from mibench.core.names import unknown
from mibench.core.yaml_text import load_yaml

MAX_BYTES = 1024 * 1024


def read_position_map(path: Path | str) -> dict[str, str | None]:
    """Read a YAML mapping of MIB's position ids to positions of the task; null leaves a position out.

    Raises:
        UsageError: There is no such file.
        DataError: It is no such mapping.
    """
    try:
        found = load_yaml(read_text(path, max_bytes=MAX_BYTES)) or {}
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DataError(f"{path} is not YAML.", why=" ".join(str(error).split()), do="Correct it.") from error
    if not isinstance(found, dict) or not all(value is None or isinstance(value, str) for value in found.values()):
        raise DataError(f"{path} is no position map.", why="It is not a mapping of names.", do="Write mib_id: last")
    return {str(key): value for key, value in found.items()}


def check_positions(found: Mapping[str, str | None], known: Mapping[str, str]) -> None:
    """Check that a map names positions of the task.

    Args:
        found: The map.
        known: The task's positions, by every name that they have.

    Raises:
        UsageError: It names another one.
    """
    for name in found.values():
        if name is not None and name not in known.values():
            raise unknown("position", name, sorted(set(known.values())))
