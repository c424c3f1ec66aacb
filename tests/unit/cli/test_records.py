"""`mibench records` fetches and slims folders, and refuses what it cannot know."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from mibench.cli import record_sources
from mibench.cli.records import records
from mibench.core.errors import MibenchError, StoreError, UsageError
from mibench.core.specs import Cell, Level, MethodRef, ModelRef, TaskRef, Track
from mibench.records.record import RunRecord
from mibench.records.store import Store

COMMIT = "0123456789" * 4


@pytest.fixture
def source(tmp_path: Path) -> Store:
    cell = Cell(
        track=Track.CIRCUIT, task=TaskRef(name="ioi", version=1, split="test", digest="a" * 64),
        model=ModelRef(name="gpt2", digest="b" * 64), method=MethodRef(name="eap", version=1), level=Level.EDGE,
    )  # fmt: skip
    artifact = tmp_path / "one.safetensors"
    artifact.write_bytes(b"x" * 2_000_000)
    store = Store(tmp_path / "published")
    store.write(RunRecord(cell=cell, status="ok"), {"examples": pd.DataFrame({"value": [1.0, 2.0]})}, artifact=artifact)
    return store


def run(*arguments: object) -> str:
    return CliRunner().invoke(records, [str(one) for one in arguments], catch_exceptions=False).stdout


def fault(*arguments: object) -> MibenchError:
    error = CliRunner().invoke(records, [str(one) for one in arguments]).exception
    assert isinstance(error, MibenchError)
    return error


def test_a_folder_is_pulled_once(source: Store, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("pull", source.folder, "--out", out) == f"1 records fetched, 0 were there: {out}\n"
    told = json.loads(run("pull", source.folder, "--out", out, "--json"))
    assert (told["new"], len(told["kept"])) == ([], 1)


def test_a_data_set_of_the_hub_is_pulled_at_its_commit(source: Store, tmp_path: Path, monkeypatch) -> None:
    asked = []

    def fetched(repo: str, commit: str, inside: str) -> Path:
        asked.append((repo, commit, inside))
        return source.folder.parent

    monkeypatch.setattr(record_sources, "_fetched", fetched)
    run("pull", f"hub:org/board@{COMMIT}/published", "--out", tmp_path / "out")
    assert asked == [("org/board", COMMIT, "published")]
    assert len(Store(tmp_path / "out").query()) == 1


@pytest.mark.parametrize(
    "ref", ["hub:org/board", "hub:org/board@main", f"hub:org/board@{COMMIT}/../x", f"hub:board@{COMMIT}", "nowhere"]
)
def test_what_could_change_or_is_not_there_is_refused(tmp_path: Path, ref: str) -> None:
    assert isinstance(fault("pull", ref, "--out", tmp_path / "out"), UsageError)
    assert not (tmp_path / "out").exists()


def test_slim_says_what_it_saved_and_reads_as_before(source: Store, tmp_path: Path) -> None:
    out = tmp_path / "thin"
    said = run("slim", source.folder, "--out", out)
    assert said.startswith("1 records, 2.0 MB to 0.0 MB: ")
    assert said.endswith("1 artifacts left out\n")
    (record,) = Store(out).query()
    with pytest.raises(StoreError, match="is not there"):
        Store(out).artifact(record)
    assert json.loads(run("slim", out, "--in-place", "--json"))["dropped"] == 0
    assert source.holds_artifact(record)


def test_slim_is_told_where_to_write_and_how_much(source: Store, tmp_path: Path) -> None:
    for wrong in (
        (source.folder,), (source.folder, "--in-place", "--out", tmp_path / "x"), (tmp_path / "none", "--in-place"),
        (source.folder, "--in-place", "--max-artifact-mb", "-1"),
        (source.folder, "--in-place", "--max-artifact-mb", "nan"),
    ):  # fmt: skip
        assert isinstance(fault("slim", *wrong), UsageError)
    assert source.artifact(source.query()[0]).is_file()
