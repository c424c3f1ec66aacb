"""Slurm, pretended and through submitit's executors for one machine: what is called, and why it is lost."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pretended_slurm
import pytest
from called import TESTS, break_down, die, fail, most_at_once, note, stay, wait, wait_for

from mibench.core.errors import MibenchError, StoreError, UsageError
from mibench.runner.executors.calls import Failed
from mibench.runner.executors.executor import EXECUTORS, Lost, Means
from mibench.runner.observe import Quiet

if find_spec("submitit") is None:
    pytest.skip("submitit is not installed: pip install 'mibench[slurm]'", allow_module_level=True)


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Starts an executor, and closes it after the test."""
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    started = []

    def begin(workers=2, devices=(), **options):
        started.append(EXECUTORS.load("slurm")(Means(workers, tmp_path / "work", devices, options, Quiet())))
        return started[-1]

    yield begin
    for one in started:
        one.close()


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    """The folder of a pretended Slurm."""
    (tmp_path / "slurm").mkdir()
    return pretended_slurm.install(monkeypatch, tmp_path / "slurm")


def places(tmp_path, n):
    (tmp_path / "out").mkdir(exist_ok=True)
    return [tmp_path / "out" / str(number) for number in range(n)]


def submitted(jobs):
    return [path.read_text(encoding="utf-8") for path in sorted(jobs.glob("*.sh"))]


