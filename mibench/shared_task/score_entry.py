"""Score one submission on one private split: ``python -m mibench.shared_task.score_entry JOB.json OUT``.

It runs inside the sandbox. What it writes to ``OUT`` is taken by nobody's word: the driver reads and checks it.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mibench.core.errors import MibenchError, UsageError
from mibench.core.files import atomic_write
from mibench.core.specs import Convention, Level, MethodRef, Track
from mibench.engine.meter import Progress, no_progress
from mibench.intake.manifest import Submission
from mibench.intake.round import Round, RoundRules, read_round
from mibench.records.record import RunRecord
from mibench.runner.cells.identity import method_ref
from mibench.runner.execute import Benches
from mibench.runner.grounds import NO_MODEL
from mibench.runner.handed_in.score import Artifact, ArtifactMeta, load_artifact, score_files
from mibench.runner.observe import Quiet
from mibench.runner.plan import check_convention
from mibench.runner.settings import RunSettings, run_settings
from mibench.shared_task.jobs import Job, read_file
from mibench.shared_task.pieces import (
    Piece,
    Place,
    artifact_path,
    method_name,
    pieces_of,
    read_series,
    read_submission,
)
from mibench.tasks.private.overlay import use_overlay

RECORDS = "records"
PROGRESS = "progress.jsonl"
RESULT = "result.json"


@dataclass(frozen=True)
class Ground:
    """What is scored in one go, with one load of each model.

    Attributes:
        track: Its track.
        tasks: Tasks.
        models: Models, by the names that the round gives them.
        level: Of circuits.
        hook: Of dictionaries.
        heads: Of a linear target, where the round says them.
    """

    track: Track
    tasks: tuple[str, ...]
    models: tuple[str, ...]
    level: Level | None
    hook: str | None
    heads: tuple[str, ...] = ()


@dataclass
class Scoring:
    """A submission on its way.

    Attributes:
        job: What is asked for.
        rules: The round.
        submission: The manifest.
        out: Where everything goes.
        n_cells: Cells that are to be scored.
        n_done: Cells that have a record.
        failures: What went wrong, for the organisers.
        benches: Models that were loaded; they are loaded alike in all of a round.
    """

    job: Job
    rules: Round
    submission: Submission
    out: Path
    n_cells: int = 0
    n_done: int = 0
    failures: list[str] = field(default_factory=list)
    benches: Benches | None = None

    def job_begins(self, label: str) -> None:
        """Write a line of progress."""
        line = {"done": self.n_done, "cells": self.n_cells, "at": label}
        with (self.out / PROGRESS).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")

    def settings(self, ground: Ground, pieces: Sequence[Piece]) -> RunSettings:
        """The settings of a run: those of the round, and nothing that means nothing in the track."""
        scoring, folders = self.rules.scoring, self.job.folders
        values = {
            "task": list(ground.tasks),
            "model": [str(folders.get(model, model)) if model else NO_MODEL for model in ground.models],
            "split": "test",
            "limit": scoring.rows,
            "convention": _convention(scoring.convention, ground.track),
            "dtype": scoring.dtype,
            "batch_size": scoring.batch_size,
            "out": self.out / RECORDS,
        }
        if ground.track is Track.CIRCUIT:
            values["level"] = ground.level
        elif ground.track is Track.VARIABLE:
            values["variable"] = sorted({piece.first.variable or "" for piece in pieces})
            values |= {"heads": list(ground.heads)} if ground.heads else {}
        else:
            # Activations of private text are nobody's to keep.
            values |= {"storage": "none"} | ({"hook": [ground.hook]} if ground.hook else {})
        return run_settings(values)

    def read(self, piece: Piece, settings: RunSettings) -> tuple[Artifact, MethodRef]:
        """Read a piece, and say whose it is."""
        whose, folder = self._whose(piece), self.job.submission
        if len(piece.entries) == 1:
            path = artifact_path(piece.first, folder)
            return load_artifact(path, whose, settings, binary=piece.first.budget is not None)
        series = read_series(piece.entries, folder)
        if settings.convention is not Convention.MIB:
            series.check_budgets()
        reference = method_ref(
            name=whose.method,
            version=whose.version,
            params=whose.params,
            seed=whose.seed,
            artifact_digest=series.digest,
        )
        return series, reference

    def _whose(self, piece: Piece) -> ArtifactMeta:
        """What the manifest says of a piece, in the words of records."""
        own, budget = self.submission, piece.first.budget if len(piece.entries) == 1 else None
        plain = own.version.isascii() and own.version.isdecimal() and len(own.version) < 10
        return ArtifactMeta(
            method=method_name(own),
            version=int(own.version) if plain else None,
            params=own.parameters | ({} if budget is None else {"budget": budget}),
            seed=piece.first.seed,
        )


class _Watch(Quiet):
    """Tells a scoring what the run does."""

    def __init__(self, scoring: Scoring) -> None:
        self._scoring = scoring

    def job(self, label: str, number: int, total: int) -> None:  # noqa: ARG002
        """A cell begins."""
        self._scoring.job_begins(label)

    def stage(self, name: str) -> Progress:  # noqa: ARG002
        """Stages are not told."""
        return no_progress

    def done(self, label: str, record: RunRecord, *, reused: bool) -> None:  # noqa: ARG002
        """A cell has a record."""
        if record.cell.method.artifact_digest is not None and not reused:
            self._scoring.n_done += 1


def score(job: Job, out: Path) -> Scoring:
    """Score all cells of a submission; what fails does not stop the others.

    Args:
        job: What is asked for.
        out: Folder of records, progress and result.

    Raises:
        MibenchError: Nothing can be scored, since the job, the round or the manifest cannot be used.
    """
    out.mkdir(parents=True, exist_ok=True)
    use_overlay(job.overlay)
    scoring = Scoring(job, read_round(job.round), read_submission(job.submission), out)
    grounds = grounds_of(pieces_of(scoring.submission, scoring.rules), scoring.rules)
    scoring.n_cells = sum(len(pieces) * len(one.tasks) * len(one.models) for one, pieces in grounds)
    for ground, pieces in grounds:
        _guarded(scoring, ground, pieces)
    result = {"cells": scoring.n_cells, "records": scoring.n_done, "failures": scoring.failures}
    atomic_write(out / RESULT, json.dumps(result, indent=1))
    return scoring


def grounds_of(pieces: Sequence[Piece], rules: RoundRules) -> list[tuple[Ground, list[Piece]]]:
    """Put pieces together that are scored on the same tasks and models, in as few runs as their cells allow."""
    found: dict[Ground, list[Piece]] = defaultdict(list)
    for piece in pieces:
        own = piece.first
        for heads, places in _by_heads(piece, rules).items():
            for tasks, models in _products(places):
                found[Ground(own.track, tasks, models, piece.level, own.hook, heads)].append(piece)
    return sorted(found.items(), key=lambda item: (item[0].models, item[0].track, item[0].tasks))


def _by_heads(piece: Piece, rules: RoundRules) -> dict[tuple[str, ...], list[Place]]:
    """The places of a piece, by the heads that the round gives them."""
    found: dict[tuple[str, ...], list[Place]] = defaultdict(list)
    for task, model in piece.places:
        group = rules.group_of(piece.first, task, model)
        found[() if group is None else group.heads].append((task, model))
    return found


def _products(places: Sequence[Place]) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Tasks and models whose products are the places: models with the same tasks go together."""
    by_model: dict[str, list[str]] = defaultdict(list)
    for task, model in places:
        by_model[model].append(task)
    by_tasks: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for model, of_model in by_model.items():
        by_tasks[tuple(sorted(of_model))].append(model)
    for tasks, models in by_tasks.items():
        yield tasks, tuple(sorted(models))


