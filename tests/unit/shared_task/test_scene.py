"""What the scorer of a job may see."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from open_rounds import open_round, passes, submission
from submission_cases import MODEL

from mibench.models.cache import cache_root
from mibench.models.known import known_folder
from mibench.shared_task.drive import job_of
from mibench.shared_task.scene import command_of, confinement_of
from mibench.shared_task.spool import Spool
from mibench.shared_task.workers import is_gone, worker_name


@pytest.fixture
def claim(tmp_path):
    state = open_round(tmp_path)
    entry, _ = state.hand_in(submission(tmp_path), state.register("team", "a@example.org"), passes)
    from mibench.intake.round import read_round

    state.folder.split("standings").mkdir(parents=True)
    state.folder.split("final").mkdir(parents=True)
    spool = Spool(state.folder.spool)
    spool.create()
    spool.put(job_of(entry, "standings", state.folder, read_round(state.folder.round_file)))
    return spool.claim()


def test_it_sees_the_submission_the_split_the_rules_and_the_models_and_nothing_else(claim):
    top = claim.job.round.parent
    found = confinement_of(claim)
    inside = {str(path.relative_to(top)) for path in found.read if path.is_relative_to(top)}
    held = f"spool/taken/{claim.folder.name}/job.json"
    assert inside == {"round.json", "private/standings", "submissions/000001/team__method@1", held}
    outside = {path for path in found.read if not path.is_relative_to(top)}
    assert outside - {cache_root() / "digests"} == {known_folder(MODEL)}
    assert found.write == claim.out


def test_limits_and_threads_are_those_of_the_job(claim, monkeypatch):
    monkeypatch.setenv("MIBENCH_MIB_IOI", "/nowhere")
    monkeypatch.setenv("MIBENCH_SECRET", "x")
    found = confinement_of(claim)
    assert (found.seconds, found.memory_bytes, found.file_bytes) == (3600, 16 * 2**30, 4 * 200 * 2**20)
    assert found.environment["OMP_NUM_THREADS"] == "1"
    assert found.environment["MIBENCH_MIB_IOI"] == "/nowhere"
    assert "MIBENCH_SECRET" not in found.environment
    assert Path("/nowhere") not in found.read


def test_models_that_are_folders_are_seen(claim, tmp_path):
    from dataclasses import replace

    own = claim.job.model_copy(update={"folders": {MODEL: tmp_path / "model"}})
    (tmp_path / "model").mkdir()
    found = confinement_of(replace(claim, job=own))
    assert tmp_path / "model" in found.read
    assert known_folder(MODEL) not in found.read


def test_the_command_names_the_job_and_the_folder_for_records(claim):
    assert command_of(claim, ("score",)) == ["score", str(claim.file), str(claim.out)]


def test_names_of_workers_tell_the_dead_ones_of_this_machine():
    own = worker_name()
    assert own != worker_name()
    assert not is_gone(own)
    child = os.fork()
    if not child:
        os._exit(0)
    name = own.replace(f"-{os.getpid()}-", f"-{child}-")
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    assert is_gone(name)  # not yet buried
    os.waitpid(child, 0)
    assert is_gone(name)
    machine = own.split("-")[-3]
    assert not is_gone(name.replace(machine, "00000000"))
    assert not is_gone("somebody")
