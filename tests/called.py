"""Functions that schedulers call in tests: each writes a file, so that a test sees where and how it was called."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

from mibench.core.errors import MibenchError, StoreError

TESTS = Path(__file__).parent


def note(path):
    """Say where this is: interpreter, folder and environment."""
    path = Path(path)
    with (path.parent / "calls").open("a", encoding="utf-8") as log:
        log.write(f"{path.name} begins\n")
    about = {
        "python": sys.executable,
        "folder": str(Path.cwd()),
        "pid": os.getpid(),
        "words": sys.argv,
        "environ": dict(os.environ),
    }
    time.sleep(0.2)
    path.write_text(json.dumps(about), encoding="utf-8")
    with (path.parent / "calls").open("a", encoding="utf-8") as log:
        log.write(f"{path.name} ends\n")


def fail(path):
    """End with an error."""
    raise StoreError(f"{Path(path).name} is full.", why="It is.", do="Make room.")


def break_down(path):
    """End with an error that nobody foresaw."""
    raise ZeroDivisionError("by none")


def die(path):
    """Be killed, as the machine does it."""
    os.kill(os.getpid(), signal.SIGKILL)


def stay(path):
    """Stay long."""
    Path(path).write_text(str(os.getpid()), encoding="ascii")
    for _ in range(600):
        time.sleep(0.1)


def most_at_once(folder):
    """How many calls of ``note`` there were at the same time."""
    now = most = 0
    for line in (folder / "calls").read_text(encoding="utf-8").splitlines():
        now += 1 if line.endswith("begins") else -1
        most = max(most, now)
    return most


def wait(tasks, seconds=60):
    """Wait until all have ended; return why some were lost."""
    end = time.monotonic() + seconds
    while sum(task.done() for task in tasks) < len(tasks):
        assert time.monotonic() < end, "they do not end"
        time.sleep(0.02)
    return [_lost(task) for task in tasks]


def _lost(task):
    try:
        return task.lost()
    except MibenchError as error:
        return error


def wait_for(path, seconds=30):
    """Wait for a file; return what is in it."""
    end = time.monotonic() + seconds
    while not (path.exists() and path.read_text(encoding="utf-8")):
        assert time.monotonic() < end, f"{path} does not come"
        time.sleep(0.02)
    return path.read_text(encoding="utf-8")