@pytest.mark.parametrize("cluster", [pytest.param("slurm", marks=pytest.mark.slow), "local"])
def test_workers_have_the_interpreter_folder_and_environment_of_the_driver(cluster, start, jobs, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.chdir(tmp_path)
    assert wait(start(cluster=cluster).call(note, places(tmp_path, 1))) == [None]
    about = json.loads((tmp_path / "out" / "0").read_text(encoding="utf-8"))
    assert (about["python"], about["folder"], about["words"]) == (sys.executable, str(tmp_path), sys.argv)
    assert about["environ"]["OMP_NUM_THREADS"] == "3"
    assert about["pid"] != os.getpid()


@pytest.mark.parametrize("cluster", ["slurm", "local"])
def test_workers_are_at_most_so_many_at_once_and_all_calls_come_to_an_end(cluster, start, jobs, tmp_path):
    wanted = places(tmp_path, 5)
    assert wait(start(workers=2, cluster=cluster).call(note, wanted)) == [None] * 5
    assert all(path.exists() for path in wanted)
    assert most_at_once(tmp_path / "out") <= 2


def test_what_is_submitted_at_once_is_one_array(start, jobs, tmp_path):
    found = start(workers=3)
    assert wait([*found.call(note, places(tmp_path, 4)), *found.call(note, places(tmp_path, 1))]) == [None] * 5
    arrays = [re.findall(r"--array=(\S+)", text) for text in submitted(jobs)]
    assert arrays == [["0-3%3"], []]


def test_slurm_is_told_what_it_is_to_be_told(start, jobs, tmp_path):
    options = {"partition": "long", "account": 7, "time_minutes": 90, "mem_gb": 8, "gpus": 1, "cpus": 4}
    more = {"qos": "low", "constraint": "h100", "setup": "export OF_SETUP=1", "additional_parameters": {"nice": 5}}
    assert wait(start(**options, **more).call(note, places(tmp_path, 1))) == [None]
    (text,) = submitted(jobs)
    flags = set(re.findall(r"#SBATCH --(\S+)", text))
    wanted = "partition=long account=7 time=90 mem=8GB gpus-per-node=1 cpus-per-task=4 qos=low constraint=h100 nice=5"
    assert {*wanted.split(), "no-requeue", "job-name=mibench"} <= flags
    assert json.loads((tmp_path / "out" / "0").read_text(encoding="utf-8"))["environ"]["OF_SETUP"] == "1"


@pytest.mark.parametrize("cluster", [pytest.param("slurm", marks=pytest.mark.slow), "local", "debug"])
def test_a_function_that_fails_says_why_and_the_others_go_on(cluster, start, jobs, tmp_path):
    found = start(cluster=cluster)
    failed, broken, fine = wait([found.call(one, places(tmp_path, 1))[0] for one in (fail, break_down, note)])
    assert isinstance(failed, StoreError)
    assert (failed.what, failed.do) == ("0 is full.", "Make room.")
    assert isinstance(broken, Failed)
    assert "ZeroDivisionError: by none" in broken.why
    assert fine is None


@pytest.mark.parametrize(
    ("state", "why", "memory"),
    [
        ("OUT_OF_MEMORY", "memory", True),
        ("PREEMPTED", "preempted", False),
        pytest.param("NODE_FAIL", "node", False, marks=pytest.mark.slow),
        pytest.param("TIMEOUT", "time limit", False, marks=pytest.mark.slow),
        pytest.param("FAILED", "FAILED", False, marks=pytest.mark.slow),
    ],
)
def test_a_worker_that_slurm_lost_is_lost_for_the_reason_that_slurm_gives(
    state, why, memory, start, jobs, tmp_path, monkeypatch
):
    monkeypatch.setenv(pretended_slurm.END, state)
    before = time.monotonic()
    lost, fine = wait([task for function in (die, note) for task in start().call(function, places(tmp_path, 1))])
    assert fine is None
    assert type(lost) is Lost
    assert why in lost.why
    assert lost.memory is memory
    assert time.monotonic() - before < 14, "it waited for a result that does not come"


@pytest.mark.parametrize("cluster", [pytest.param("slurm", marks=pytest.mark.slow), "local"])
def test_a_killed_worker_is_lost_and_says_so_at_once(cluster, start, jobs, tmp_path):
    found = start(cluster=cluster)
    (task,) = found.call(stay, places(tmp_path, 1))
    os.kill(int(wait_for(tmp_path / "out" / "0")), signal.SIGKILL)
    (lost,) = wait([task], seconds=14)
    assert type(lost) is Lost


def test_the_last_words_of_a_lost_worker_are_told_since_its_log_goes_with_the_run(start, jobs, tmp_path):
    said = "echo slurmstepd: error: Detected 1 oom_kill event in StepId=1.0 >&2"
    # What is run before a worker writes where sbatch says, without the names of its task.
    found = start(setup=[f"exec 2>> {tmp_path}/work/submitit/${{SLURM_JOB_ID}}_0_log.err", said, "exit 1"])
    (lost,) = wait(found.call(note, places(tmp_path, 1)), seconds=14)
    assert "state FAILED" in lost.why
    assert "Detected 1 oom_kill event" in lost.why
    assert lost.memory


@pytest.mark.slow
@pytest.mark.parametrize("cluster", ["slurm", "local"])
def test_a_cancelled_call_ends_and_so_do_those_of_a_closed_executor(cluster, start, jobs, tmp_path):
    found = start(workers=2, cluster=cluster)
    first, second, third = found.call(stay, places(tmp_path, 3))
    pids = [int(wait_for(tmp_path / "out" / name)) for name in "01"]
    third.cancel()
    first.cancel()
    assert [type(lost) for lost in wait([first, third], seconds=14)] == [Lost, Lost]
    found.close()
    assert wait([second], seconds=14) != [None]
    end = time.monotonic() + 5
    while any(Path(f"/proc/{pid}/cmdline").exists() for pid in pids):
        assert time.monotonic() < end, "a worker is still there"
        time.sleep(0.05)
    assert not (tmp_path / "out" / "2").exists()


def test_submitit_raises_nothing_inside_a_function_when_time_runs_out(start, tmp_path):
    (task,) = start(cluster="local").call(stay, places(tmp_path, 1))
    pid = int(wait_for(tmp_path / "out" / "0"))
    os.kill(pid, signal.SIGUSR2)
    time.sleep(0.3)
    assert not task.done()
    os.kill(pid, signal.SIGTERM)
    assert wait([task], seconds=10) != [None]


def test_what_submitit_says_of_an_interrupted_worker_goes_to_its_log(start, tmp_path, capfd):
    found = start(cluster="local", workers=1)
    (task,) = found.call(stay, places(tmp_path, 1))
    wait_for(tmp_path / "out" / "0")
    found.close()
    assert task.done()
    assert "Traceback" not in capfd.readouterr().err
    assert "KeyboardInterrupt" in (tmp_path / "work" / "submitit" / "local.err").read_text(encoding="utf-8")
    os.write(2, b"still here")
    assert "still here" in capfd.readouterr().err


def test_debugging_calls_in_this_process(start, tmp_path):
    assert wait(start(cluster="debug").call(note, places(tmp_path, 2))) == [None, None]
    assert json.loads((tmp_path / "out" / "1").read_text(encoding="utf-8"))["pid"] == os.getpid()


def test_what_slurm_refuses_is_said_in_its_words(start, jobs, tmp_path, capfd):
    with pytest.raises(MibenchError) as caught:
        start(partition=pretended_slurm.REFUSED).call(note, places(tmp_path, 2))
    assert "invalid partition specified: nowhere" in caught.value.why
    assert "sinfo" in caught.value.do
    assert capfd.readouterr().out == ""


def test_without_slurm_or_submitit_the_error_says_what_to_do(start, monkeypatch, tmp_path):
    with pytest.raises(UsageError, match="Slurm is not on this machine") as caught:
        start()
    assert "login node" in caught.value.do
    assert "cluster=local" in caught.value.do
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(UsageError, match="submitit is not installed") as caught:
        start(cluster="local")
    assert "mibench[slurm]" in caught.value.do


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"partitoin": "a"}, "Did you mean 'partition'"),
        ({"time_minutes": 0}, "time_minutes"),
        ({"mem_gb": "much"}, "mem_gb"),
        ({"gpus": -1}, "gpus"),
        ({"cluster": "moon"}, "cluster"),
        ({"setup": 3}, "setup"),
        ({"devices": ("cuda:0",)}, "Devices cannot be chosen"),
    ],
)
def test_options_that_do_not_fit_are_refused_with_the_nearest_that_do(options, said, start):
    with pytest.raises(UsageError) as caught:
        start(**options)
    assert said in str(caught.value)
