"""A cluster of two nodes of Ray, of which one is killed; and what cannot be used."""

from __future__ import annotations

import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
from called import TESTS, note, stay, wait, wait_for

from mibench.core.errors import MibenchError, UsageError
from mibench.runner.executors import ray_cluster
from mibench.runner.executors.calls import surroundings
from mibench.runner.executors.executor import EXECUTORS, Lost, Means
from mibench.runner.executors.options import RayOptions
from mibench.runner.observe import Quiet

# Importing it here would come before what keeps it quiet.
if find_spec("ray") is None:
    pytest.skip("Ray is not installed: pip install 'mibench[ray]'", allow_module_level=True)


def begin(folder, workers=2, devices=(), **options):
    """Start an executor."""
    return EXECUTORS.load("ray")(Means(workers, folder / "work", devices, options, Quiet()))


def places(folder, *names):
    return [folder / name for name in names]


@pytest.fixture
def cluster(monkeypatch):
    """A cluster of a head and one node, each with one processor."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    own = {"num_cpus": 1, "object_store_memory": 80_000_000, "include_dashboard": False}
    found = Cluster(initialize_head=True, head_node_args=own)
    found.add_node(num_cpus=1, object_store_memory=80_000_000)
    yield found
    found.shutdown()


@pytest.mark.slow
def test_a_node_that_is_killed_loses_what_was_on_it_and_nothing_else(cluster, tmp_path, monkeypatch):
    _, other = cluster.list_all_nodes()
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    monkeypatch.setenv("MY_TOKEN", "of nobody's business")
    monkeypatch.chdir(tmp_path)
    found = begin(tmp_path, workers=2, address=cluster.address)
    try:
        at_work = found.call(stay, places(tmp_path, "a", "b"))
        parents = [_raylet(int(wait_for(tmp_path / name))) for name in "ab"]
        here = parents.index(other.all_processes["raylet"][0].process.pid)
        cluster.remove_node(other, allow_graceful=False)
        (lost,) = wait([at_work[here]])
        assert (type(lost), lost.memory) == (Lost, False)
        assert not at_work[1 - here].done()
        at_work[1 - here].cancel()
        assert wait(found.call(note, places(tmp_path, "again"))) == [None]
        about = json.loads((tmp_path / "again").read_text(encoding="utf-8"))
        assert (about["python"], about["folder"]) == (sys.executable, str(tmp_path))
        assert about["environ"]["OMP_NUM_THREADS"] == "5"
        assert "MY_TOKEN" not in about["environ"]
    finally:
        found.close()


def _raylet(pid):
    """The process that started a worker."""
    return int(Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[1])


def test_secrets_and_what_belongs_to_a_machine_are_not_sent(monkeypatch):
    for name in ("HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "WANDB_API_KEY", "CUDA_VISIBLE_DEVICES", "RAY_ADDRESS", "PWD"):
        monkeypatch.setenv(name, "x")
    for name in ("HF_HOME", "OMP_NUM_THREADS", "MIBENCH_CACHE", "TOKENIZERS_PARALLELISM"):
        monkeypatch.setenv(name, "x")
    sent = {name for name, value in surroundings().items() if value == "x"}
    assert sent == {"HF_HOME", "OMP_NUM_THREADS", "MIBENCH_CACHE", "TOKENIZERS_PARALLELISM"}


@pytest.mark.slow
def test_a_cluster_that_is_not_there_and_gpus_that_are_not_there_are_said(tmp_path):
    with pytest.raises(MibenchError, match="Ray cannot be reached") as caught:
        begin(tmp_path, address="127.0.0.1:1")
    assert "ray status" in caught.value.do
    with pytest.raises(UsageError, match="not enough GPUs") as caught:
        begin(tmp_path, num_gpus=64)
    assert "A worker asks for 64" in caught.value.why


def test_more_processors_than_this_machine_has_are_refused_before_ray_starts(tmp_path, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(UsageError, match="not enough processors") as caught:
        begin(tmp_path, num_cpus=(os.cpu_count() or 1) + 1)
    assert "this machine has" in caught.value.why


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"num_gpus": 1}, "not enough GPUs"),
        ({"memory": 2e9}, "not enough memory"),
        ({"resources": {"tape": 1}}, "not enough 'tape'"),
    ],
)
def test_what_a_ray_of_this_machine_has_not_is_refused_and_ray_ends(options, said):
    ended = []
    ray = SimpleNamespace(cluster_resources=lambda: {"CPU": 2.0, "memory": 1e9}, shutdown=lambda: ended.append(True))
    with pytest.raises(UsageError, match=said):
        ray_cluster._check_room(ray, RayOptions.model_validate(options))
    assert ended == [True]
    ray_cluster._check_room(ray, RayOptions(memory=1e9))


def test_without_ray_the_error_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match="Ray is not installed") as caught:
        begin(tmp_path)
    assert "mibench[ray]" in caught.value.do


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"adress": "auto"}, "Did you mean 'address'"),
        ({"num_cpus": -1}, "num_cpus"),
        ({"memory": "much"}, "memory"),
        ({"scheduling_strategy": "somewhere"}, "scheduling_strategy"),
        ({"devices": ("cuda:0",)}, "Devices cannot be chosen"),
    ],
)
def test_options_that_do_not_fit_are_refused_with_the_nearest_that_do(options, said, tmp_path):
    with pytest.raises(UsageError) as caught:
        begin(tmp_path, **options)
    assert said in str(caught.value)
