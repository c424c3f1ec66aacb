"""Records are copied with their files, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from mibench.core.errors import StoreError
from mibench.records.copying import copy_records
from mibench.records.record import Problem
from mibench.records.store import Store

from .conftest import examples, files

PROBLEM = Problem(what="It broke.", why="No memory.", do="Buy some.")


def fill(store: Store, make_record, tmp_path: Path) -> None:
    artifact = tmp_path / "one.safetensors"
    artifact.write_bytes(b"scores")
    store.write(make_record(), {"examples": examples()}, artifact=artifact)
    store.write(make_record(method="other"), {"examples": examples(2.0)})


def test_a_copy_has_the_same_files_and_a_second_one_changes_nothing(store, make_record, tmp_path) -> None:
    fill(store, make_record, tmp_path)
    out = Store(tmp_path / "out")
    done = copy_records(store, out)
    assert (len(done.new), done.kept, done.without_artifact) == (2, (), ())
    assert {path.name: path.read_bytes() for path in out.folder.rglob("*") if path.is_file()} == {
        path.name: path.read_bytes() for path in store.folder.rglob("*") if path.is_file()
    }
    assert (len(copy_records(store, out).kept), files(out)) == (2, files(store))


def test_own_numbers_stay_and_failures_are_replaced(store, make_record, tmp_path) -> None:
    fill(store, make_record, tmp_path)
    out = Store(tmp_path / "out")
    own = out.write(make_record(looks_at_test=7), {"examples": examples(3.0)})
    out.write(make_record(method="other", status="failed", metrics={}, curves={}, problem=PROBLEM))
    done = copy_records(store, out)
    assert done.kept == (own.cell.id,)
    assert {record.status for record in out.query()} == {"ok"}
    assert out.read(own.cell) == own


@pytest.mark.parametrize("kind", ["examples", "artifact"])
def test_what_is_not_what_its_digest_says_is_refused(store, make_record, tmp_path, kind) -> None:
    fill(store, make_record, tmp_path)
    (path,) = [path for path in store.folder.rglob(f"*.{kind}.*") if "eap" in str(path.parent)]
    path.write_bytes(b"evil")
    out = Store(tmp_path / "out")
    with pytest.raises(StoreError, match="sha256"):
        copy_records(store, out)
    assert "eap" not in {record.cell.method.name for record in out.query()}


def test_a_record_whose_artifact_was_left_out_comes_without_it(store, make_record, tmp_path) -> None:
    fill(store, make_record, tmp_path)
    next(store.folder.rglob("*.artifact.*")).unlink()
    done = copy_records(store, Store(tmp_path / "out"))
    assert len(done.without_artifact) == 1
    assert len(Store(tmp_path / "out").query()) == 2


def test_a_folder_without_records_is_a_fault(tmp_path) -> None:
    with pytest.raises(StoreError, match="no records"):
        copy_records(Store(tmp_path), Store(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
