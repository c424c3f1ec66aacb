"""An open round with submissions, and a scorer that only pretends: what it does stands in a submission's manifest.

Run as a program, this is a worker without a sandbox: ``python evaluation_cases.py SPOOL BACKEND``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

from mibench.core.specs import Ablation, Cell, MethodRef, ModelRef, TaskRef, Track
from mibench.records.record import MetricValue, Problem, RunRecord
from mibench.records.store import Store
from mibench.sandbox.run import Outcome
from mibench.shared_task.pieces import method_name, pieces_of, read_piece, read_submission
from mibench.shared_task.spool import Spool
from mibench.shared_task.work import Habits, orphaned, stop_on_terminate, work

SALT = bytes(range(32))
DIGEST = "0" * 64
PID = "pid"


class NoSandbox:
    """Stands for a back-end where nothing is confined."""

    name = "none"


def record_of(submission, piece, place, folder, whose=None, **changes):
    """A record as a scorer writes it."""
    task, model = place
    cell = Cell(
        track=Track.CIRCUIT,
        task=TaskRef(name=task, version=1, split="test", limit=2, digest="rows"),
        model=ModelRef(name=model, digest=DIGEST),
        method=MethodRef(
            name=whose or method_name(submission),
            seed=piece.first.seed,
            artifact_digest=read_piece(piece, folder).digest,
        ),
        level=piece.level,
        ablation=Ablation.COUNTERFACTUAL,
    )
    own = {"cell": cell, "status": "ok", "metrics": {"cpr": MetricValue(value=0.5, ci_reason="two rows")}}
    return RunRecord(**own | changes)


def table():
    """A table as a scorer writes it."""
    import pandas as pd

    return pd.DataFrame({"example": [0, 1], "loss": [0.25, 0.5]})


def write_records(job, rules, out, tables=dict, whose=None, **changes):
    """Write the records of a submission, in its name or somebody else's."""
    submission = read_submission(job.submission)
    for piece in pieces_of(submission, rules):
        for place in piece.places:
            record = record_of(submission, piece, place, job.submission, whose=whose, **changes)
            Store(out / "records").write(record, tables())


FAILED = {"status": "failed", "metrics": {}, "problem": Problem(what="PRIVATE", why="PRIVATE", do="PRIVATE")}


def pretend(command, confinement, backend, beat):
    """Score in a child of this process, as the submission's description asks for; nothing is confined."""
    from mibench.intake.round import read_round
    from mibench.shared_task.jobs import Job, read_file

    job, out = read_file(Path(command[-2]), Job), Path(command[-1])
    words = read_submission(job.submission).description.split()
    ends = {"timeout": "timeout", "memory": "memory", "files": "files", "crash": "failed"}
    if words[0] in ends:
        return Outcome(ends[words[0]], 3, 1.0, 5, "the tail: PRIVATE")
    if words[0] == "broken":
        raise RuntimeError("PRIVATE")
    child = os.fork()
    if not child:
        (out / PID).write_text(str(os.getpid()), encoding="ascii")
        time.sleep(float(words[1]) if words[0] == "slow" else 0.0)
        more = {"failing": FAILED, "tables": {"tables": lambda: {"examples": table()}}, "foreign": {"whose": "x/y@1"}}
        if words[0] != "nothing":
            write_records(job, read_round(job.round), out, **more.get(words[0], {}))
        if words[0] == "suicidal" or (words[0] == "moody" and _first(out)):
            os.kill(os.getpid(), signal.SIGKILL)
        os._exit(0)
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            code = os.waitstatus_to_exitcode(status)
            return Outcome("done" if code == 0 else "failed", code, 0.1, 5, "the tail: PRIVATE")
        try:
            beat()
        except BaseException:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise
        time.sleep(0.01)


def _first(out):
    """Whether this is the first try."""
    return ".1@" in out.parent.name


def prepare(folder):
    """What opening a round writes besides its rules."""
    folder.private.mkdir(mode=0o700)
    folder.salt_file.write_text(SALT.hex(), encoding="ascii")
    (folder.private / "organiser.json").write_text(json.dumps({"model_folders": {}}), encoding="utf-8")
    for split in ("standings", "final"):
        folder.split(split).mkdir()


if __name__ == "__main__":
    stop_on_terminate()
    work(
        Spool(Path(sys.argv[1])),
        NoSandbox(),
        once=True,
        habits=Habits(beat=0.2, run=pretend, stop=orphaned()),
    )
