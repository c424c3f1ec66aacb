"""Every back-end that holds on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from confined import Confined

from mibench.core.errors import SandboxError
from mibench.sandbox.backends import find_backend
from mibench.sandbox.confine import Backend


def found_backend(name: str) -> Backend:
    try:
        return find_backend(name)
    except SandboxError as error:
        pytest.skip(error.why)


@pytest.fixture(params=["unshare", "bubblewrap"])
def confined(request: pytest.FixtureRequest, tmp_path: Path) -> Confined:
    """Every back-end in turn."""
    (tmp_path / "write").mkdir()
    return Confined(found_backend(request.param), tmp_path / "write", tmp_path)


@pytest.fixture
def unshared(tmp_path: Path) -> Confined:
    """The back-end that is in every Linux."""
    (tmp_path / "write").mkdir()
    return Confined(found_backend("unshare"), tmp_path / "write", tmp_path)
