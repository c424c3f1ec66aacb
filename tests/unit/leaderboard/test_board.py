"""What earlier builds made is used where nothing that it depends on has changed, and gives the same bytes."""

from __future__ import annotations

import json
import os
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from dictionary_records import dictionary_record, value

from mibench.core.errors import StoreError
from mibench.leaderboard import board, finding
from mibench.leaderboard.build import build, check
from mibench.leaderboard.memory import KeptMemory, Memory
from mibench.leaderboard.shelf import prune, read_kept, write_kept
from mibench.records import sightings
from mibench.records.confirmation import Confirmation, append_confirmations
from mibench.records.record import Provenance

from .conftest import DEAD, FAIR, GOOD, Shelf, bytes_of


@pytest.fixture(autouse=True)
def _patient(monkeypatch):
    """As if every look at a file came long after its last change."""
    now = time.time_ns
    monkeypatch.setattr(sightings.time, "time_ns", lambda: now() + 10_000_000_000)


@pytest.fixture
def made(monkeypatch) -> dict[str, list[str]]:
    """Tables that were made, and records that were parsed."""
    found: dict[str, list[str]] = {"tables": [], "records": []}
    view, read = board.view, finding.read_record

    def noted_view(group, kept):
        found["tables"].append(group.cell.task.name)
        return view(group, kept)

    def noted_read(path, content=None):
        found["records"].append(path.stem)
        return read(path, content)

    monkeypatch.setattr(board, "view", noted_view)
    monkeypatch.setattr(finding, "read_record", noted_read)
    return found


def fill(shelf: Shelf) -> None:
    shelf.add("eap", GOOD, draw=1, task="ioi")
    shelf.add("other", FAIR, task="ioi")
    for seed in range(2):
        shelf.add("random", DEAD, seed=seed, task="mcqa")
    shelf.fail("broken", task="mcqa")


def anew(shelf: Shelf, *more: Path) -> dict[str, bytes]:
    """Files of a build that uses nothing of an earlier one."""
    out = shelf.out.with_name("anew")
    shutil.rmtree(out, ignore_errors=True)
    build([shelf.records, *more], out)
    return bytes_of(out)


def built(shelf: Shelf, *more: Path) -> dict[str, bytes]:
    """Files of a build that may."""
    build([shelf.records, *more], shelf.out, kept=kept(shelf))
    return bytes_of(shelf.out)


def kept(shelf: Shelf) -> Path:
    return shelf.out.with_name("kept")


def test_a_second_build_makes_and_parses_nothing_and_gives_the_same_bytes(shelf: Shelf, made) -> None:
    fill(shelf)
    assert built(shelf) == anew(shelf)
    assert len(made["tables"]) == 4  # two each
    made["tables"].clear()
    made["records"].clear()
    report = build(shelf.records, shelf.out, kept=kept(shelf))
    assert made == {"tables": [], "records": []}
    assert bytes_of(shelf.out) == anew(shelf)
    assert (report.groups, report.rows, report.without_numbers) == (2, 4, 1)


def test_pages_that_were_deleted_are_drawn_from_the_records_again(shelf: Shelf) -> None:
    fill(shelf)
    before = built(shelf)
    for path in (shelf.out / "site" / "records").iterdir():
        path.unlink()
    for path in (shelf.out / "curves").iterdir():
        path.unlink()
    assert built(shelf) == before


def test_one_more_record_makes_its_own_table_alone(shelf: Shelf, made) -> None:
    fill(shelf)
    built(shelf)
    shelf.add("new", FAIR, task="ioi", draw=3)
    made["tables"].clear()
    files = built(shelf)
    assert made["tables"] == ["ioi"]
    assert files == anew(shelf)


def test_a_record_of_another_folder_and_a_new_column_give_the_same_bytes(shelf: Shelf) -> None:
    fill(shelf)
    mine = Shelf(shelf.records.parent / "me" / "mine", shelf.out)
    built(shelf)
    mine.add("own", FAIR, task="ioi", draw=5)
    assert built(shelf, mine.records) == anew(shelf, mine.records)
    mine.store.write(dictionary_record("topk", {"x": value(0.7)}, params={"width": 2048, "k": 25}))
    assert built(shelf, mine.records) == anew(shelf, mine.records)
    assert built(shelf) == anew(shelf)


def test_a_rewritten_record_of_equal_size_and_time_is_read_again(shelf: Shelf) -> None:
    fill(shelf)
    built(shelf)
    path = next((shelf.records / "circuit" / "ioi").rglob("eap/*.json"))
    before, text = path.stat(), path.read_text()
    time.sleep(0.05)
    path.write_text(text.replace('"seconds": 75.5', '"seconds": 96.5'))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    files = built(shelf)
    assert b",96.5," in files["leaderboard.csv"]
    assert files == anew(shelf)


def test_a_record_that_breaks_or_goes_is_noticed(shelf: Shelf) -> None:
    fill(shelf)
    built(shelf)
    path = next(iter(sorted(shelf.records.rglob("*.json"))))
    whole = path.read_bytes()
    path.write_bytes(b"{}")
    with pytest.raises(StoreError, match="not a record"):
        built(shelf)
    path.write_bytes(whole)
    assert built(shelf) == anew(shelf)
    path.unlink()
    assert built(shelf) == anew(shelf)


