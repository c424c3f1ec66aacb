"""Runs that lose workers, drivers, disk and memory end with the records of a run that lost nothing."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from mibench.records.encode import parse_record, stable_bytes
from mibench.records.store import Store

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "tests" / "golden" / "tiny_gpt2"
WORKING = {"logs", ".claims", ".orders"}


def pairs(folder: Path, n_tasks: int) -> list[str]:
    """Writes tasks of four pairs each."""
    lines = (MODEL / "pairs_A.jsonl").read_text().splitlines() + (MODEL / "pairs_B.jsonl").read_text().splitlines()
    files = [folder / f"pairs{number}.jsonl" for number in range(n_tasks)]
    for number, file in enumerate(files):
        file.write_text("\n".join(lines[number : number + 4]) + "\n")
    return [str(file) for file in files]


def words(folder: Path, *, n_tasks: int, seeds: int, methods: tuple[str, ...] = ("eap", "random")) -> list[str]:
    tasks = [word for file in pairs(folder, n_tasks) for word in ("--task", file)]
    asked = [word for method in methods for word in ("--method", method)]
    common = ["--model", str(MODEL), "--split", "test", "--floor-draws", "2", "--seeds", str(seeds)]
    return ["run", *tasks, *asked, *common]


def contents(folder: Path) -> dict[str, bytes]:
    """Records without what may differ, and all files beside them; every record is whole."""
    store, found = Store(folder), {}
    for path in folder.rglob("*"):
        if not path.is_file() or WORKING & {*path.relative_to(folder).parts} or path.suffix == ".tmp":
            continue
        found[str(path.relative_to(folder))] = path.read_bytes()
        if path.suffix == ".json":
            record = parse_record(path.read_bytes(), source=str(path))
            assert record.status != "ok" or store.artifact(record).is_file()
            found[str(path.relative_to(folder))] = stable_bytes(record)
    return found


def n_records(folder: Path) -> int:
    found = 0
    for _, folders, files in os.walk(folder):  # which does not mind folders that go meanwhile
        folders[:] = [name for name in folders if name not in WORKING]
        found += sum(name.endswith(".json") for name in files)
    return found


def tries(folder: Path) -> dict[str, list[dict[str, object]]]:
    """The log of each cell."""
    logs = sorted((folder / "logs").glob("*.jsonl"))
    return {path.stem: [json.loads(line) for line in path.read_text().splitlines()] for path in logs}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `python -m mibench` beside this process."""
    started: list[subprocess.Popen[str]] = []

    def call(*given: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "mibench", *map(str, given)]
        env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen(command, text=True, cwd=tmp_path, env=env, **pipes))
        return started[-1]

    yield call
    for one in started:
        one.kill()
        one.wait()


