"""Slim records say the same, take less space, and know the digest of what was left out."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mibench.core.errors import StoreError
from mibench.records.confirmation import Confirmation, append_confirmations, read_confirmations
from mibench.records.record import Provenance
from mibench.records.slim import slim_records
from mibench.records.store import Store

from .conftest import files

FRAME = pd.DataFrame(
    {
        "example": [f"e{index}" for index in range(4000)],
        "value": np.random.default_rng(0).normal(size=4000).astype(np.float32).astype(np.float64),
        "gap": [np.nan if index % 3 else 0.5 for index in range(4000)],
        "right": [index % 2 == 0 for index in range(4000)],
    }
)


def loose(frame: pd.DataFrame) -> bytes:
    """The frame as an earlier version wrote it."""
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), stream, compression="none")
    return stream.getvalue()


@pytest.fixture
def fat(store: Store, make_record, tmp_path: Path, monkeypatch) -> Store:
    """A small artifact of one record, a large one of another, a third that was handed in; tables as of old."""
    monkeypatch.setattr("mibench.records.beside.table_bytes", lambda frame, name: loose(frame))
    for method, size in (("small", 100), ("large", 5000)):
        artifact = tmp_path / f"{method}.safetensors"
        artifact.write_bytes(method.encode() * size)
        store.write(make_record(method=method), {"examples": FRAME}, artifact=artifact)
    handed = make_record(method="handed")
    cell = handed.cell.model_copy(
        update={"method": handed.cell.method.model_copy(update={"artifact_digest": "c" * 64})}
    )
    store.write(handed.model_copy(update={"cell": cell}), {"examples": FRAME}, artifact=artifact)
    monkeypatch.undo()
    return store


def by_method(store: Store):
    return {record.cell.method.name: record for record in store.query()}


def test_every_number_stays_and_only_large_artifacts_that_a_run_makes_go(fat: Store, tmp_path: Path) -> None:
    thin = Store(tmp_path / "thin")
    done = slim_records(fat, thin, max_artifact_bytes=1000)
    assert (done.records, done.tables, done.dropped, done.handed_in, done.confirmed) == (3, 3, 1, 1, 0)
    assert done.bytes_before == sum(path.stat().st_size for path in fat.folder.rglob("*") if path.is_file())
    assert done.bytes_after == sum(path.stat().st_size for path in thin.folder.rglob("*") if path.is_file())
    old, new = by_method(fat), by_method(thin)
    for name, record in new.items():
        pd.testing.assert_frame_equal(thin.table(record, "examples"), fat.table(old[name], "examples"))
        assert record.model_copy(update={"tables": {}}) == old[name].model_copy(update={"tables": {}})
    assert [thin.holds_artifact(new[name]) for name in ("small", "large", "handed")] == [True, False, True]


def test_in_place_gives_the_same_files_and_a_second_time_changes_nothing(fat: Store, tmp_path: Path) -> None:
    thin = Store(tmp_path / "thin")
    slim_records(fat, thin, max_artifact_bytes=1000)
    slim_records(fat, fat, max_artifact_bytes=1000)
    assert files(fat) == files(thin)
    again = slim_records(fat, fat, max_artifact_bytes=1000)
    assert (again.tables, again.dropped, again.bytes_before) == (0, 0, again.bytes_after)


def test_a_record_without_its_artifact_says_so_and_can_be_written_again(fat: Store) -> None:
    slim_records(fat, fat, max_artifact_bytes=1000)
    record = by_method(fat)["large"]
    with pytest.raises(StoreError, match="is not there") as error:
        fat.artifact(record)
    assert record.artifact.sha256 in error.value.why
    assert "mibench reproduce" in error.value.do
    assert fat.write(record.model_copy(update={"looks_at_test": 2})).artifact == record.artifact
    assert fat.read(record.cell).looks_at_test == 2


def test_confirmed_records_keep_the_tables_that_confirmations_name(fat: Store, tmp_path: Path) -> None:
    record = by_method(fat)["small"]
    made = Provenance(mibench="0.1.0", python="3.11", platform="Linux", created_at="2026-01-02T03:04:05Z")
    told = {name: ref.sha256 for name, ref in record.tables.items()}
    append_confirmations(
        fat.folder,
        [Confirmation(record=record.cell.id, tables=told, verdict="match", difference=0.0, where=None, tolerance=0.0,
                      made=made)],
    )  # fmt: skip
    thin = Store(tmp_path / "thin")
    done = slim_records(fat, thin, max_artifact_bytes=1000)
    assert (done.tables, done.confirmed) == (2, 1)
    assert by_method(thin)["small"] == record
    assert read_confirmations(thin.folder) == read_confirmations(fat.folder)


def test_a_damaged_table_stops_it_before_its_record_is_changed(fat: Store) -> None:
    record = by_method(fat)["large"]
    path = fat.table_file(record, "examples")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(StoreError, match=path.name):
        slim_records(fat, fat, max_artifact_bytes=1000)
    assert by_method(fat)["large"] == record