def test_a_damaged_table_and_one_that_is_gone_are_noticed(shelf: Shelf) -> None:
    fill(shelf)
    built(shelf)
    path = next(iter(sorted((shelf.records / "circuit" / "ioi").rglob("*.examples.*.parquet"))))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    report = build(shelf.records, shelf.out, kept=kept(shelf))
    assert "sha256 is not the one" in " ".join(report.warnings)
    path.unlink()
    report = build(shelf.records, shelf.out, kept=kept(shelf))
    assert "cannot be read" in " ".join(report.warnings)


def test_an_l0_that_another_table_gives_is_followed(shelf: Shelf) -> None:
    params = {"width": 2048, "k": 25}
    shelf.store.write(dictionary_record("topk", {"x": value(0.7)}, params=params, task="sae-probing"))
    for l0 in (25.0, 31.0):
        shelf.store.write(dictionary_record("topk", {"l0": value(l0, None, n=10)}, params=params))
        files = built(shelf)
        assert files == anew(shelf)
        rows = [row for group in json.loads(files["leaderboard.json"])["groups"] for row in group["rows"]]
        assert {row["metrics"]["l0"]["value"] for row in rows} == {l0}


def test_a_repeat_of_a_record_is_counted_where_nothing_else_is_new(shelf: Shelf) -> None:
    record = shelf.add("eap", GOOD)
    built(shelf)
    tables = {name: ref.sha256 for name, ref in record.tables.items()}
    repeat = {"record": record.cell.id, "tables": tables, "verdict": "match", "difference": 0.0}
    made = Provenance(mibench="0.1", python="3.11", platform="Linux", created_at=datetime(2026, 1, 2, tzinfo=UTC))
    append_confirmations(shelf.records, [Confirmation(**repeat, where=None, tolerance=1e-3, made=made)])
    files = built(shelf)
    assert b"reproduced 1" in files["site/circuit.html"]
    assert b"Repeats" in files[f"site/records/{record.cell.id}.html"]
    assert files == anew(shelf)


def test_tables_of_other_code_are_made_anew(shelf: Shelf, monkeypatch, made) -> None:
    fill(shelf)
    built(shelf)
    made["tables"].clear()
    monkeypatch.setattr(board, "_made_by", lambda: "other code")
    assert built(shelf) == anew(shelf)
    assert sorted(set(made["tables"])) == ["ioi", "mcqa"]


@pytest.mark.parametrize(
    "damage", [lambda _: b"", lambda _: b"{}", lambda all_: all_[:-1], lambda all_: all_[:-1] + b"x"]
)
def test_what_is_broken_is_made_anew_and_foreign_files_stay(shelf: Shelf, damage) -> None:
    fill(shelf)
    before = built(shelf)
    (kept(shelf) / "mine.txt").write_text("mine")
    whole = {path: path.read_bytes() for path in kept(shelf).glob("*.kept")}
    for path, content in whole.items():
        path.write_bytes(damage(content))
    shutil.rmtree(shelf.out)
    assert built(shelf) == before
    assert (kept(shelf) / "mine.txt").read_text() == "mine"
    assert all(path.read_bytes() == content for path, content in whole.items() if path.name.startswith("tables"))
    shutil.rmtree(kept(shelf))
    assert built(shelf) == before


def test_checking_does_not_believe_what_was_kept(shelf: Shelf, monkeypatch) -> None:
    fill(shelf)
    built(shelf)

    def forbidden(*_: object) -> None:
        raise AssertionError("the cache was read")

    monkeypatch.setattr("mibench.leaderboard.memory.read_kept", forbidden)
    monkeypatch.setattr("mibench.leaderboard.finding.read_kept", forbidden)
    assert check(shelf.records, shelf.out) == []


def test_a_memory_makes_a_text_again_where_it_depends_on_something_else(tmp_path: Path) -> None:
    calls: list[str] = []

    def make() -> str:
        calls.append("made")
        return f"texte {len(calls)} é"

    for given, told in (("a", "texte 1 é"), ("a", "texte 1 é"), ("b", "texte 2 é")):
        memory = KeptMemory(tmp_path / "tables-0.kept")
        assert memory.recall("name", make, given) == told
        memory.save()
        assert memory.recall("name", make, given) == told
    assert Memory().recall("name", make) == "texte 3 é"
    assert "name" not in KeptMemory(tmp_path / "tables-0.kept", only=[])


def test_the_shelf_keeps_what_was_used_last_and_only_removes_its_own(tmp_path: Path) -> None:
    names = [f"tables-{place:064x}.kept" for place in range(4)]
    for place, name in enumerate(names):
        write_kept(tmp_path / name, b"x" * 100)
        os.utime(tmp_path / name, ns=(place, place))
    (tmp_path / "mine.kept").write_bytes(b"x" * 1000)
    assert read_kept(tmp_path / names[0]) == b"x" * 100  # used just now
    prune(tmp_path, 300)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.kept", names[0], names[3]]
    prune(tmp_path / "nowhere")
    write_kept(tmp_path / "mine.kept" / "below", b"x")
