from __future__ import annotations

import shutil

import pytest

from mibench.cli import checkup
from mibench.core.errors import ModelError


def found(run, *words):
    ran = run("doctor", "--json", *words)
    return ran.status, {check["name"]: check for check in ran.json}


def test_a_machine_in_order_is_status_0(run, smollm2_folder):
    status, checks = found(run)
    assert status == 0
    assert {check["status"] for check in checks.values()} <= {"ok", "warning"}
    for name in ("python", "packages", "torch", "data", "smollm2-135m"):
        assert checks[name]["status"] == "ok"
    assert all(bool(check["fix"]) == (check["status"] != "ok") for check in checks.values())


def test_a_model_that_is_not_here_is_a_warning_with_the_command_that_fetches_it(run, private_cache):
    status, checks = found(run)
    assert status == 0
    assert checks["smollm2-135m"]["status"] == "warning"
    assert checks["smollm2-135m"]["fix"] == "mibench models pull smollm2-135m"
    assert "mibench models pull smollm2-135m" in run("doctor").out


def test_changed_weights_are_broken_and_status_1(run, private_cache, smollm2_folder):
    copy = private_cache / "models" / smollm2_folder.name
    shutil.copytree(smollm2_folder, copy, ignore=shutil.ignore_patterns("*.safetensors"))
    (copy / "model.safetensors").write_bytes(b"x")
    status, checks = found(run)
    assert status == 1
    assert checks["smollm2-135m"]["fix"].startswith(f"rm -r {copy} && mibench models pull")


def test_a_cache_that_cannot_be_written_is_broken(run, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MIBENCH_CACHE", str(tmp_path / "file"))
    status, checks = found(run)
    assert status == 1
    assert checks["cache"]["status"] == "broken"
    assert "MIBENCH_CACHE" in checks["cache"]["fix"]


def test_changed_data_are_broken(tmp_path, monkeypatch):
    from mibench.tasks import shipped

    folder = tmp_path / "data" / "ioi"
    shutil.copytree(shipped.data_folder("ioi"), folder)
    monkeypatch.setattr(shipped, "shipped_places", lambda *parts: [tmp_path.joinpath(*parts)])
    assert checkup.check_data().found == "3 files of 1 folders fit their digests"
    with (folder / "test.jsonl").open("a") as stream:
        stream.write("\n")
    assert checkup.check_data().status == "broken"
    (folder / "test.jsonl").unlink()
    assert checkup.check_data().status == "broken"
    (folder / "digests.json").write_text("[]")
    assert checkup.check_data().status == "broken"


def test_missing_and_old_packages_are_named_with_the_command(monkeypatch):
    monkeypatch.setattr(checkup.metadata, "requires", lambda _: ["numpy>=999", "no-such-thing>=1", "x; extra == 'dev'"])
    checks = {check.name: check for check in checkup.check_packages()}
    assert set(checks) == {"numpy", "no-such-thing"}
    assert {check.status for check in checks.values()} == {"broken"}
    assert checks["numpy"].fix == "pip install 'numpy>=999'"
    assert checks["no-such-thing"].found.startswith("not installed")


@pytest.mark.parametrize(("threads", "status"), [(1, "ok"), (4, "ok"), (5, "warning")])
def test_more_threads_than_cores_are_a_warning(threads, status):
    check = checkup.check_threads(threads, 4)
    assert check.status == status
    assert check.fix == ("export OMP_NUM_THREADS=4" if status == "warning" else "")


def test_little_memory_is_a_warning(monkeypatch):
    monkeypatch.setattr(checkup, "_container_memory", lambda: iter([2**30]))
    check = checkup.check_memory()
    assert (check.status, check.found) == ("warning", "1.0 GiB free")


def test_a_model_is_loaded_and_put_through_the_self_check(run, tiny, monkeypatch):
    folder = tiny("tiny_llama")
    status, checks = found(run, "--model", folder)
    assert (status, checks[f"model {folder}"]["status"]) == (0, "ok")

    def fail(_):
        raise ModelError("The patched run differs.", why="By 0.5.", do="Use eager attention.")

    monkeypatch.setattr("mibench.engine.selfcheck.self_check", fail)
    status, checks = found(run, "--model", folder)
    assert status == 1
    assert checks[f"model {folder}"]["found"] == "The patched run differs. By 0.5."
    assert checks[f"model {folder}"]["fix"] == "Use eager attention."


def test_a_model_that_does_not_exist_is_broken_and_not_a_crash(run):
    status, checks = found(run, "--model", "smolm")
    assert status == 1
    assert "smollm2-135m" in checks["model smolm"]["fix"]
