"""What the check of a submission found, kept beside it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from mibench.core.errors import DataError
from mibench.core.files import atomic_write, read_text
from mibench.intake.failures import Report

_REPORT = TypeAdapter(Report)


def write_report(report: Report, path: Path) -> None:
    """Write a report.

    Raises:
        StoreError: It cannot be written.
    """
    # Names of a hostile folder may hold what is no Unicode; ASCII takes all of it.
    atomic_write(path, json.dumps(asdict(report), indent=2, sort_keys=True, ensure_ascii=True) + "\n")


def read_report(path: Path) -> Report:
    """Read a report.

    Raises:
        UsageError: There is none.
        DataError: It is none.
    """
    try:
        return _REPORT.validate_python(json.loads(read_text(path)), strict=False)
    except (ValueError, ValidationError, RecursionError) as error:
        raise DataError(f"{path} is no report.", why="It was not written by a check.", do="Check it again.") from error
