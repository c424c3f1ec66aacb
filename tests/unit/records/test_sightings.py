"""A file is read again wherever it may have changed."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from mibench.records import sightings
from mibench.records.sightings import Sightings


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def patient(monkeypatch):
    """As if every look came long after the last change."""
    now = time.time_ns
    monkeypatch.setattr(sightings.time, "time_ns", lambda: now() + 10_000_000_000)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "one.json").write_bytes(b"one")
    (tmp_path / "two.parquet").write_bytes(b"two")
    return tmp_path


def look(folder: Path, known: object = None) -> tuple[Sightings, dict[str, str | None]]:
    seen = Sightings(folder, known)
    return seen, {name: seen.sha256(name) for name in sorted(seen.stamps)}


def test_digests_are_of_the_files_and_an_absent_one_has_none(folder: Path) -> None:
    seen, found = look(folder)
    assert found == {"a/b/one.json": sha256(b"one"), "two.parquet": sha256(b"two")}
    assert seen.sha256("three") is None
    assert Sightings(folder / "nowhere").stamps == {}


@pytest.mark.usefixtures("patient")
def test_an_unchanged_file_is_not_read_again(folder: Path, monkeypatch) -> None:
    seen, found = look(folder)
    told = seen.told()
    monkeypatch.setattr(Path, "read_bytes", lambda _: b"read again")
    assert look(folder, told)[1] == found


@pytest.mark.usefixtures("patient")
def test_a_change_of_equal_size_and_modification_time_is_noticed(folder: Path) -> None:
    path = folder / "two.parquet"
    before = path.stat()
    told = look(folder)[0].told()
    time.sleep(0.05)  # more than a tick of the file system's clock
    path.write_bytes(b"owt")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns, after.st_ino) == (before.st_size, before.st_mtime_ns, before.st_ino)
    assert look(folder, told)[1]["two.parquet"] == sha256(b"owt")


@pytest.mark.usefixtures("patient")
def test_a_file_that_took_the_place_of_another_is_noticed(folder: Path) -> None:
    told = look(folder)[0].told()
    (folder / "new").write_bytes(b"six")
    (folder / "new").replace(folder / "two.parquet")
    assert look(folder, told)[1]["two.parquet"] == sha256(b"six")


def test_a_file_that_changed_just_now_is_not_trusted_the_next_time(folder: Path) -> None:
    assert look(folder)[0].told() == {}


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("known", [None, [], "x", {"two.parquet": None}, {"two.parquet": [3, "x"]}, {"gone": [1]}])
def test_what_is_not_of_its_form_is_ignored(folder: Path, known: object) -> None:
    assert look(folder, known)[1] == look(folder)[1]
