"""IOI as MIB has it, from the hub or from a local copy."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from mibench.core.errors import DataError
from mibench.tasks.encode import TextEncoder
from mibench.tasks.ioi_rows import IoiRow, parse_row, to_pairs
from mibench.tasks.pairs import Pair
from mibench.tasks.task import task

HUB_ID = "mib-bench/ioi"
REVISION = "e5f3468f3af4c0883be35cd3bced8c711c95d286"
"""As third parties cite it; nobody has checked it against the hub for mibench yet."""
LOCAL_COPY = "MIBENCH_MIB_IOI"
"""Environment variable: folder with train.jsonl, validation.jsonl and test.jsonl in the hub's schema."""


@task(
    name="mib/ioi",
    version=1,
    track="circuit",
    citation="Mueller et al. 2025, MIB: A Mechanistic Interpretability Benchmark, arXiv:2504.13151",
    licence="Apache-2.0",
    counterfactual="s2_io_flip_counterfactual",
    metric="logit_diff",
    notes="Revision e5f3468f is as cited by third parties, not verified. Without the private test set.",
)
def mib_ioi(split: str, encoder: TextEncoder | None) -> list[Pair]:
    """Indirect object identification: MIB's public splits, with MIB's filter."""
    return to_pairs(rows(split, os.environ.get(LOCAL_COPY)), encoder)


@cache
def rows(split: str, folder: str | None = None) -> tuple[IoiRow, ...]:
    """Return all rows of a split, from ``folder`` or else from the hub at :data:`REVISION`.

    Raises:
        DataError: The data is not there, or is not in the hub's schema.
    """
    source = HUB_ID if folder is None else folder
    try:
        found = _load(source, split, None if folder else REVISION)
    except Exception as error:  # the client raises whatever its layers raise
        raise DataError(
            f"The split '{split}' of {source} cannot be loaded.",
            why=f"{type(error).__name__}: {str(error)[:300]}",
            do=_advice(),
        ) from error
    return tuple(parse_row(row, f"{source}, {split}, row {index}") for index, row in enumerate(found))


def _load(source: str, split: str, revision: str | None) -> Iterable[Mapping[str, Any]]:
    from datasets import load_dataset

    loaded: Iterable[Mapping[str, Any]] = load_dataset(source, split=split, revision=revision)
    return loaded


def _advice() -> str:
    online = "Unset HF_HUB_OFFLINE" if os.environ.get("HF_HUB_OFFLINE") else "Connect to the internet"
    return (
        f"{online} once to fill the cache, or set {LOCAL_COPY} to a folder with train.jsonl, "
        "validation.jsonl and test.jsonl in the hub's schema. The task 'ioi' needs no download."
    )
