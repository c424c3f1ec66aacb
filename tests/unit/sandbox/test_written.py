"""Counting what somebody else wrote, without following it anywhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mibench.sandbox.written import TooMuchError, bytes_below


def test_files_of_all_levels_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    before = bytes_below(tmp_path)
    (tmp_path / "one").write_bytes(b"x" * 100_000)
    (tmp_path / "a" / "b" / "two").write_bytes(b"x" * 50_000)
    assert 150_000 <= bytes_below(tmp_path) - before < 170_000


def test_a_file_with_holes_counts_in_full(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(10**9)
    assert bytes_below(tmp_path) >= 10**9


def test_symlinks_lead_nowhere(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (outside / "big").write_bytes(b"x" * 1_000_000)
    (inside / "folder").symlink_to(outside)
    (inside / "file").symlink_to(outside / "big")
    (inside / "itself").symlink_to(inside)
    assert bytes_below(inside) < 100_000


def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert bytes_below(tmp_path) < 10_000


def test_what_is_too_deep_is_too_much(tmp_path: Path) -> None:
    (tmp_path / "/".join(["d"] * 70)).mkdir(parents=True)
    with pytest.raises(TooMuchError):
        bytes_below(tmp_path)


def test_too_many_entries_are_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mibench.sandbox.written._MOST_ENTRIES", 10)
    for number in range(11):
        (tmp_path / str(number)).touch()
    with pytest.raises(TooMuchError):
        bytes_below(tmp_path)
