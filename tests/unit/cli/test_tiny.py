from __future__ import annotations

from pathlib import Path

import pytest

from mibench.records.store import Store
from mibench.runner.tiny import BOARD

TINY = Path(__file__).parents[2] / "golden" / "tiny_gpt2"
WORDS = ("run", "--task", TINY / "pairs_A.jsonl", "--model", TINY, "--method", "eap", "--method", "edge-pruning")


@pytest.fixture
def ran(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run(*WORDS, "--out", "records", "--seeds", 3, "--tiny", "--json")
    assert done.status == 0, done.err
    return done


def test_a_tiny_run_says_that_its_numbers_mean_nothing_and_keeps_them_apart(ran, tmp_path):
    assert "its numbers mean nothing" in ran.err
    assert "records-tiny" in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["records-tiny"]
    records = Store("records-tiny").query()
    assert {record.cell.method.name for record in records} == {"random", "eap", "edge-pruning"}
    assert {record.board for record in records} == {BOARD}
    assert {record.cell.task.limit for record in records} == {2}


def test_its_records_stay_apart_when_it_is_run_again(ran, run):
    assert run(*WORDS, "--out", "records", "--tiny").status == 0
    assert {record.board for record in Store("records-tiny").query()} == {BOARD}


def test_no_record_is_ever_written_without_its_mark(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write, boards = Store.write, []
    monkeypatch.setattr(
        Store,
        "write",
        lambda self, record, *given, **more: boards.append(record.board) or write(self, record, *given, **more),
    )
    assert run(*WORDS, "--out", "records", "--tiny").status == 0
    assert set(boards) == {BOARD}


def test_its_numbers_are_on_no_board_of_the_leaderboard(ran, run):
    done = run("leaderboard", "build", "records-tiny", "--out", "board")
    assert done.status == 0, done.err
    assert "tiny board: shown, not ranked" in Path("board/leaderboard.md").read_text() or (
        "tiny board" in Path("board/leaderboard.csv").read_text()
        or "not ranked" in Path("board/leaderboard.md").read_text()
    )


def test_a_tiny_plan_can_be_looked_at_first(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = run(*WORDS, "--tiny", "--dry-run", "--json").json["jobs"]
    assert {row["examples"] for row in found} == {"first 2"}
    assert not list(tmp_path.iterdir())
