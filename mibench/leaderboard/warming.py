"""Large boards are made by several processes: each makes what some of the tables give, and keeps it for the build."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from mibench.leaderboard.board import cold_tables, opened
from mibench.leaderboard.outputs import site_outputs, table_outputs
from mibench.leaderboard.site.picture import Picture

LEAST = 1000
"""Records of tables that are not kept, from which on starting other processes is worth it."""
_MOST_PROCESSES = 4


def warm(records: Path | Sequence[Path], kept: Path) -> None:
    """Have other processes make what tables give that are not kept, if there is much of it and processors for it.

    Args:
        records: Folder of records, or several.
        kept: Where it is kept.

    Raises:
        UsageError: There is no such folder of records.
        StoreError: A record is broken.
    """
    processes = min(_MOST_PROCESSES, len(os.sched_getaffinity(0)))
    cold = cold_tables(records, kept) if processes > 1 else {}
    if sum(cold.values()) < LEAST or len(cold) < 2:
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        # Largest first, so that none is left alone at the end.
        tables = sorted(cold, key=lambda key: -cold[key])
        for done in [pool.submit(_make, records, kept, key) for key in tables]:
            done.result()


def _make(records: Path | Sequence[Path], kept: Path, table: str) -> None:
    with opened(records, kept, only=table) as board:
        outputs = table_outputs(board.views, ()) | site_outputs(board.views, ())
        for one in outputs.values():
            if isinstance(one, Picture):
                one.draw()
        board.save()
