"""Text that an installed package holds."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

from mibench.core.errors import DataError

EXTRA = "pip install 'mibench[corpora]'"


def installed(package: str, do: str = EXTRA) -> Any:
    """Import a package.

    Raises:
        DataError: It is not installed, or cannot be imported.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise _missing(package, str(error), do) from error


def folder_of(package: str, do: str = EXTRA) -> Path:
    """Return the folder of a package, without running any of its code.

    Raises:
        DataError: It is not installed.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise _missing(package, f"No module named '{package}'", do)
    return Path(spec.origin).parent


def _missing(package: str, why: str, do: str) -> DataError:
    return DataError(f"The text of the package {package} cannot be had.", why=f"{why}.", do=f"Run {do}.")
