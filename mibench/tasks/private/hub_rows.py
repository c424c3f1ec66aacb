"""Private rows of the ``mib/…`` tasks: a test file in the hub's schema that the organiser has."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mibench.core.errors import DataError
from mibench.core.files import is_file, read_text
from mibench.tasks.private.generated import prompts, public_prompts
from mibench.tasks.private.keys import SPLITS, SplitName, shuffled, side

JsonRow = dict[str, Any]


def private_hub_rows(task: str, folder: Path, rows: int, salt: bytes) -> dict[SplitName, list[JsonRow]]:
    """Return ``rows`` rows of ``folder/test.jsonl`` for each private split, in an order that says nothing of them.

    A keyed hash of its prompt deals each row. Rows are left out that have a prompt, of any column, that stands in
    ``train.jsonl`` or ``validation.jsonl`` of the folder or in data that come with mibench; and rows of the final split
    that have one of standings.

    Raises:
        UsageError: There is no ``test.jsonl``.
        DataError: A file cannot be used, or there are too few rows.
    """
    test = _rows(folder / "test.jsonl")
    beside = [folder / f"{split}.jsonl" for split in ("train", "validation")]
    taken = public_prompts().union(*(prompts(row) for path in beside if is_file(path) for row in _rows(path)))
    found: dict[SplitName, list[JsonRow]] = {}
    for split in SPLITS:
        mine = {row["prompt"]: row for row in test if side(salt, row["prompt"]) == split}
        new = [row for row in mine.values() if taken.isdisjoint(prompts(row))]
        found[split] = shuffled(salt, new, lambda row: row["prompt"])[:rows]
        taken = taken.union(*map(prompts, found[split]))
    _check_enough(task, found, rows)
    return found


def _check_enough(task: str, found: Mapping[SplitName, Sequence[JsonRow]], rows: int) -> None:
    few = min(SPLITS, key=lambda split: len(found[split]))
    if len(found[few]) < rows:
        raise DataError(
            f"The task '{task}' has too few private rows.",
            why=f"{rows} are asked for; {len(found[few])} of its test rows, with prompts of their own, fall to {few}.",
            do="Give more rows, or ask for fewer." if found[few] else "Give more rows.",
        )


def _rows(path: Path) -> list[JsonRow]:
    found = []
    # Not splitlines: JSON text may hold other line separators as they are.
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            found.append(_row(line, f"{path}, line {number}"))
    return found


def _row(line: str, where: str) -> JsonRow:
    do = "Give rows in the schema of the hub's data set."
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} cannot be used.", why="It is not JSON.", do=do) from error
    if not isinstance(row, dict) or not isinstance(row.get("prompt"), str):
        raise DataError(f"{where} cannot be used.", why="It is no object with a prompt.", do=do)
    return row
