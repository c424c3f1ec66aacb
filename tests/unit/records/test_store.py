"""The store holds whole records, whoever is killed."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mibench.core.errors import StoreError
from mibench.records.encode import record_bytes
from mibench.records.record import Cost, Problem, Volatile
from mibench.records.store import STALE_SECONDS, Store

from .conftest import MakeRecord, examples, files


def make_old(path: Path, seconds: float = 2 * STALE_SECONDS) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


def test_what_was_written_is_read_back(store: Store, make_record: MakeRecord) -> None:
    written = store.write(make_record(), {"examples": examples()})
    assert store.read(written.cell.id) == store.read(written.cell) == written
    pd.testing.assert_frame_equal(store.table(written, "examples"), examples(), check_exact=True)
    assert written.tables["examples"].rows == 3


def test_has_tells_whether_a_cell_is_there(store: Store, make_record: MakeRecord) -> None:
    record = make_record()
    assert not store.has(record.cell)
    assert not store.has(record.cell.id)
    store.write(record)
    assert store.has(record.cell)
    assert store.has(record.cell.id)
    assert not store.has(make_record(seed=1).cell)


@pytest.mark.parametrize("cell_id", ["", "*", "../x", "?" * 32, "A" * 32])
def test_an_id_that_is_none_is_not_there(store: Store, make_record: MakeRecord, cell_id: str) -> None:
    store.write(make_record())
    assert not store.has(cell_id)
    with pytest.raises(StoreError, match="no record"):
        store.read(cell_id)


def test_folders_are_named_after_the_cell(store: Store, make_record: MakeRecord) -> None:
    record = store.write(make_record())
    assert store.path(record.cell) == store.folder / "circuit" / "ioi" / "gpt2" / "eap" / f"{record.cell.id}.json"
    assert store.path(record.cell).read_bytes() == record_bytes(record)


@pytest.mark.parametrize(
    "name", ["mib/ioi", "cmd: python my.py {pairs}", "../../up", "..", "/etc", "é", "x" * 500, " ", "C:\\a"]
)
def test_any_name_stays_inside_the_folder(store: Store, make_record: MakeRecord, name: str) -> None:
    record = store.write(make_record(task=name, method=name), {"t": examples()})
    path = store.path(record.cell).resolve()
    assert len(path.relative_to(store.folder.resolve()).parts) == 5
    assert store.read(record.cell.id).cell.task.name == name


def test_names_that_share_a_folder_stay_apart(store: Store, make_record: MakeRecord) -> None:
    one, two = (store.write(make_record(task=name)) for name in ("a/b", "a-b"))
    assert store.path(one.cell).parent == store.path(two.cell).parent
    assert [record.cell.task.name for record in store.query()] == ["a-b", "a/b"]


def test_equal_tables_give_equal_bytes_in_any_folder(tmp_path: Path, make_record: MakeRecord) -> None:
    contents = []
    for folder in ("one", "two"):
        store = Store(tmp_path / folder)
        store.write(make_record(), {"examples": examples()})
        contents.append({path.name: path.read_bytes() for path in store.folder.rglob("*") if path.is_file()})
    assert contents[0] == contents[1]
    assert len(contents[0]) == 2


def test_a_rewrite_replaces_the_record_and_leaves_the_old_tables_to_readers(
    store: Store, make_record: MakeRecord
) -> None:
    old = store.write(make_record(), {"examples": examples()})
    new = store.write(make_record(), {"examples": examples(2.0)})
    assert store.query() == [new]
    assert store.table(new, "examples")["value"].tolist() == [0.2, -4.0, 7.0]
    assert store.table(old, "examples")["value"].tolist() == [0.1, -2.0, 3.5]


def test_a_rewrite_removes_superseded_tables_once_they_are_old(store: Store, make_record: MakeRecord) -> None:
    old = store.write(make_record(), {"examples": examples()})
    other = store.write(make_record(seed=1), {"examples": examples()})
    for path in store.folder.rglob("*.parquet"):
        make_old(path)
    new = store.write(make_record(), {"examples": examples(2.0)})
    with pytest.raises(StoreError, match="cannot be read"):
        store.table(old, "examples")
    assert len(store.table(new, "examples")) == len(store.table(other, "examples")) == 3


def test_a_rewrite_may_keep_the_tables_it_refers_to(store: Store, make_record: MakeRecord) -> None:
    old = store.write(make_record(), {"one": examples(), "two": examples(2.0)})
    new = store.write(old.model_copy(update={"looks_at_test": 3}), {"two": examples(3.0)})
    assert new.tables["one"] == old.tables["one"]
    assert store.table(new, "two")["value"][2] == 10.5


def test_a_record_cannot_refer_to_a_table_that_is_not_there(store: Store, make_record: MakeRecord) -> None:
    elsewhere = store.write(make_record(), {"examples": examples()})
    shutil.rmtree(store.folder)
    with pytest.raises(StoreError, match=r"parquet cannot be read"):
        store.write(elsewhere)
    assert not store.folder.exists()


def test_a_changed_table_is_refused(store: Store, make_record: MakeRecord) -> None:
    record = store.write(make_record(), {"examples": examples()})
    path = store.path(record.cell).with_name(record.tables["examples"].file)
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(StoreError) as caught:
        store.table(record, "examples")
    assert "sha256" in caught.value.why


def test_a_table_with_the_right_digest_and_wrong_content_is_refused(
    store: Store, make_record: MakeRecord, tmp_path: Path
) -> None:
    record = store.write(make_record(), {"examples": examples()})
    ref = record.tables["examples"]
    lying = record.model_copy(update={"tables": {"examples": ref.model_copy(update={"rows": 4})}})
    with pytest.raises(StoreError) as caught:
        store.table(lying, "examples")
    assert "3 rows" in caught.value.why


def test_a_table_that_the_record_lacks_is_named(store: Store, make_record: MakeRecord) -> None:
    record = store.write(make_record(), {"examples": examples()})
    with pytest.raises(StoreError, match="no table 'endpoints'") as caught:
        store.table(record, "endpoints")
    assert "examples" in caught.value.why


@pytest.mark.parametrize("name", ["", "../up", "a/b", "a.b", "-x", "x" * 65])
def test_a_table_name_that_is_no_file_name_is_refused(store: Store, make_record: MakeRecord, name: str) -> None:
    with pytest.raises(StoreError):
        store.write(make_record(), {name: examples()})
    assert not store.folder.exists()


@pytest.mark.parametrize(
    "frame",
    [pd.DataFrame({"mixed": [1, "a", {}]}), pd.DataFrame([[1, 2]], columns=["twice", "twice"])],
    ids=["mixed", "twice"],
)
def test_a_table_that_parquet_cannot_hold_leaves_no_trace(
    store: Store, make_record: MakeRecord, frame: pd.DataFrame
) -> None:
    with pytest.raises(StoreError, match="'odd'"):
        store.write(make_record(), {"good": examples(), "odd": frame})
    assert not store.folder.exists()


def test_missing_numbers_and_an_empty_table_survive(store: Store, make_record: MakeRecord) -> None:
    frame = pd.DataFrame({"x": [1.0, np.nan], "s": ["a", None]})
    record = store.write(make_record(), {"gaps": frame, "empty": frame.iloc[:0]})
    assert store.table(record, "gaps").isna().to_numpy().tolist() == [[False, False], [True, True]]
    assert store.table(record, "empty").shape == (0, 2)


def test_an_artifact_is_copied_and_checked(store: Store, make_record: MakeRecord, tmp_path: Path) -> None:
    (tmp_path / "scores.json").write_text("{}")
    record = store.write(make_record(), artifact=tmp_path / "scores.json")
    assert store.artifact(record).read_text() == "{}"
    assert store.query() == [record]
    assert store.write(record).artifact == record.artifact
    store.artifact(record).write_text("[]")
    with pytest.raises(StoreError) as caught:
        store.artifact(record)
    assert "sha256" in caught.value.why


@pytest.mark.parametrize("name", ["missing.json", "no_suffix", "odd.J SON"])
def test_an_artifact_that_cannot_be_copied_leaves_no_record(
    store: Store, make_record: MakeRecord, tmp_path: Path, name: str
) -> None:
    if "missing" not in name:
        (tmp_path / name).write_text("{}")
    with pytest.raises(StoreError):
        store.write(make_record(), artifact=tmp_path / name)
    assert not store.has(make_record().cell)


def test_a_record_without_artifact_says_so(store: Store, make_record: MakeRecord) -> None:
    with pytest.raises(StoreError, match="no artifact"):
        store.artifact(store.write(make_record()))


def test_query_sorts_by_names_and_skips_temporary_and_foreign_files(store: Store, make_record: MakeRecord) -> None:
    for task, method in [("z", "a"), ("a", "z"), ("a", "b")]:
        record = store.write(make_record(task=task, method=method))
    store.path(record.cell).with_name(f".{record.cell.id}.json.abc.tmp").write_text("{")
    store.path(record.cell).with_name("notes.json").write_text("{")
    found = [(record.cell.task.name, record.cell.method.name) for record in store.query()]
    assert found == [("a", "b"), ("a", "z"), ("z", "a")]


def test_an_empty_or_missing_folder_has_no_records(store: Store) -> None:
    assert store.query() == []
    assert store.frame().empty
    assert store.clean() == []


def test_a_broken_record_is_named(store: Store, make_record: MakeRecord) -> None:
    path = store.path(store.write(make_record()).cell)
    path.write_text(path.read_text()[:50])
    with pytest.raises(StoreError, match=path.name):
        store.query()


def test_a_record_that_is_not_text_is_named(store: Store, make_record: MakeRecord) -> None:
    path = store.path(store.write(make_record()).cell)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(StoreError, match=path.name):
        store.query()


def test_a_record_whose_cell_was_edited_is_refused(store: Store, make_record: MakeRecord) -> None:
    path = store.path(store.write(make_record()).cell)
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 7'))
    with pytest.raises(StoreError) as caught:
        store.read(path.stem)
    assert "edited" in caught.value.why


def test_the_frame_has_one_row_a_cell(store: Store, make_record: MakeRecord) -> None:
    cost = Volatile(cost=Cost(seconds=1.5, peak_bytes=10, forward_passes=4))
    store.write(make_record(method="a", volatile=cost))
    problem = Problem(what="It failed.", why="w", do="d")
    store.write(make_record(method="b", status="failed", problem=problem, metrics={}))
    frame = store.frame().set_index("method")
    assert frame["status"].to_dict() == {"a": "ok", "b": "failed"}
    assert frame.loc["a", ["metrics.cpr", "metrics.cpr.ci_low", "metrics.cpr.ci_high"]].tolist() == [
        0.5,
        0.25,
        0.75,
    ]
    assert frame.loc["a", "seconds"] == 1.5
    assert frame.loc["a", "params"] == '{"steps":5}'
    assert frame.loc["b", "problem"] == "It failed."
    assert pd.isna(frame.loc["a", "metrics.auroc"])
    assert pd.isna(frame.loc["b", "metrics.cpr"])


def test_clean_removes_old_leftovers_and_nothing_else(store: Store, make_record: MakeRecord) -> None:
    record = store.write(make_record(), {"examples": examples()})
    folder = store.path(record.cell).parent
    leftovers = [
        folder / f".{record.cell.id}.json.aa.tmp",
        folder / f"{'0' * 32}.examples.{'0' * 12}.parquet",
    ]
    young = folder / f".{record.cell.id}.json.bb.tmp"
    foreign = folder / "notes.tmp"
    for path in [*leftovers, young, foreign]:
        path.write_text("x")
    for path in [*folder.iterdir()]:
        if path != young:
            make_old(path)
    assert store.clean() == sorted(leftovers)
    assert young.exists()
    assert foreign.exists()
    assert len(store.table(record, "examples")) == 3


def test_writing_a_cell_again_removes_what_its_killed_writer_left(store: Store, make_record: MakeRecord) -> None:
    record = store.write(make_record())
    left = store.path(record.cell).with_name(f".{record.cell.id}.json.aa.tmp")
    left.write_text("x")
    make_old(left)
    store.write(make_record())
    assert files(store) == [f"{record.cell.id}.json"]
