"""A back-end is used only where it was seen to hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mibench.core.errors import SandboxError
from mibench.sandbox import backends
from mibench.sandbox.apptainer import Apptainer
from mibench.sandbox.bubblewrap import Bubblewrap
from mibench.sandbox.confine import Confinement
from mibench.sandbox.probe import fault_of
from mibench.sandbox.unshare import Unshare
from mibench.sandbox.view import View


class Open:
    """Confines nothing: the file system, the network and the environment are this machine's."""

    name, builds_root, own_system = "open", False, False

    def absent(self) -> None: ...

    def command_line(self, view: View, confinement: Confinement, first: tuple[str, ...]) -> list[str]:
        return list(first)


@pytest.fixture(autouse=True)
def _forget() -> None:
    backends._fault.cache_clear()


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def put(*known: object) -> None:
        monkeypatch.setattr(backends, "BACKENDS", {one.name: one for one in known})

    return put


def test_what_confines_nothing_is_found_out() -> None:
    fault = fault_of(Open())
    assert fault is not None
    for what in (
        "no file that is not named can be read",
        "no file is written outside",
        "no connection to this machine",
    ):
        assert what in fault


def test_a_backend_without_its_network_namespace_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    import mibench.sandbox.unshare as module

    if fault_of(Unshare()) is not None:
        pytest.skip(str(fault_of(Unshare())))
    kept = tuple(flag for flag in module._NAMESPACES if flag != "--net")
    monkeypatch.setattr(module, "_NAMESPACES", kept)
    assert "no connection to this machine" in str(fault_of(Unshare()))


def test_nothing_is_run_open_when_no_backend_holds(only: Callable[..., None]) -> None:
    only(Open(), Apptainer())
    with pytest.raises(SandboxError) as caught:
        backends.find_backend()
    assert "open: It does not hold" in caught.value.why
    assert "apptainer: The program apptainer is not installed." in caught.value.why


def test_the_first_that_holds_is_taken_and_tried_once(
    only: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def fault(backend: Open) -> str | None:
        tried.append(backend.name)
        return "broken" if backend.name == "bubblewrap" else None

    monkeypatch.setattr(backends, "fault_of", fault)
    only(Bubblewrap(), Unshare())
    assert [backends.find_backend().name for _ in range(2)] == ["unshare", "unshare"]
    assert tried == ["bubblewrap", "unshare"]
    with pytest.raises(SandboxError, match="safely"):
        backends.find_backend("bubblewrap")


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(SandboxError) as caught:
        backends.find_backend("docker")
    assert caught.value.why == "Known: auto, bubblewrap, apptainer, unshare."


def test_apptainer_needs_its_program_and_an_image(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MIBENCH_APPTAINER_IMAGE", raising=False)
    program = tmp_path / "apptainer"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "MIBENCH_APPTAINER_IMAGE does not name" in str(Apptainer().absent())
    monkeypatch.setenv("MIBENCH_APPTAINER_IMAGE", str(tmp_path / "image.sif"))
    assert "is not there" in str(Apptainer().absent())
    (tmp_path / "image.sif").touch()
    assert Apptainer().absent() is None


def test_the_command_line_of_apptainer_binds_what_is_seen_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MIBENCH_APPTAINER_IMAGE", "/images/python.sif")
    view = View((Path("/models"), Path("/opt/python")), tmp_path, ((Path("/mine"), Path("/models")),))
    confinement = Confinement((Path("/models"),), tmp_path, 1.0, 1, 1)
    line = Apptainer().command_line(view, confinement, ("python", "-c", "x"))
    assert line[1] == "exec"
    assert {"--containall", "--no-home", "--cleanenv", "--no-privs", "--net"} <= set(line)
    assert line[line.index("--network") + 1] == "none"
    bound = {line[place + 1] for place, word in enumerate(line) if word == "--bind"}
    assert bound == {
        "/models:/mine:ro",
        "/models:/models:ro",
        "/opt/python:/opt/python:ro",
        f"{tmp_path}:{tmp_path}:rw",
    }
    assert line[-4:] == ["/images/python.sif", "python", "-c", "x"]
