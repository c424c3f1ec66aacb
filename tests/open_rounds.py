"""An open round in a folder, a clock that tests set, and small submissions to it."""

from __future__ import annotations

import os
import traceback
from datetime import UTC, datetime, timedelta

import yaml
from submission_cases import MODEL, TASK, change, good

from mibench.intake.failures import Failure, Report
from mibench.intake.round import Round
from mibench.shared_task.folder import RoundFolder
from mibench.shared_task.state import RoundState

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)
TEAM = "team"


class Clock:
    """A clock that stands until it is set."""

    def __init__(self, time=START):
        self.time = time

    def __call__(self):
        return self.time

    def go(self, **by):
        """Set it on, or back."""
        self.time += timedelta(**by)


def rules(**limits):
    """An open round: opened a day before START, for forty days after it."""
    return Round(
        name="round",
        title="A round",
        organiser="Somebody",
        contact="a@example.org",
        opens=START - DAY,
        deadline=START + 40 * DAY,
        cells=[{"track": "circuit", "tasks": [TASK], "models": [MODEL]}],
        boards=[{"name": "circuits", "track": "circuit", "headline": "cpr"}],
        limits=limits,
        mibench="0.1.0",
        opened=START - DAY,
        tasks={TASK: 1},
        metrics={"cpr": 1},
        models={MODEL: "0" * 64},
        commitments={"standings": "0" * 64, "final": "1" * 64},
    )


def open_round(path, now=None, **limits):
    """Make the folder of a round that is open."""
    folder = RoundFolder(path / "ROUND")
    folder.path.mkdir()
    folder.round_file.write_text(rules(**limits).model_dump_json(), encoding="utf-8")
    state = RoundState(folder, now or Clock())
    state.create()
    return state


def submission(parent, version="1", team=TEAM, method="method", **changes):
    """A submission that passes its check."""
    folder = good(parent, f"{team}__{method}@{version}")
    change(folder, team=team, method=method, version=version, **changes)
    return folder


def light(parent, name, **changes):
    """A folder with a manifest and one small file: for checks that look at nothing."""
    team, method, version = name.replace("__", "@").split("@")
    folder = parent / name
    folder.mkdir(parents=True)
    (folder / "artifact.json").write_text(f'{{"of": "{name}"}}', encoding="utf-8")
    values = {
        "schema_version": 1,
        "team": team,
        "method": method,
        "version": version,
        "authors": ["A. Person"],
        "contact": "a@example.org",
        "licence": "CC-BY-4.0",
        "description": "A method.",
        "tracks": ["circuit"],
        "training_data": {"splits": ["train"]},
        "artifacts": [_artifact()],
    } | changes
    (folder / "submission.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    return folder


def _artifact():
    keys = {"track": "circuit", "tasks": [TASK], "models": [MODEL], "level": "edge"}
    return keys | {"file": "artifact.json", "sha256": "0" * 64, "bytes": 1}


def passes(path):
    """A check that finds nothing."""
    return Report(path.name)


def fails(path):
    """A check that finds something."""
    return Report(path.name, (Failure("It is wrong.", "It is so.", "Mend it."),))


def in_child(work):
    """Run something in a process of its own; return its number."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException:  # noqa: BLE001 - a child must not go on as the test run
            traceback.print_exc()
        finally:
            os._exit(status)
    return child
