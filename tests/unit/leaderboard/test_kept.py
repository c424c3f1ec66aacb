"""Ranks that are kept are those that would be made, and nothing that was changed since is believed."""

from __future__ import annotations

import pytest

from mibench.leaderboard import kept, ranking
from mibench.leaderboard.build import build, check, views
from mibench.leaderboard.view import GroupView

from .conftest import DEAD, FAIR, GOOD, Shelf, bytes_of


def fill(shelf: Shelf) -> None:
    shelf.add("eap", GOOD, draw=1)
    shelf.add("other", FAIR)
    for seed in range(2):
        shelf.add("random", DEAD, seed=seed)
    shelf.fail("broken")


def told(found: list[GroupView]) -> list[object]:
    return [(row.row.label, row.ranks, view.resolutions, view.warnings) for view in found for row in view.rows]


@pytest.fixture
def no_tables(monkeypatch):
    """Reading any table for ranks is a fault."""

    def forbid() -> None:
        def read(*_):
            raise AssertionError("a table was read")

        monkeypatch.setattr(ranking, "_stored", read)

    return forbid


def test_kept_ranks_are_those_that_are_made_and_no_table_is_resampled_for_them(shelf: Shelf, tmp_path, no_tables):
    fill(shelf)
    made = told(views(shelf.records))
    assert told(views(shelf.records, tmp_path / "kept")) == made
    no_tables()
    assert told(views(shelf.records, tmp_path / "kept")) == made


def test_a_build_from_what_is_kept_gives_the_same_bytes(shelf: Shelf, tmp_path):
    fill(shelf)
    build(shelf.records, shelf.out, kept=tmp_path / "kept")
    build(shelf.records, shelf.out.with_name("again"), kept=tmp_path / "kept")
    build(shelf.records, shelf.out.with_name("fresh"))
    assert bytes_of(shelf.out) == bytes_of(shelf.out.with_name("again")) == bytes_of(shelf.out.with_name("fresh"))


def test_a_new_row_needs_its_own_tables_alone(shelf: Shelf, tmp_path, monkeypatch):
    fill(shelf)
    views(shelf.records, tmp_path / "kept")
    shelf.add("new", GOOD, draw=7)
    read, stored = [], ranking._stored

    def noted(record, store):
        read.append(record.cell.method.name)
        return stored(record, store)

    monkeypatch.setattr(ranking, "_stored", noted)
    kept_ones = told(views(shelf.records, tmp_path / "kept"))
    assert read == ["new"]
    assert kept_ones == told(views(shelf.records))


def test_a_damaged_table_is_not_ranked_by_what_it_was(shelf: Shelf, tmp_path):
    fill(shelf)
    views(shelf.records, tmp_path / "kept")
    record = next(one for one in shelf.store.query() if one.cell.method.name == "other")
    path = shelf.store.table_file(record, "examples")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    (found,) = views(shelf.records, tmp_path / "kept")
    assert "sha256 is not the one" in " ".join(found.warnings)
    path.unlink()
    (found,) = views(shelf.records, tmp_path / "kept")
    assert "cannot be read" in " ".join(found.warnings)


def test_a_new_row_another_number_and_other_code_are_ranked_anew(shelf: Shelf, tmp_path, monkeypatch):
    fill(shelf)
    folder = tmp_path / "kept"
    for count, change in enumerate((lambda: None, lambda: shelf.add("new", GOOD, draw=7), lambda: code(monkeypatch))):
        change()
        assert told(views(shelf.records, folder)) == told(views(shelf.records))
        assert len(list(folder.glob("*.json"))) == count + 1


def code(monkeypatch) -> None:
    monkeypatch.setattr(kept, "_code", lambda: "other code")


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"ranking": {}, "sha256": "0"}', b"\xff"])
def test_what_is_not_what_was_kept_is_not_used(shelf: Shelf, tmp_path, content):
    fill(shelf)
    made = told(views(shelf.records, tmp_path / "kept"))
    (file,) = (tmp_path / "kept").glob("*.json")
    whole = file.read_bytes()
    file.write_bytes(content or whole.replace(b'"position":1', b'"position":2'))
    assert told(views(shelf.records, tmp_path / "kept")) == made
    assert file.read_bytes() == whole


def test_a_folder_that_cannot_be_written_to_is_no_hindrance(shelf: Shelf, tmp_path):
    fill(shelf)
    (tmp_path / "kept").write_text("a file")
    assert told(views(shelf.records, tmp_path / "kept")) == told(views(shelf.records))
    build(shelf.records, shelf.out, kept=tmp_path / "kept")
    assert check(shelf.records, shelf.out) == []
