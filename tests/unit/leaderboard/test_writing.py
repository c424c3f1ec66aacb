"""Pictures are drawn where what they show changed, and compared by it; foreign files stay."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mibench.core.errors import StoreError, UsageError
from mibench.leaderboard.build import build, check
from mibench.leaderboard.site.picture import Picture
from mibench.leaderboard.writing import Folder

from .conftest import FAIR, GOOD, Shelf

OURS = re.compile(r"[a-z/]+\.(md|svg)")


class Pen:
    """Draws pictures, and counts them."""

    def __init__(self) -> None:
        self.drawn: list[str] = []

    def picture(self, name: str, shows: str) -> Picture:
        def draw() -> bytes:
            self.drawn.append(name)
            return f"{name} {shows}".encode()

        return Picture(name, name, shows * 64, draw)


def test_a_picture_is_drawn_again_only_where_it_shows_something_else(tmp_path: Path) -> None:
    folder, pen = Folder(tmp_path, OURS), Pen()
    outputs = {"a.md": b"text", "x.svg": pen.picture("x.svg", "0"), "y.svg": pen.picture("y.svg", "1")}
    folder.write(outputs)
    folder.write(outputs)
    assert pen.drawn == ["x.svg", "y.svg"]
    folder.write(outputs | {"y.svg": pen.picture("y.svg", "2")})
    assert pen.drawn == ["x.svg", "y.svg", "y.svg"]
    assert (tmp_path / "y.svg").read_bytes() == b"y.svg 2"
    (tmp_path / "x.svg").unlink()
    (tmp_path / "y.svg").write_bytes(b"")
    folder.write(outputs)
    assert pen.drawn[3:] == ["x.svg", "y.svg"]


def test_differences_go_by_bytes_of_tables_and_by_what_pictures_show(tmp_path: Path) -> None:
    folder, pen = Folder(tmp_path, OURS), Pen()
    outputs = {"a.md": b"text", "x.svg": pen.picture("x.svg", "0"), "y.svg": pen.picture("y.svg", "1")}
    folder.write(outputs)
    (tmp_path / "x.svg").write_bytes(b"the same picture by another matplotlib")
    assert folder.differences(outputs) == []
    other = {"a.md": b"other", "x.svg": pen.picture("x.svg", "3"), "z.md": b""}
    assert folder.differences(other) == [
        "a.md: differs from what the records give", "x.svg: shows other data than the records give",
        "z.md: missing", "y.svg: no longer made",
    ]  # fmt: skip
    assert len(pen.drawn) == 2


def test_a_manifest_that_claims_too_much_is_not_believed(tmp_path: Path) -> None:
    folder, pen = Folder(tmp_path, OURS), Pen()
    claims = {"outputs": ["x.svg", 3], "pictures": {"x.svg": "not a digest", "../y.svg": "0" * 64}}
    (tmp_path / "build.json").write_text(json.dumps(claims))
    (tmp_path / "x.svg").write_bytes(b"old")
    assert folder.differences({"x.svg": pen.picture("x.svg", "0")}) == ["x.svg: shows other data than the records give"]


def test_a_foreign_file_and_a_folder_in_the_way_are_refused(tmp_path: Path) -> None:
    folder, pen = Folder(tmp_path, OURS), Pen()
    (tmp_path / "x.svg").write_bytes(b"mine")
    with pytest.raises(UsageError, match="in the way"):
        folder.refuse_foreign({"x.svg": pen.picture("x.svg", "0")})
    (tmp_path / "x.svg").write_bytes(b"x.svg 0")
    folder.refuse_foreign({"x.svg": pen.picture("x.svg", "0")})
    (tmp_path / "a.md").mkdir()
    with pytest.raises(UsageError, match="in the way"):
        folder.refuse_foreign({"a.md": b""})
    (tmp_path / "sub").write_text("a file")
    with pytest.raises(StoreError, match="could not be written"):
        folder.write({"sub/y.svg": pen.picture("sub/y.svg", "0")})


def test_one_more_record_redraws_the_curves_of_its_table_alone(shelf: Shelf) -> None:
    shelf.add("eap", GOOD, task="ioi")
    shelf.add("eap", GOOD, task="mcqa")
    build(shelf.records, shelf.out)
    made = {path: path.stat().st_mtime_ns for path in (shelf.out / "curves").iterdir()}
    shelf.add("other", FAIR, task="mcqa")
    assert any("shows other data" in line for line in check(shelf.records, shelf.out))
    build(shelf.records, shelf.out)
    redrawn = {path.name[:4] for path, old in made.items() if path.stat().st_mtime_ns != old}
    assert redrawn == {"mcqa"}
    assert json.loads((shelf.out / "build.json").read_text())["version"] == "0.1"


def test_rows_of_further_folders_are_marked_with_theirs_and_the_first_with_numbers_counts(shelf: Shelf) -> None:
    mine = Shelf(shelf.records.parent / "me" / "mine", shelf.out)
    shelf.add("eap", GOOD)
    shelf.fail("other")
    mine.add("eap", FAIR)
    mine.add("other", FAIR)
    mine.add("own", GOOD)
    where = "me/mine"
    build([shelf.records, mine.records], shelf.out)
    rows = {row["label"]: row for row in json.loads((shelf.out / "leaderboard.json").read_text())["groups"][0]["rows"]}
    assert {label: row["origin"] for label, row in rows.items()} == {
        "eap": None, "other": where, "own": where,
    }  # fmt: skip
    assert rows["own"]["notes"] == [f"from {where}"]
    assert "origin" in (shelf.out / "leaderboard.csv").read_text().splitlines()[0]
    build(shelf.records, shelf.out)
    assert "origin" not in (shelf.out / "leaderboard.csv").read_text().splitlines()[0]


def test_without_the_site_only_tables_are_written(shelf: Shelf) -> None:
    shelf.add("eap", GOOD)
    report = build(shelf.records, shelf.out, site=False)
    assert not (shelf.out / "site").exists()
    assert {"leaderboard.md", "leaderboard.csv", "leaderboard.json", "build.json"} < set(report.files)
