"""`mibench shared-task evaluate --executor`: what is refused, and that the workers of a scheduler score."""

from __future__ import annotations

import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import evaluation_cases
import pretended_slurm
import pytest
from evaluation_cases import NoSandbox, prepare
from open_rounds import open_round, passes, submission

from mibench.sandbox import backends
from mibench.shared_task import drive

TESTS = Path(evaluation_cases.__file__).parent
pytestmark = pytest.mark.skipif(find_spec("submitit") is None, reason="submitit is not installed")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An open round with a submission, and workers that pretend to score."""
    worker = (sys.executable, str(TESTS / "evaluation_cases.py"))
    monkeypatch.setattr(drive, "Pace", partial(drive.Pace, worker=worker, poll=0.05))
    monkeypatch.setattr(backends, "find_backend", lambda name: NoSandbox())
    monkeypatch.setenv("PYTHONPATH", f"{TESTS}:{TESTS.parent}")
    state = open_round(tmp_path, valid_per_week=1000)
    prepare(state.folder)
    state.hand_in(submission(tmp_path / "home"), state.register("team", "a@example.org"), passes)
    return state.folder.path


def test_workers_of_slurm_score_what_waits(run, place, tmp_path, monkeypatch):
    (tmp_path / "slurm").mkdir()
    jobs = pretended_slurm.install(monkeypatch, tmp_path / "slurm")
    words = ["--executor", "slurm", "--scheduler", "cpus=3", "--scheduler", "partition=day", "--workers", "4"]
    done = run("shared-task", "evaluate", place, *words, "--json")
    assert (done.status, done.json["scored"]) == (0, [1]), done
    (job,) = jobs.glob("*.sh")
    text = job.read_text(encoding="utf-8")
    assert "--cpus-per-task=3" in text
    assert "--partition=day" in text
    assert "--array" not in text, "one waits, so one worker is asked for"


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--scheduler", "cpus=3"], 2, "--executor slurm"),
        (["--executor", "slurm", "--scheduler", "cpu=3"], 2, "Did you mean 'cpus'"),
        (["--executor", "ray", "--scheduler", "partition=day"], 2, "The executor ray has no such option"),
        (["--executor", "slurm", "--scheduler", "cluster"], 2, "cluster cannot be used"),
        (["--executor", "slurn"], 2, "slurm"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_begun(run, place, words, status, said):
    done = run("shared-task", "evaluate", place, *words)
    assert done.status == status
    assert said in " ".join(done.err.split())
    assert "Traceback" not in done.err
    assert run("shared-task", "status", place, "--json").json["entries"][0]["state"] == "CHECKED"
