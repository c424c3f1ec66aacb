"""The whole command line on the tiny golden models: in this process where that is enough, else in its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mibench.cli.main import main
from mibench.records.record import RunRecord
from mibench.records.store import Store

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"


@dataclass(frozen=True)
class Ran:
    """What a command gave."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture(scope="session")
def ground() -> Callable[..., list[str]]:
    """Gives the flags for a golden model and its pairs."""

    def on(name: str, which: str = "A") -> list[str]:
        return ["--model", str(GOLDEN / name), "--task", str(GOLDEN / name / f"pairs_{which}.jsonl")]

    return on


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs a command in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*words: object) -> Ran:
        status = 0
        try:
            main([str(word) for word in words])
        except SystemExit as stop:
            status = int(stop.code or 0)
        captured = capsys.readouterr()
        return Ran(status, captured.out, captured.err)

    return call


@pytest.fixture
def shell(tmp_path: Path) -> Run:
    """Runs `python -m mibench` in a process of its own, in an empty folder."""

    def call(*words: object) -> Ran:
        command = [sys.executable, "-m", "mibench", *map(str, words)]
        env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env, timeout=120, check=False)
        return Ran(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture
def records() -> Callable[[Path], dict[str, RunRecord]]:
    """Records of a folder by cell id."""
    return lambda folder: {record.cell.id: record for record in Store(folder).query()}


@pytest.fixture(autouse=True)
def _no_modules_of_users() -> Iterator[None]:
    modules, path = set(sys.modules), list(sys.path)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if "/pytest-" in (getattr(sys.modules[name], "__file__", None) or ""):
            del sys.modules[name]


@pytest.fixture(scope="session")
def check_message() -> Callable[..., None]:
    """Checks that a failure says what, why and what to do, on standard error, within a screen, without a traceback."""

    def check(ran: Ran, status: int, *words: str) -> None:
        assert ran.status == status, ran.out + ran.err
        assert "Traceback" not in ran.out + ran.err
        lines = [line for line in ran.err.splitlines() if not line.startswith("[")]
        assert 0 < len(lines) <= 24
        for word in words:
            assert word in " ".join(ran.err.split()), ran.err

    return check