def _guarded(scoring: Scoring, ground: Ground, pieces: Sequence[Piece]) -> None:
    """Score what shares a ground; whatever happens to one piece, the others are scored."""
    try:
        settings = scoring.settings(ground, pieces)
        files = list(_read(scoring, pieces, settings))
        scoring.benches = scoring.benches or Benches(settings)
        report = score_files(files, settings, _Watch(scoring), scoring.benches) if files else None
        scoring.failures += [str(error) for _, error in report.problems] if report else []
    except Exception as error:  # noqa: BLE001  what has a record by now is not scored again
        parts = _parts(ground, pieces)
        if not parts:
            scoring.failures.append(str(error) if isinstance(error, MibenchError) else traceback.format_exc())
        for part in parts:
            _guarded(scoring, *part)


def _parts(ground: Ground, pieces: Sequence[Piece]) -> list[tuple[Ground, Sequence[Piece]]]:
    """What is scored by itself when it cannot be scored together: pieces, then models, then tasks."""
    if len(pieces) > 1:
        return [(ground, [piece]) for piece in pieces]
    if len(ground.models) > 1:
        return [(replace(ground, models=(model,)), pieces) for model in ground.models]
    return [(replace(ground, tasks=(task,)), pieces) for task in ground.tasks if len(ground.tasks) > 1]


def _read(scoring: Scoring, pieces: Sequence[Piece], settings: RunSettings) -> Iterator[tuple[Artifact, MethodRef]]:
    for piece in pieces:
        try:
            yield scoring.read(piece, settings)
        except MibenchError as error:
            scoring.failures.append(str(error))


def _convention(asked: Convention, track: Track) -> Convention:
    """The round's convention where the track has it, else ours."""
    try:
        check_convention(asked, track)
    except UsageError:
        return Convention.MIBENCH
    return asked


def main(words: Sequence[str]) -> int:
    """Score a job; errors go to standard error, for the organisers alone."""
    try:
        scoring = score(read_file(Path(words[0]), Job), Path(words[1]))
    except MibenchError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_status
    sys.stderr.write("".join(f"{failure}\n" for failure in scoring.failures))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
