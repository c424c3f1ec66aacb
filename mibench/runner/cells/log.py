"""The log of a cell: one JSON object a line, for every try of it."""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mibench.records.record import RunRecord
from mibench.records.store import Store
from mibench.runner.driving.events import Event, append, make_parent

LOGS = "logs"
"""Folder of the logs, in that of the records."""


def log_try(record: RunRecord, started: datetime, seconds: float, store: Store) -> None:
    """Note a try that came to a record.

    Raises:
        StoreError: It cannot be written.
    """
    made = record.volatile.provenance
    problem = None if record.problem is None else record.problem.model_dump()
    how = {} if made is None else {name: getattr(made, name) for name in ("executor", "attempt", "batch_size")}
    _write(
        store.folder,
        record.cell.id,
        {
            "started": started.isoformat(),
            "ended": datetime.now(UTC).isoformat(),
            "status": record.status,
            "seconds": round(seconds, 3),
            "host": platform.node(),
            "pid": os.getpid(),
            **how,
            "problem": problem,
        },
    )


def log_lost(event: Event, why: str, executor: str, store: Store) -> None:
    """Note a try whose worker was lost.

    Args:
        event: The last that was heard of it.
        why: Why it was lost.
        executor: What ran it.
        store: The records.

    Raises:
        StoreError: It cannot be written.
    """
    if event.cell is None:
        return
    _write(
        store.folder,
        event.cell,
        {
            "started": datetime.fromtimestamp(event.time, UTC).isoformat(),
            "ended": None,
            "status": "lost",
            "seconds": None,
            "host": event.host,
            "pid": event.pid,
            "executor": executor,
            "attempt": event.attempt,
            "batch_size": event.batch_size,
            "problem": {"what": "Its worker was lost.", "why": why, "do": "It is tried again."},
        },
    )


def _write(folder: Path, cell_id: str, told: dict[str, Any]) -> None:
    path = folder / LOGS / f"{cell_id}.jsonl"
    make_parent(path)
    append(path, json.dumps(told, ensure_ascii=False).encode() + b"\n")
