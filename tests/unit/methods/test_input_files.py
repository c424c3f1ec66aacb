"""A file that a method reads is part of its cell by content."""

from __future__ import annotations

from typing import Annotated, Any

from mibench.methods.method import InputFile, Method


def reading(view: Any, *, book: Annotated[str, InputFile()], page: int = 1) -> None:
    """Read a book."""


METHOD = Method(reading, "reading", track="variable")


def test_the_content_of_a_file_counts_and_not_its_place(tmp_path):
    one, two = tmp_path / "one" / "book.bin", tmp_path / "two" / "book.bin"
    for path in (one, two):
        path.parent.mkdir()
        path.write_bytes(b"once")
    first, second = (METHOD.content({"book": str(path), "page": 1}) for path in (one, two))
    assert first == second
    assert list(first) == ["book_sha256"]
    two.write_bytes(b"twice")
    assert METHOD.content({"book": str(two), "page": 1}) != first


def test_all_files_of_a_folder_count(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    before = METHOD.content({"book": str(tmp_path)})
    (tmp_path / "b").write_bytes(b"2")
    assert METHOD.content({"book": str(tmp_path)}) != before


def test_what_is_not_there_has_no_content(tmp_path):
    assert METHOD.content({"book": str(tmp_path / "none")}) == {"book_sha256": ""}


def test_the_dictionary_of_masked_dictionaries_is_such_a_file():
    from mibench.methods.method import METHODS

    assert list(METHODS.load("dbm-sae").content({"dictionary": "nowhere"})) == ["dictionary_sha256"]
    assert METHODS.load("das").content({"k": 3}) == {}
