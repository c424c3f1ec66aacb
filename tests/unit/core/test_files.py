"""A file is whole or not there."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from mibench.core.errors import DataError, StoreError, UsageError
from mibench.core.files import (
    atomic_path,
    atomic_write,
    check_name,
    existing_file,
    exists,
    is_file,
    is_folder,
    read_text,
)


def no_space(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_text_and_bytes_are_written_and_folders_made(tmp_path: Path) -> None:
    atomic_write(tmp_path / "a" / "text", "é")
    atomic_write(tmp_path / "a" / "bytes", b"\x00")
    assert (tmp_path / "a" / "text").read_bytes() == "é".encode()
    assert (tmp_path / "a" / "bytes").read_bytes() == b"\x00"
    assert names(tmp_path / "a") == ["bytes", "text"]


@pytest.mark.parametrize("where", ["write_bytes", "open"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    atomic_write(tmp_path / "file", "old")
    with monkeypatch.context() as patch:
        patch.setattr(Path, where, no_space)
        with pytest.raises(StoreError) as caught:
            atomic_write(tmp_path / "file", "new")
    assert "No space left" in caught.value.why
    assert (tmp_path / "file").read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_a_failed_flush_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    atomic_write(tmp_path / "file", "old")
    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(StoreError):
        atomic_write(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_a_block_that_fails_leaves_the_old_file_and_its_own_error(tmp_path: Path) -> None:
    atomic_write(tmp_path / "file", "old")

    def stop_half_way() -> None:
        with atomic_path(tmp_path / "file") as temporary:
            temporary.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stop_half_way()
    assert (tmp_path / "file").read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_the_old_file_is_seen_until_the_block_ends(tmp_path: Path) -> None:
    atomic_write(tmp_path / "file", "old")
    with atomic_path(tmp_path / "file") as temporary:
        temporary.write_text("new")
        assert (tmp_path / "file").read_text() == "old"
    assert (tmp_path / "file").read_text() == "new"


def test_the_umask_decides_over_permissions(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        atomic_write(tmp_path / "file", "x")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


def test_a_folder_in_the_way_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(StoreError):
        atomic_write(tmp_path / "file", "x")
    assert names(tmp_path) == ["file"]


def test_missing_files_and_folders_are_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        existing_file(tmp_path / "none")
    with pytest.raises(UsageError) as caught:
        existing_file(tmp_path)
    assert caught.value.why == "It is a folder."


def test_reading_refuses_large_files_and_other_encodings(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes("é".encode("latin-1") * 4)
    with pytest.raises(DataError, match="as text"):
        read_text(tmp_path / "text")
    with pytest.raises(DataError, match="too large"):
        read_text(tmp_path / "text", max_bytes=3)


def test_reading_gives_the_text_at_the_very_limit(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("é", encoding="utf-8")
    assert read_text(tmp_path / "text", max_bytes=2) == "é"


def test_files_and_folders_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    places = (tmp_path / "file", tmp_path, tmp_path / "none", tmp_path / "file" / "below")
    assert [is_file(place) for place in places] == [True, False, False, False]
    assert [is_folder(place) for place in places] == [False, True, False, False]
    assert [exists(place) for place in places] == [True, True, False, False]
    for place in places:
        check_name(place)


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "/".join(["y" * 200] * 30)])
def test_a_name_that_no_file_can_have_is_no_file(name: str) -> None:
    assert [is_file(name), is_folder(name), exists(name)] == [False] * 3
    with pytest.raises(UsageError, match="cannot be read"):
        existing_file(name)
    with pytest.raises(UsageError, match="name of a file"):
        check_name(name)
