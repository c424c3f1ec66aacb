"""Shared fixtures: fixed seeds, the golden folders, the real model."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from mibench.sandbox.confine import Backend

# Before torch starts its threads: workers of the test run share the cores, and small products are slower on more.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same examples in every run: a change is judged by the change alone. `make fuzz`, or HYPOTHESIS_PROFILE=default,
# looks for new ones.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

# A shell that starts tests in the background has them, and all that they start, ignore Ctrl-C, which some tests send.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(autouse=True)
def _fixed_seeds() -> None:
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002  for libraries that draw from the global generator
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(scope="session")
def golden() -> Path:
    """Folder of the reference vectors."""
    return GOLDEN


@pytest.fixture(scope="session")
def smollm2_folder() -> Path:
    """The converted SmolLM2-135M; `make test` pulls it before the tests, and this does when run alone."""
    from mibench.models.pull import pull

    return pull("smollm2-135m")


@pytest.fixture(scope="session")
def backend() -> Backend:
    """What confines strangers' code on this machine; without one, a test is skipped."""
    from mibench.core.errors import SandboxError
    from mibench.sandbox.backends import find_backend

    try:
        return find_backend()
    except SandboxError as error:
        pytest.skip(str(error))


@pytest.fixture
def private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder of its own for a test."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("MIBENCH_CACHE", str(folder))
    return folder


@pytest.fixture
def tiny(tmp_path: Path) -> Callable[[str], Path]:
    """Copies the checkpoint files of a golden model (tiny_gpt2, …) to a folder that the test may change."""

    def copy(name: str) -> Path:
        target = tmp_path / name
        target.mkdir()
        for file in ("config.json", "model.safetensors"):
            shutil.copy(GOLDEN / name / file, target / file)
        return target

    return copy
