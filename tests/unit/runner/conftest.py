"""Settings of runs on the tiny golden models, and methods in files of a user."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mibench.runner.settings import RunSettings, run_settings

GOLDEN = Path(__file__).parents[2] / "golden"
MODEL = str(GOLDEN / "tiny_gpt2")
TASK = str(GOLDEN / "tiny_gpt2" / "pairs_A.jsonl")


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., RunSettings]:
    """Settings of a run; what is not said is small."""

    def make(**values: Any) -> RunSettings:
        known = {"task": TASK, "model": MODEL, "method": "eap", "out": str(tmp_path / "records"), "floor_draws": 0}
        return run_settings(known | values)

    return make


@pytest.fixture(autouse=True)
def _no_modules_of_users() -> Iterator[None]:
    """Forgets what user files import, so that every test reads its own."""
    modules, path = set(sys.modules), list(sys.path)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if "/pytest-" in (getattr(sys.modules[name], "__file__", None) or ""):
            del sys.modules[name]


@pytest.fixture
def user_file(tmp_path: Path) -> Callable[..., str]:
    """Writes a user's Python file and gives its path."""

    def write(text: str, name: str = "my.py") -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)

    return write
