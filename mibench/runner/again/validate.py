"""Does mibench give the numbers that were published? Run the same cells and lay the curves side by side."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mibench.core.errors import MibenchError, UsageError
from mibench.core.files import is_folder
from mibench.core.specs import Convention
from mibench.methods.method import METHODS
from mibench.records.record import CurvePoint, RunRecord
from mibench.runner.again.published import Published, PublishedRow
from mibench.runner.execute import Benches, run
from mibench.runner.needs import Checks
from mibench.runner.observe import Observer
from mibench.runner.settings import RunSettings, run_settings
from mibench.runner.sources import find_method
from mibench.tasks.mib.hub import HubData

ROUNDING = 1e-9
"""So that a difference of exactly the tolerance passes."""


@dataclass(frozen=True)
class Validated:
    """One published row beside our record.

    Attributes:
        row: What was published.
        record: Ours; None: the cell came to no record.
        problem: Why there are no numbers of ours.
        points: Our curve.
        differences: Ours minus published at each fraction; empty where either is missing.
    """

    row: PublishedRow
    record: RunRecord | None
    problem: MibenchError | None
    points: Sequence[CurvePoint] = ()
    differences: Sequence[float] = ()

    @property
    def worst(self) -> int | None:
        """Place of the largest difference; None where there is none."""
        sizes = [abs(one) for one in self.differences]
        return sizes.index(max(sizes)) if sizes else None

    def passes(self, tolerance: float) -> bool | None:
        """Whether every point is within ``tolerance``; None for a row that decides nothing."""
        if not self.row.decides:
            return None
        return self.worst is not None and abs(self.differences[self.worst]) <= tolerance + ROUNDING


def validate(
    published: Published, options: dict[str, Any], observer: Observer, *, deciding_only: bool = False
) -> list[Validated]:
    """Run what was published, and compare.

    Args:
        published: The curves.
        options: Settings of the run that are not part of what was published: model, limit, device, out …
        observer: Told of everything.
        deciding_only: Leave out the rows that decide nothing.

    Returns:
        The rows, those left out whose method is not here and on which nothing rests.

    Raises:
        UsageError: A method on which the verdict rests is not here, or the options do not fit.
        ModelError: The model cannot be had.
        DataError: The examples cannot be had.
        StoreError: Records cannot be read or written.
    """
    beside = [] if deciding_only else [row for row in published.rows if not row.decides]
    rows = [row for row in published.rows if row.decides]
    rows += [row for row in beside if _is_here(row, published.convention)]
    settings = [_settings(published, row, options) for row in rows]
    first = settings[0]
    observer.job(f"looking for {first.task[0]} and {first.model[0]}", 0, len(rows))
    missing = Checks().obstacle(first.task[0], first.model[0], first.split)
    if missing is not None:
        raise type(missing)(
            missing.what,
            why=missing.why,
            do=f"{missing.do} Or give --model FOLDER with its checkpoint, and --data FOLDER with the data set's files.",
        )
    benches = Benches(first)
    return [_compared(row, own, published, observer, benches) for row, own in zip(rows, settings, strict=True)]


@contextlib.contextmanager
def data_from(folder: Path | str | None, task: str) -> Iterator[None]:
    """While it lasts, take the examples of ``task`` from ``folder``, which has the hub's files; None: from the hub.

    Raises:
        UsageError: It is no folder, or the task is not taken from one.
    """
    if folder is None:
        yield
        return
    if not is_folder(folder):
        raise UsageError(f"--data {folder} cannot be used.", why="It is no folder.", do="Give the data set's folder.")
    if not task.startswith("mib/"):
        raise UsageError("--data cannot be used.", why=f"{task} is not read from a hub.", do="Leave it out.")
    variable = HubData(task=task, hub_id="", revision=None, like="").local_copy
    before = os.environ.get(variable)
    os.environ[variable] = str(Path(folder).resolve())
    try:
        yield
    finally:
        del os.environ[variable]
        if before is not None:
            os.environ[variable] = before


def _settings(published: Published, row: PublishedRow, options: dict[str, Any]) -> RunSettings:
    told = published.model_dump(include={"task", "model", "dtype", "attention", "split", "limit", "train_limit"})
    own = {"method": row.method, "set": row.params, "level": row.level, "floor_draws": 0}
    return run_settings(told | own | {"convention": published.convention} | options)


def _is_here(row: PublishedRow, convention: Convention) -> bool:
    """Whether the method is registered, scores that level, and knows the convention's variant."""
    if row.method not in METHODS.components:
        return False
    method = find_method(row.method)
    wanted = row.params | ({"variant": "mib"} if convention is Convention.MIB else {})
    try:
        method.parameters(wanted)
    except UsageError:
        return False
    return row.level in method.levels


def _compared(
    row: PublishedRow, settings: RunSettings, published: Published, observer: Observer, benches: Benches
) -> Validated:
    report = run(settings, observer, benches)
    if report.problems:
        return Validated(row, None, report.problems[0][1])
    record = report.jobs[0][1]
    if record.problem is not None:
        problem = record.problem
        return Validated(row, record, MibenchError(problem.what, why=problem.why, do=problem.do))
    points = record.curves[f"faithfulness_{published.ranking}"]
    known = {round(point.fraction, 9): point.value for point in points}
    ours = [known.get(round(fraction, 9)) for fraction in published.fractions]
    theirs = row.faithfulness or []
    pairs = [(a, b) for a, b in zip(ours, theirs, strict=False) if a is not None]
    whole = len(pairs) == len(published.fractions)
    return Validated(row, record, None, points, [a - b for a, b in pairs] if whole else [])
