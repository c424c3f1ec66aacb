"""Rounds that are opened for real: small private splits, and a model of which nothing but its files is looked at."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import yaml
from standing_cases import cell, record
from submission_cases import manifest, write_manifest

from mibench.intake.failures import Report
from mibench.intake.round import read_round
from mibench.records.store import Store
from mibench.shared_task.draft import write_draft
from mibench.shared_task.folder import RoundFolder
from mibench.shared_task.opening import open_round
from mibench.shared_task.state import RoundState
from mibench.shared_task.states import State

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
CIRCUITS = {"track": "circuit", "tasks": ["ioi"], "models": ["tiny"]}
BOARD = {"name": "circuits", "track": "circuit", "headline": "distance_absolute"}


def model(folder: Path) -> Path:
    """A folder that has the files of a model."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text('{"model_type": "gpt2"}')
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def values(parent: Path, **changes):
    """Rules that a round opens with."""
    own = {
        "name": "demo",
        "title": "A demo",
        "organiser": "Somebody",
        "contact": "a@example.org",
        "opens": "2026-03-01T12:00:00+00:00",
        "deadline": "2026-05-01T12:00:00+00:00",
        "cells": [CIRCUITS],
        "boards": [BOARD],
        "scoring": {"rows": 3},
        "private": {"model_folders": {"tiny": str(model(parent / "tiny"))}},
    }
    return {key: value for key, value in (own | changes).items() if value is not None}


def draft(parent: Path, **changes) -> RoundFolder:
    """A round that is filled in."""
    folder = RoundFolder(parent / "ROUND")
    write_draft(folder.path, "demo", NOW)
    folder.rules_file.write_text(yaml.safe_dump(json.loads(json.dumps(values(parent, **changes)))))
    return folder


def opened(parent: Path, **changes):
    """A round that is open: its folder and its rules; those without changes are copies of one."""
    if not changes:
        shutil.copytree(_template(), parent, dirs_exist_ok=True)
        folder = RoundFolder(parent / "ROUND")
        return folder, read_round(folder.round_file)
    return _opened(parent, **changes)


@cache
def _template() -> Path:
    place = Path(tempfile.mkdtemp(prefix="mibench-round-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    _opened(place)
    return place


def _opened(parent: Path, **changes):
    folder = draft(parent, **changes)
    done = open_round(folder, {}, NOW)
    assert not done.failures, done.failures
    return folder, done.round


class Clock:
    """A clock that stands until it is set."""

    def __init__(self, time=NOW):
        self.time = time

    def __call__(self):
        return self.time


def passes(path: Path) -> Report:
    """A check that finds nothing."""
    return Report(path.name)


def light(parent: Path, name: str, **changes) -> Path:
    """A folder with a manifest of the right keys and one small file: for checks that look at nothing."""
    team, method, version = name.replace("__", "@").split("@")
    folder = parent / name
    folder.mkdir(parents=True)
    (folder / "a.json").write_text("{}")
    entry = {"track": "circuit", "tasks": ["ioi"], "models": ["tiny"], "level": "edge", "file": "a.json"}
    entry |= {"sha256": "0" * 64, "bytes": 2}
    write_manifest(folder, manifest([entry], team=team, method=method, version=version, **changes))
    return folder


def scored(folder: RoundFolder, parent: Path, entries, clock) -> tuple[RoundState, dict[str, str]]:
    """The state of a round with an entry for each name and number, scored on the standings; and the teams' keys.

    A number that is None is an entry that failed, "waits" one that is not scored yet.
    """
    state, keys = RoundState(folder, clock), {}
    for name, value in entries.items():
        team = name.split("__")[0]
        if team not in keys:
            keys[team] = state.register(team, "a@example.org")
        entry, _ = state.hand_in(light(parent / "in", name), keys[team], passes)
        if value != "waits":
            score(folder, state, entry, "standings", value)
    return state, keys


def score(folder: RoundFolder, state: RoundState, entry, split, value) -> None:
    """Have an entry scored on a split with a number; None: it fails."""
    state.move(entry.id, split, State.RUNNING)
    if value is None:
        state.move(entry.id, split, State.FAILED, "Scoring crashed with exit status 1 (try 1).")
        return
    label = f"{entry.team}/{entry.method}@{entry.version}"
    digest = read_round(folder.round_file).models["tiny"]
    where = cell(label, model="local:tiny", digest=digest)
    Store(folder.records(split)).write(record(where, distance_absolute=value))
    state.move(entry.id, split, State.SCORED)
