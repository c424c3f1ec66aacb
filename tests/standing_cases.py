"""Rules and records of rounds, made by hand: a number with an interval in each cell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from mibench.core.specs import Ablation, Cell, DictionaryRef, Level, MethodRef, ModelRef, TaskRef, Track, VariableRef
from mibench.intake.round import Round
from mibench.leaderboard.rows import Entry as Stored
from mibench.records.record import MetricValue, Problem, RunRecord
from mibench.records.store import Store
from mibench.shared_task.standings import Contender

OPENED = datetime(2026, 3, 1, 12, tzinfo=UTC)
MODEL = "e" * 64
CIRCUITS = {"track": "circuit", "tasks": ["ioi", "mcqa"], "models": ["m"]}
BOARD = {"name": "circuits", "track": "circuit", "headline": "auroc"}
NOWHERE = Store("nowhere")


def rules(cells=(CIRCUITS,), boards=(BOARD,), **more):
    """A round whose tasks and headlines all have version 1, and whose models have the digest ``MODEL``."""
    own = {
        "name": "round",
        "title": "A round",
        "organiser": "Somebody",
        "contact": "a@example.org",
        "opens": OPENED,
        "deadline": OPENED + timedelta(days=30),
        "cells": cells,
        "boards": boards,
        "mibench": "0.1.0",
        "opened": OPENED,
        "tasks": {task: 1 for group in cells for task in group["tasks"]},
        "metrics": {board["headline"]: 1 for board in boards},
        "models": {model: MODEL for group in cells for model in group.get("models", ())},
        "commitments": {"standings": "0" * 64, "final": "1" * 64},
    }
    return Round(**own | more)


def number(value, half=0.001, **more):
    """A metric with an interval of its own."""
    ends = {"ci_low": value - half, "ci_high": value + half, "ci_source": "examples", "n": 30}
    return MetricValue(value=value, higher_is_better=True, **ends | more)


def cell(method="a/m@1", task="ioi", model="m", **more):
    """A cell of an artifact that was handed in."""
    track = more.pop("track", Track.CIRCUIT)
    parts = {"level": Level.EDGE, "ablation": Ablation.COUNTERFACTUAL} if track is Track.CIRCUIT else {}
    if track is Track.VARIABLE:
        parts["variable"] = VariableRef(name=more.pop("variable"), positions=("last",))
    if track is Track.SAE:
        parts["dictionary"] = DictionaryRef(hook=more.pop("hook"), corpus="sotu", context=128)
    own = {"artifact_digest": more.pop("artifact", f"{method}, {more}"), "seed": more.pop("seed", None)}
    return Cell(
        track=track,
        task=TaskRef(name=task, version=more.pop("version", 1), split="test", limit=6, digest="rows"),
        model=ModelRef(name=model, digest=more.pop("digest", MODEL)),
        method=MethodRef(name=method, **own | more.pop("method_ref", {})),
        **parts | more,
    )


def record(where, **metrics):
    """A record with one number, or with numbers by name."""
    values = {name: value if isinstance(value, MetricValue) else number(value) for name, value in metrics.items()}
    return RunRecord(cell=where, status="ok", metrics=values)


def failed(where):
    """A record without numbers."""
    problem = Problem(what="It gave no numbers.", why="Nobody knows.", do="Ask.")
    return RunRecord(cell=where, status="failed", problem=problem)


def contender(n, team="a", records=(), *, version="1", status="scored", tracks=(Track.CIRCUIT,), **more):
    """An entry with its records."""
    stored = tuple(Stored(one, NOWHERE) for one in records)
    return Contender(
        id=n, team=team, method="m", version=version, supersedes=more.pop("supersedes", None),
        tracks=frozenset(tracks), status=status, records=stored, **more,
    )  # fmt: skip


def with_values(n, team, version="1", metric="auroc", **values):
    """An entry with a number for each task."""
    label = f"{team}/m@{version}"
    records = [record(cell(label, task), **{metric: value}) for task, value in values.items()]
    return contender(n, team, records, version=version)