def finished(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, err = process.communicate(timeout=280)
    return process.returncode, err


def workers_of(driver: subprocess.Popen[str]) -> list[psutil.Process]:
    found = []
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(driver.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if "spawn_main" in " ".join(child.cmdline()):
                    found.append(child)
    return found


def wait_for(condition: Callable[[], object], seconds: float = 240.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


def test_workers_give_the_records_of_one_process(run, start, tmp_path):
    given = words(tmp_path, n_tasks=2, seeds=3)
    assert run(*given, "--out", "serial").status == 0
    status, err = finished(start(*given, "--out", "process", "--executor", "process", "--workers", 2))
    assert status == 0, err
    assert contents(tmp_path / "process") == contents(tmp_path / "serial")
    assert len(contents(tmp_path / "serial")) == 2 * 4 * 4
    assert "[8/8]" in err
    for path in (tmp_path / "process").rglob("*.json"):
        assert parse_record(path.read_bytes(), source="").volatile.provenance.executor == "process"
    assert {one["executor"] for log in tries(tmp_path / "process").values() for one in log} == {"process"}
    assert len({one["pid"] for log in tries(tmp_path / "process").values() for one in log}) == 2


def test_a_worker_that_ends_as_if_all_were_well_is_lost_and_its_cell_given_up(run, tmp_path):
    (tmp_path / "my.py").write_text(
        "import os\n\ndef leaves(view):\n    os._exit(0)\n\n"
        "def stays(view):\n    return view.scores(view.attribute())\n"
    )
    given = ["run", "--task", pairs(tmp_path, 1)[0], "--model", str(MODEL), "--floor-draws", 0]
    both = ["--method", f"{tmp_path}/my.py:leaves", "--method", f"{tmp_path}/my.py:stays"]
    assert run(*given, *both, "--out", "r", "--executor", "process").status == 1
    found = {one.cell.method.name: one for one in Store("r").query()}
    assert (found["leaves"].status, found["stays"].status) == ("failed", "ok")
    assert "3 workers were lost at it. Its process ended with status 0" in found["leaves"].problem.why


@pytest.mark.slow
def test_a_driver_that_is_killed_leaves_no_worker(start, tmp_path):
    driver = start(*words(tmp_path, n_tasks=1, seeds=200), "--out", "r", "--executor", "process", "--workers", 2)
    wait_for(lambda: n_records(tmp_path / "r") > 3)
    workers = workers_of(driver)
    assert len(workers) == 2
    driver.kill()
    driver.wait()
    wait_for(lambda: not any(one.is_running() and one.status() != "zombie" for one in workers), 10.0)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_ends_its_workers_and_says_how_to_go_on(start, tmp_path, how):
    driver = start(*words(tmp_path, n_tasks=1, seeds=200), "--out", "r", "--executor", "process", "--workers", 1)
    wait_for(lambda: n_records(tmp_path / "r") > 1)
    workers = workers_of(driver)
    driver.send_signal(how)
    status, err = finished(driver)
    assert status == 130
    assert "run the same command again" in err
    assert "Traceback" not in err
    wait_for(lambda: not any(one.is_running() and one.status() != "zombie" for one in workers), 10.0)
    assert not list((tmp_path / "r").glob(".orders/*"))


def test_two_runs_on_one_folder_run_each_cell_once(start, tmp_path):
    given = [*words(tmp_path, n_tasks=2, seeds=12), "--out", "r"]
    both = [start(*given), start(*given)]
    for one in both:
        status, err = finished(one)
        assert status == 0, err
    found = tries(tmp_path / "r")
    assert len(found) == 26
    assert {len(log) for log in found.values()} == {1}
    assert len({one["pid"] for log in found.values() for one in log}) == 2


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 400 KiB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("executor", ["serial", pytest.param("process", marks=pytest.mark.slow)])
def test_a_full_disk_is_told_and_a_run_goes_on_when_there_is_space(run, tmp_path, small_disk, executor):
    given = words(tmp_path, n_tasks=1, seeds=12)
    assert run(*given, "--out", "whole").status == 0
    how = ["--out", small_disk / "r", "--executor", executor]
    ran = run(*given, *how)
    assert ran.status == 1
    assert "No space left on device" in ran.err
    assert "Traceback" not in ran.err + ran.out
    assert 0 < n_records(small_disk / "r") < 13
    assert contents(small_disk / "r").items() <= contents(tmp_path / "whole").items()
    subprocess.run(["mount", "-o", "remount,size=50m", str(small_disk)], check=True)
    again = run(*given, *how)
    assert again.status == 0, again.err
    assert "from the store" in again.err
    assert contents(small_disk / "r") == contents(tmp_path / "whole")


STUBBORN = """
import time

def stubborn(view):
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass
"""


@pytest.mark.slow
def test_a_cell_that_cannot_be_stopped_is_given_up_and_the_others_go_on(run, tmp_path):
    (tmp_path / "my.py").write_text(STUBBORN)
    given = words(tmp_path, n_tasks=1, seeds=3, methods=("my.py:stubborn", "random", "eap"))
    ran = run(*given, "--out", "r", "--executor", "process", "--workers", 1, "--time-limit", 3)
    assert ran.status == 1
    assert "stubborn was given up" in ran.err
    assert "a cell may take 3 seconds" in ran.err
    found = {one.cell.method.name: one.status for one in Store(tmp_path / "r").query()}
    assert found == {"stubborn": "failed", "random": "ok", "eap": "ok"}


@contextlib.contextmanager
def stopped(driver: subprocess.Popen[str]) -> Iterator[None]:
    """While it lasts, a run stands still."""
    all_of_it = [psutil.Process(driver.pid), *workers_of(driver)]
    for process in all_of_it:
        with contextlib.suppress(psutil.Error):
            process.suspend()
    try:
        yield
    finally:
        for process in all_of_it:
            with contextlib.suppress(psutil.Error):
                process.resume()


class Saboteur:
    """Kills workers and drivers of a run at random until it has killed enough."""

    def __init__(self, start: Callable[..., subprocess.Popen[str]], given: list[object], folder: Path) -> None:
        self.start, self.given, self.folder = start, given, folder
        self.draw = random.Random(7)
        self.killed = {"driver": 0, "worker": 0}

    def kill(self, times: int) -> None:
        driver = self.start(*self.given)
        while sum(self.killed.values()) < times:
            before = n_records(self.folder)
            more = before + self.draw.randint(2, 5)
            wait_for(lambda more=more, driver=driver: n_records(self.folder) >= more or driver.poll() is not None)
            time.sleep(self.draw.uniform(0.0, 0.05))
            assert driver.poll() is None, driver.communicate()
            workers = workers_of(driver)
            if self.draw.random() < 0.4:
                driver.kill()
                driver.wait()
                self.killed["driver"] += 1
                driver = self.start(*self.given)
            elif workers:
                with contextlib.suppress(psutil.Error):
                    self.draw.choice(workers).kill()
                    self.killed["worker"] += 1
            with stopped(driver):  # a fast machine would end the run while its records are looked at
                assert len(contents(self.folder)) >= before
        status, err = finished(driver)
        assert status == 0, err


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_two_hundred_cells_that_are_interrupted_twenty_times_end_as_if_nothing_had_been(run, start, tmp_path):
    given = words(tmp_path, n_tasks=4, seeds=49)
    assert run(*given, "--out", "whole").status == 0
    saboteur = Saboteur(start, [*given, "--out", "r", "--executor", "process", "--workers", 2], tmp_path / "r")
    saboteur.kill(20)
    assert min(saboteur.killed.values()) >= 4, saboteur.killed
    whole = contents(tmp_path / "whole")
    assert len([name for name in whole if name.endswith(".json")]) == 200
    assert contents(tmp_path / "r") == whole
    assert run(*given, "--out", "r").err.count("from the store") == 200
