"""Runs on Slurm and Ray give the records of one process, also where a node is killed while it works."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pretended_slurm
import pytest

from mibench.records.encode import stable_bytes
from mibench.records.store import Store

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
WHAT = ("--method", "eap", "--method", "random", "--split", "test", "--floor-draws", "2", "--seeds", "3")


@pytest.fixture
def serial(shell, ground, tmp_path):
    """The words of a run, and what its records are in one process."""
    words = ["run", *ground("tiny_gpt2"), *WHAT]
    ran = shell(*words, "--out", "serial")
    assert ran.status == 0, ran.err
    return words, contents(tmp_path / "serial")


def contents(folder):
    """Records without what may differ, and tables and artifacts as they are."""
    store, found = Store(folder), {}
    for path in folder.rglob("*"):
        inner = path.relative_to(folder)
        if path.is_file() and inner.parts[0] not in {"logs", ".claims", ".orders"} and path.suffix != ".json":
            found[str(inner)] = path.read_bytes()
    for record in store.query():
        found[record.cell.id] = stable_bytes(record)
    assert found
    return found


def about(folder):
    """Executors and command lines that the records of a folder name."""
    made = [record.volatile.provenance for record in Store(folder).query()]
    return {one.executor for one in made}, {tuple(one.command[1:3]) for one in made}


@pytest.mark.parametrize("cluster", ["local", "slurm"])
@pytest.mark.skipif(find_spec("submitit") is None, reason="submitit is not installed: pip install 'mibench[slurm]'")
def test_slurm_gives_the_records_of_one_process(cluster, serial, shell, tmp_path, monkeypatch):
    words, wanted = serial
    (tmp_path / "fake").mkdir()
    jobs = pretended_slurm.install(monkeypatch, tmp_path / "fake")
    flags = ["--executor", "slurm", "--scheduler", f"cluster={cluster}", "--workers", 2, "--out", "there"]
    ran = shell(*words, *flags, "--json")
    assert ran.status == 0, ran.err
    json.loads(ran.out)
    assert contents(tmp_path / "there") == wanted
    assert about(tmp_path / "there") == ({"slurm"}, {("run", "--model")})
    assert bool(list(jobs.glob("*.sh"))) is (cluster == "slurm")


@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install 'mibench[ray]'")
def test_ray_gives_the_records_of_one_process_and_prints_nothing_of_its_own(serial, shell, tmp_path):
    words, wanted = serial
    flags = ["--executor", "ray", "--scheduler", "object_store_memory=80000000", "--workers", 2, "--out", "there"]
    ran = shell(*words, *flags, "--json")
    assert ran.status == 0, ran.err
    json.loads(ran.out)
    assert "ray" not in ran.err.replace("--executor ray", "").lower()
    assert contents(tmp_path / "there") == wanted
    assert about(tmp_path / "there") == ({"ray"}, {("run", "--model")})


@pytest.fixture
def nodes(monkeypatch):
    """A cluster of Ray of two nodes of one processor; gives it and the second one."""
    if find_spec("ray") is None:
        pytest.skip("Ray is not installed: pip install 'mibench[ray]'")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_DEDUP_LOGS_SKIP_REGEX", ".")  # read once, when the first test imports Ray
    from ray.cluster_utils import Cluster

    own = {"num_cpus": 1, "object_store_memory": 80_000_000, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=own)
    yield cluster, cluster.add_node(num_cpus=1, object_store_memory=80_000_000)
    cluster.shutdown()


def test_a_node_of_ray_that_is_killed_while_it_works_loses_nothing(nodes, ground, shell, tmp_path):
    cluster, second = nodes
    words = ["run", *ground("tiny_gpt2"), *WHAT, "--seeds", "40"]
    command = [sys.executable, "-m", "mibench", *words, "--executor", "ray", "--workers", "2", "--out", "there"]
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    driver = subprocess.Popen(
        [*command, "--scheduler", f"address={cluster.address}"],
        cwd=tmp_path,
        env=env,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    raylet = second.all_processes["raylet"][0].process.pid
    end = time.monotonic() + 200
    while (worker := _stopped_at_work(tmp_path / "there", raylet)) is None:
        assert driver.poll() is None, driver.communicate()
        assert time.monotonic() < end, "nobody works on the second node"
        time.sleep(0.01)
    cluster.remove_node(second, allow_graceful=False)
    os.kill(worker, signal.SIGKILL)
    _, err = driver.communicate(timeout=280)
    assert driver.returncode == 0, err
    tries = [json.loads(line) for path in (tmp_path / "there" / "logs").glob("*.jsonl") for line in path.open()]
    assert any(one["attempt"] == 2 for one in tries), "nothing was lost, so nothing was tried"
    assert shell(*words, "--out", "serial").status == 0
    assert contents(tmp_path / "there") == contents(tmp_path / "serial")


def _stopped_at_work(folder, raylet):
    """A process of a node that was stopped in the middle of a cell; None: none is at one."""
    for pid in {event["pid"] for event in _told(folder) if _parent(event["pid"]) == raylet}:
        os.kill(pid, signal.SIGSTOP)
        *_, last = (event for event in _told(folder) if event["pid"] == pid)
        if last["event"] in {"started", "stage"}:
            return pid
        os.kill(pid, signal.SIGCONT)
    return None


def _told(folder):
    """Events of all workers, each worker's in their order."""
    for path in (folder / ".orders").glob("*/*"):
        if path.is_file() and path.suffix != ".json":
            for line in path.read_bytes().splitlines():
                with suppress(ValueError):
                    event = json.loads(line)
                    if isinstance(event, dict) and {"pid", "event"} <= set(event):
                        yield event


def _parent(pid):
    try:
        return int(Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[1])
    except OSError:
        return None
