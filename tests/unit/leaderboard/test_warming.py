"""Several processes make a large board: the same bytes, and nothing is left to make."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mibench.core.errors import StoreError, UsageError
from mibench.leaderboard import warming
from mibench.leaderboard.board import cold_tables
from mibench.leaderboard.build import build

from .conftest import DEAD, FAIR, GOOD, Shelf, bytes_of


@pytest.fixture
def filled(shelf: Shelf) -> Path:
    for task in ("ioi", "mcqa"):
        shelf.add("eap", GOOD, draw=1, task=task)
        shelf.add("other", FAIR, task=task)
        shelf.add("random", DEAD, seed=0, task=task)
    shelf.fail("broken", task="mcqa")
    return shelf.store.folder


@pytest.fixture
def _several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warming, "LEAST", 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})


@pytest.mark.usefixtures("_several")
def test_several_processes_give_the_bytes_of_one(filled, tmp_path):
    build([filled], tmp_path / "alone")
    kept = tmp_path / "kept"
    assert sorted(cold_tables(filled, kept).values()) == [3, 4]
    warming.warm(filled, kept)
    assert cold_tables(filled, kept) == {}
    build([filled], tmp_path / "together", kept=kept)
    assert bytes_of(tmp_path / "together") == bytes_of(tmp_path / "alone")


@pytest.mark.usefixtures("_several")
def test_what_is_broken_is_said_as_by_one_process(filled, tmp_path):
    next(filled.rglob("eap/*.json")).write_bytes(b"nothing")
    with pytest.raises(StoreError):
        warming.warm(filled, tmp_path / "kept")
    with pytest.raises(UsageError):
        warming.warm(tmp_path / "none", tmp_path / "kept")


def test_no_process_is_started_for_little(filled, tmp_path, monkeypatch):
    monkeypatch.setattr(warming, "ProcessPoolExecutor", lambda *given, **named: pytest.fail("it was"))
    warming.warm(filled, tmp_path / "kept")
