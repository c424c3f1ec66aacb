"""Confinements that make no sense are refused before anything runs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from mibench.core.errors import SandboxError
from mibench.sandbox.confine import Confinement


@pytest.fixture
def good(tmp_path: Path) -> Confinement:
    return Confinement((), tmp_path, 1.0, 1, 1)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seconds": 0.0}, "seconds"),
        ({"seconds": float("nan")}, "seconds"),
        ({"seconds": float("inf")}, "seconds"),
        ({"memory_bytes": -1}, "memory_bytes"),
        ({"file_bytes": 0}, "file_bytes"),
        ({"processes": 0}, "processes"),
        ({"write": Path("/no/such")}, "/no/such"),
        ({"read": (Path("/no/such"),)}, "/no/such"),
        ({"read": (Path("/"),)}, "must not see"),
        ({"read": (Path("/usr/../proc"),)}, "must not see"),
        ({"environment": {"A=B": "c"}}, "A=B"),
        ({"environment": {"": "c"}}, "variable"),
        ({"environment": {"A": "b\0c"}}, "variable"),
    ],
)
def test_what_cannot_be_confined_is_refused_by_name(good: Confinement, change: dict[str, Any], named: str) -> None:
    with pytest.raises(SandboxError) as caught:
        dataclasses.replace(good, **change).check()
    assert named in caught.value.why


def test_a_home_folder_is_never_seen_whole(good: Confinement) -> None:
    with pytest.raises(SandboxError):
        dataclasses.replace(good, read=(Path.home(),)).check()


def test_only_named_variables_are_handed_on(good: Confinement, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("HF_TOKEN", "secret")
    variables = dataclasses.replace(good, environment={"LANG": "C", "MINE": "1"}).variables
    assert variables["OMP_NUM_THREADS"] == "3"
    assert variables["HF_HUB_OFFLINE"] == variables["TRANSFORMERS_OFFLINE"] == variables["MINE"] == "1"
    assert variables["LANG"] == "C"
    assert "secret" not in variables.values()
    assert variables["HOME"] == "/tmp"
