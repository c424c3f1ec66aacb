"""`mibench leaderboard export` and `mibench cite` on a folder of records."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from mibench.cli.cite import cite
from mibench.cli.leaderboard import leaderboard
from mibench.core.errors import MibenchError, UsageError
from mibench.core.specs import Cell, Level, MethodRef, ModelRef, TaskRef, Track
from mibench.records.record import MetricValue, RunRecord
from mibench.records.store import Store


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("MIBENCH_CACHE", str(tmp_path / "cache"))
    for task in ("ioi", "mcqa"):
        cell = Cell(
            track=Track.CIRCUIT, task=TaskRef(name=task, version=1, split="test", digest="a" * 64),
            model=ModelRef(name="gpt2", digest="b" * 64), method=MethodRef(name="eap-ig-inputs", version=1),
            level=Level.EDGE,
        )  # fmt: skip
        metrics = {"cmd": MetricValue(value=0.125, ci_low=0.1, ci_high=0.2, ci_source="examples", n=10)}
        Store(tmp_path / "records").write(RunRecord(cell=cell, status="ok", metrics=metrics))
    return tmp_path / "records"


def export(*arguments: object) -> bytes:
    asked = ["export", *(str(one) for one in arguments)]
    return CliRunner().invoke(leaderboard, asked, catch_exceptions=False).stdout_bytes


def test_tables_are_printed_or_written_as_asked(folder: Path, tmp_path: Path) -> None:
    told = json.loads(export(folder, "--format", "json", "--task", "mcqa"))
    assert [group["key"]["task"] for group in told["groups"]] == ["mcqa"]
    out = tmp_path / "board.parquet"
    assert export(folder, "--format", "parquet", "--out", out) == b""
    assert out.read_bytes() == export(folder, "--format", "parquet", "--fresh")
    (tmp_path / "tables").mkdir()
    export(folder, "--format", "latex", "--out", tmp_path / "tables")
    texts = [path.read_text() for path in (tmp_path / "tables").iterdir()]
    assert len(texts) == 2
    assert all(r"\textbf{0.125}" in text and r"{\scriptsize [0.100, 0.200]}" in text for text in texts)


def test_what_is_not_there_is_a_fault(folder: Path, tmp_path: Path) -> None:
    for wrong in (["--model", "gpt3"], ["--out", str(tmp_path)]):
        error = CliRunner().invoke(leaderboard, ["export", str(folder), "--format", "csv", *wrong]).exception
        assert isinstance(error, UsageError)


def test_parquet_is_not_written_to_a_terminal(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mibench.cli.leaderboard.is_terminal", lambda: True)
    error = CliRunner().invoke(leaderboard, ["export", str(folder), "--format", "parquet"]).exception
    assert isinstance(error, UsageError)
    assert "--out FILE" in error.do
    assert export(folder, "--format", "csv")


def test_what_was_made_is_kept_in_the_cache_unless_all_is_to_be_fresh(folder: Path, tmp_path: Path) -> None:
    arguments = ["build", str(folder), "--out", str(tmp_path / "out"), "--no-site"]
    CliRunner().invoke(leaderboard, [*arguments, "--fresh"], catch_exceptions=False)
    assert not (tmp_path / "cache").exists()
    said = CliRunner().invoke(leaderboard, arguments, catch_exceptions=False)
    assert said.stdout.endswith(f"{tmp_path / 'out' / 'leaderboard.md'}\n")
    assert any((tmp_path / "cache" / "leaderboard").iterdir())


def test_serving_needs_a_site(tmp_path: Path) -> None:
    error = CliRunner().invoke(leaderboard, ["serve", "--out", str(tmp_path)]).exception
    assert isinstance(error, UsageError)


def test_records_cite_what_they_rest_on_and_nothing_cites_mibench(folder: Path) -> None:
    text = CliRunner().invoke(cite, [str(folder)], catch_exceptions=False).stdout
    assert "@misc{hanna2024-240317806," in text
    assert CliRunner().invoke(cite, [], catch_exceptions=False).stdout.count("@") == 1
    works = json.loads(CliRunner().invoke(cite, [str(folder), "--json"], catch_exceptions=False).stdout)["works"]
    uses = {one["arxiv"]: one["uses"] for one in works}
    assert {"task ioi"} <= set(uses["2211.00593"])
    assert isinstance(CliRunner().invoke(cite, [str(folder / "nowhere")]).exception, MibenchError)
