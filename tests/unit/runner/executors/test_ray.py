"""A Ray of this machine: what is called, how, and why it is lost."""

from __future__ import annotations

import json
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from called import TESTS, break_down, die, fail, most_at_once, note, stay, wait, wait_for

from mibench.core.errors import StoreError
from mibench.runner.executors.calls import Failed
from mibench.runner.executors.executor import EXECUTORS, Lost, Means
from mibench.runner.observe import Quiet

# Importing it here would come before what keeps it quiet.
if find_spec("ray") is None:
    pytest.skip("Ray is not installed: pip install 'mibench[ray]'", allow_module_level=True)


def begin(folder, workers=2, devices=(), **options):
    """Start an executor."""
    return EXECUTORS.load("ray")(Means(workers, folder / "work", devices, options, Quiet()))


def places(folder, *names):
    return [folder / name for name in names]


@pytest.fixture(scope="module")
def here():
    """A Ray of this machine."""
    folder = Path.cwd()
    patch = pytest.MonkeyPatch()
    patch.setenv("PYTHONPATH", str(TESTS))
    patch.setenv("OMP_NUM_THREADS", "3")
    found = begin(folder, workers=2, object_store_memory=80_000_000)
    yield found
    found.close()
    patch.undo()


@pytest.mark.slow
def test_workers_have_the_interpreter_folder_and_environment_of_the_driver(here, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert wait(here.call(note, places(tmp_path, "0"))) == [None]
    about = json.loads((tmp_path / "0").read_text(encoding="utf-8"))
    assert (about["python"], about["folder"], about["words"]) == (sys.executable, str(tmp_path), sys.argv)
    assert (about["environ"]["OMP_NUM_THREADS"], about["environ"]["RAY_USAGE_STATS_ENABLED"]) == ("3", "0")


@pytest.mark.slow
def test_workers_are_at_most_so_many_at_once_and_their_processes_serve_again(here, tmp_path):
    wanted = places(tmp_path, *"012345")
    assert wait(here.call(note, wanted)) == [None] * 6
    assert most_at_once(tmp_path) <= 2
    assert len({json.loads(path.read_text(encoding="utf-8"))["pid"] for path in wanted}) <= 3


@pytest.mark.slow
def test_what_fails_is_told_from_what_is_lost_and_ray_says_nothing_by_itself(here, tmp_path, capfd):
    calls = [(fail, "0"), (break_down, "1"), (die, "2"), (note, "3"), (stay, "4"), (stay, "5")]
    tasks = [here.call(function, places(tmp_path, name))[0] for function, name in calls]
    tasks[5].cancel()
    failed, broken, dead, fine = wait(tasks[:4])
    tasks[4].done()
    wait_for(tmp_path / "4")
    tasks[4].cancel()
    lost = [dead, *wait(tasks[4:])]
    assert isinstance(failed, StoreError)
    assert failed.do == "Make room."
    assert (type(broken), fine) == (Failed, None)
    assert "ZeroDivisionError: by none" in broken.why
    assert [(type(one), one.why) for one in lost] == [
        (Lost, "Its worker died."),
        (Lost, "It was cancelled."),
        (Lost, "It was cancelled before it began."),
    ]
    assert not any(one.memory for one in lost)
    time.sleep(1)  # what nodes say comes a little later
    said = capfd.readouterr()
    assert said.out == ""


@pytest.mark.slow
def test_what_ray_kills_for_its_memory_is_lost_for_memory(here, tmp_path, monkeypatch):
    import ray

    (task,) = here.call(note, places(tmp_path, "0"))
    wait([task])

    def killed(reference):
        raise ray.exceptions.OutOfMemoryError("Task was killed due to the node running low on memory.")

    monkeypatch.setattr(ray, "get", killed)
    assert task.lost().memory
