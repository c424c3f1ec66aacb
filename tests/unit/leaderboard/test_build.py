"""The leaderboard is a pure function of its records, and safe to look at."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
from html import unescape

import pandas as pd
import pytest
from click.testing import CliRunner

from mibench.cli.leaderboard import leaderboard
from mibench.core.errors import MibenchError, StoreError, UsageError
from mibench.core.specs import Convention
from mibench.leaderboard.build import build, check
from mibench.records.record import Problem

from .conftest import DEAD, FAIR, GOOD, Shelf, bytes_of


def fill(shelf: Shelf) -> None:
    shelf.add("eap-ig-inputs", GOOD, draw=1, params={"steps": 5})
    shelf.add("eap", FAIR)
    for seed in range(3):
        shelf.add("random", DEAD, seed=seed)
    shelf.fail("information-flow-routes", problem=Problem(what="It broke.", why="No memory.", do="Buy some."))


def text(shelf: Shelf, page: str = "circuit.html") -> str:
    build(shelf.records, shelf.out)
    html = (shelf.out / "site" / page).read_text()
    return unescape(" ".join(re.sub(r"<[^>]*>", " ", html).split()))


def test_a_second_build_and_one_from_nothing_give_the_same_bytes(shelf: Shelf) -> None:
    fill(shelf)
    report = build(shelf.records, shelf.out)
    first = bytes_of(shelf.out)
    assert sorted(first) == sorted(report.files)
    assert (report.groups, report.rows, report.without_numbers, report.removed) == (1, 4, 1, ())
    assert build(shelf.records, shelf.out) == report
    assert bytes_of(shelf.out) == first
    shutil.rmtree(shelf.out)
    build(shelf.records, shelf.out)
    assert bytes_of(shelf.out) == first


def test_files_that_are_no_longer_made_go_and_foreign_files_stay(shelf: Shelf) -> None:
    shelf.fail("eap")
    shelf.add("eap", task="ioi", model="gpt2")
    build(shelf.records, shelf.out)
    (shelf.out / "notes.txt").write_text("mine")
    (shelf.out / "curves" / "mine.svg").write_text("mine")
    shutil.rmtree(shelf.records / "circuit" / "ioi" / "gpt2")
    report = build(shelf.records, shelf.out)
    assert len([name for name in report.removed if not name.startswith("site/")]) == 2
    assert len(report.removed) == 3
    assert sorted(bytes_of(shelf.out)) == sorted([*report.files, "notes.txt", "curves/mine.svg"])


def test_a_manifest_cannot_name_files_elsewhere(shelf: Shelf) -> None:
    shelf.fail("eap")
    outside = shelf.out.with_name("precious.svg")
    outside.write_text("mine")
    shelf.out.mkdir()
    names = ["../precious.svg", str(outside), "curves/../../precious.svg", 3, None]
    (shelf.out / "build.json").write_text(json.dumps({"outputs": names}))
    assert build(shelf.records, shelf.out).removed == ()
    assert outside.read_text() == "mine"


@pytest.mark.parametrize("name", ["leaderboard.md", "site/index.html"])
def test_a_file_that_no_build_wrote_is_not_replaced(shelf: Shelf, name) -> None:
    shelf.fail("eap")
    (shelf.out / name).parent.mkdir(parents=True)
    (shelf.out / name).write_text("my homepage")
    with pytest.raises(UsageError, match="in the way"):
        build(shelf.records, shelf.out)
    assert bytes_of(shelf.out) == {name: b"my homepage"}


def test_failed_cells_are_shown_with_their_reason(shelf: Shelf) -> None:
    fill(shelf)
    assert "failed It broke. No memory. Buy some." in text(shelf)
    assert "information-flow-routes: failed: It broke. No memory. Buy some." in (
        shelf.out / "leaderboard.md"
    ).read_text().replace("\\", "")
    frame = pd.read_csv(shelf.out / "leaderboard.csv").set_index("method")
    assert frame.loc["information-flow-routes", "reason"] == "It broke. No memory. Buy some."


def test_the_csv_has_full_precision(shelf: Shelf) -> None:
    record = shelf.add("eap", FAIR)
    build(shelf.records, shelf.out)
    content = (shelf.out / "leaderboard.csv").read_text()
    row = pd.read_csv(io.StringIO(content), float_precision="round_trip").iloc[0]
    measured = {name: metric for name, metric in record.metrics.items() if metric.value is not None}
    assert len(measured) >= 14
    for name, metric in measured.items():
        assert (row[f"{name}.value"], row[f"{name}.ci_low"]) == (metric.value, metric.ci_low)
    assert (row["rank.distance_absolute"], row["tie.cmd"], row["passes_per_example"]) == (1, "a", 3.0)
    assert ",1,a,best value," in content


def test_what_limits_the_numbers_is_said_beside_them(shelf: Shelf) -> None:
    shelf.add("eap", FAIR, task="my-pairs", split="validation", looks=None, convention=Convention.MIB)
    said = text(shelf)
    for note in (
        "dequantised from GGUF Q4_1",
        "my-pairs is not a registered task",
        "not held out",
        "only the first 30 examples",
        "validation scores",
        "its mistakes included",
    ):
        assert note in said
        assert note in (shelf.out / "leaderboard.md").read_text().replace("\\", "")


def test_a_registered_task_on_its_whole_test_split_needs_no_warning(shelf: Shelf) -> None:
    shelf.add("eap", FAIR, limit=None, looks=3)
    said = text(shelf)
    assert "not held out" not in said
    assert "test split, 30 examples" in said
    assert "look 3 at the test split" in said


def test_no_records_give_a_page_that_says_how_to_make_one(shelf: Shelf) -> None:
    assert "mibench run" in text(shelf, "index.html")
    assert "mibench run" in (shelf.out / "leaderboard.md").read_text()
    assert check(shelf.records, shelf.out) == []


def test_a_missing_folder_and_a_broken_record_are_faults_that_change_nothing(shelf: Shelf) -> None:
    with pytest.raises(UsageError, match="no folder of records"):
        build(shelf.records / "nowhere", shelf.out)
    record = shelf.fail("eap")
    shelf.store.path(record.cell).write_text("{}")
    with pytest.raises(StoreError):
        build(shelf.records, shelf.out)
    assert not shelf.out.exists()


def test_check_names_every_file_that_is_not_what_the_records_give(shelf: Shelf) -> None:
    shelf.add("eap", FAIR)
    build(shelf.records, shelf.out)
    assert check(shelf.records, shelf.out) == []
    (svg,) = (shelf.out / "curves").glob("*-signed.svg")
    svg.unlink()
    (shelf.out / "leaderboard.csv").write_text("better numbers")
    assert check(shelf.records, shelf.out) == [
        f"curves/{svg.name}: missing", "leaderboard.csv: differs from what the records give",
    ]  # fmt: skip


def test_the_command_builds_and_checks(shelf: Shelf) -> None:
    shelf.fail("eap")
    arguments = [str(shelf.records), "--out", str(shelf.out)]
    stale = CliRunner().invoke(leaderboard, ["check", *arguments])
    assert isinstance(stale.exception, MibenchError)
    assert stale.exception.exit_status == 1
    built = CliRunner().invoke(leaderboard, ["build", *arguments, "--json"], catch_exceptions=False)
    assert json.loads(built.stdout)["without_numbers"] == 1
    said = CliRunner().invoke(leaderboard, ["build", *arguments], catch_exceptions=False)
    assert said.stdout == f"1 table, 1 row, 1 without numbers: {shelf.out / 'site' / 'index.html'}\n"
    checked = CliRunner().invoke(leaderboard, ["check", *arguments, "--json"], catch_exceptions=False)
    assert json.loads(checked.stdout) == {"up_to_date": True, "differences": []}


def test_a_build_needs_no_torch(shelf: Shelf) -> None:
    shelf.add("eap", FAIR)
    code = (
        "import sys; from pathlib import Path; from mibench.leaderboard.build import build; "
        f"build(Path({str(shelf.records)!r}), Path({str(shelf.out)!r})); "
        "assert not {'torch', 'transformers'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
