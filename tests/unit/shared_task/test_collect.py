"""What a scorer left is believed only where it is exactly what it should be."""

from __future__ import annotations

import os
import shutil

import pytest
from evaluation_cases import DIGEST, record_of, table
from open_rounds import rules, submission
from submission_cases import MODEL, TASK

from mibench.core.specs import Level, Track
from mibench.records.encode import record_bytes
from mibench.records.store import Store
from mibench.shared_task import collect as module
from mibench.shared_task.collect import NotOfThisSubmissionError, collect
from mibench.shared_task.jobs import Job
from mibench.shared_task.pieces import pieces_of, read_submission


@pytest.fixture
def job(tmp_path):
    folder = submission(tmp_path)
    path = tmp_path / "round.json"
    path.write_text(rules().model_dump_json(), encoding="utf-8")
    own = {"submission": folder, "overlay": tmp_path, "round": path, "seconds": 1, "memory_bytes": 2**30}
    return Job(entry=1, split="standings", file_bytes=2**20, **own)


@pytest.fixture
def record(job):
    own = read_submission(job.submission)
    (piece,) = pieces_of(own, rules())
    return record_of(own, piece, (TASK, MODEL), job.submission)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "records"


def on(record, **changes):
    """The record on another cell."""
    return record.model_copy(update={"cell": record.cell.model_copy(update=changes)})


def part(record, which, **changes):
    """The record with a part of its cell changed."""
    return on(record, **{which: getattr(record.cell, which).model_copy(update=changes)})


def refused(out, job, *words):
    with pytest.raises(NotOfThisSubmissionError) as caught:
        collect(out, job)
    assert not words or any(word in caught.value.why for word in words), caught.value.why
    assert caught.value.what == "The scorer handed back a record that is not of this submission."


def test_a_record_with_its_table_is_taken(out, job, record):
    Store(out).write(record, {"examples": table()})
    found = collect(out, job)
    ((taken, tables),) = found.found
    assert taken.cell == record.cell
    assert tables["examples"].equals(table())
    assert (found.n_good, found.n_cells) == (1, 1)


def test_there_may_be_none(out, job):
    found = collect(out, job)
    assert (found.found, found.n_good, found.n_cells) == ([], 0, 1)


def test_controls_and_other_files_are_left_out(out, job, record):
    for name in ("random", "known-truth"):
        Store(out).write(part(record, "method", name=name, artifact_digest=None))
    (out / "logs").mkdir()
    (out / "logs" / "x.txt").write_text("x", encoding="utf-8")
    assert collect(out, job).found == []


def test_a_namesake_of_a_control_is_no_control(out, job, record):
    Store(out).write(part(record, "method", name="random"))
    refused(out, job, "another method")


@pytest.mark.parametrize(
    ("which", "changes", "words"),
    [
        ("method", {"name": "other/method@1"}, "another method"),
        ("method", {"name": "team/method@2"}, "another method"),
        ("method", {"code_digest": "0" * 64}, "another method"),
        ("method", {"artifact_digest": "0" * 64}, "not handed in"),
        ("method", {"artifact_digest": None}, "not handed in"),
        ("task", {"name": "ioi"}, "another cell"),
        ("task", {"split": "validation"}, "another split"),
        ("task", {"version": 2}, "another split"),
        ("model", {"name": "gpt2-small"}, "another cell"),
        ("model", {"digest": "1" * 64}, "another cell"),
    ],
)
def test_a_record_of_something_else_is_refused(out, job, record, which, changes, words):
    Store(out).write(part(record, which, **changes))
    refused(out, job, words)


@pytest.mark.parametrize("changes", [{"level": Level.NODE}, {"track": Track.SAE}])
def test_a_record_of_another_kind_is_refused(out, job, record, changes):
    Store(out).write(on(record, **changes))
    refused(out, job, "another cell")


def test_one_bad_record_among_good_ones_refuses_all(out, job, record):
    Store(out).write(record)
    Store(out).write(part(record, "method", name="other/method@1"))
    refused(out, job, "another method")


def test_a_second_record_of_the_same_cell_is_refused(out, job, record):
    Store(out).write(record)
    Store(out).write(part(record, "method", params={"better": 1}))
    refused(out, job, "twice")


def test_a_record_under_another_name_is_refused(out, job, record):
    Store(out).write(record)
    (path,) = out.rglob("*.json")
    path.rename(path.with_name(f"{'0' * 32}.json"))
    refused(out, job, "name of another cell")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"cell": 1}', "[" * 100_000, '{"schema_version": 1e999}'])
def test_what_is_no_record_is_refused(out, job, text):
    out.mkdir()
    (out / f"{'0' * 32}.json").write_text(text, encoding="utf-8")
    refused(out, job)


def test_a_record_that_is_too_large_is_refused(out, job, record, monkeypatch):
    Store(out).write(record)
    monkeypatch.setattr(module, "MAX_RECORD_BYTES", 100)
    refused(out, job, "more than 100 bytes")


def test_links_devices_and_depth_are_refused(out, job, record, tmp_path):
    secret = tmp_path / "secret.json"
    secret.write_bytes(record_bytes(record))
    makers = (
        lambda: (out / f"{record.cell.id}.json").symlink_to(secret),
        lambda: (out / "folder").symlink_to(tmp_path),
        lambda: os.mkfifo(out / f"{record.cell.id}.json"),
        lambda: (out / "/".join("abcdefghijkl")).mkdir(parents=True),
    )
    for make in makers:
        out.mkdir()
        make()
        refused(out, job, "a link, a device or too deep")
        shutil.rmtree(out)


def test_too_much_is_refused_before_it_is_read(out, job, record):
    Store(out).write(record)
    with (out / "large").open("wb") as stream:
        stream.truncate(2**20 + 1)
    refused(out, job, "more than 1048576 bytes")


def test_a_table_that_is_not_there_or_another_or_none_is_refused(out, job, record):
    for spoil in (
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b"PAR1" + bytes(100) + b"PAR1"),
        lambda path: path.write_bytes(path.read_bytes()[:-1] + b"x"),
    ):
        Store(out).write(record, {"examples": table()})
        (path,) = out.rglob("*.parquet")
        spoil(path)
        refused(out, job)
        shutil.rmtree(out)


def test_a_table_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(out, job, record, monkeypatch):
    import pandas as pd

    rows = 2**28 // 8 + 1
    Store(out).write(record, {"examples": pd.DataFrame({"example": [0] * 1000})})
    monkeypatch.setattr(module, "_unpacked_size", lambda content, ref: 8 * rows * 8 + 1)
    monkeypatch.setattr(module, "_table", lambda content, ref: pytest.fail("It was unpacked."))
    refused(out, job, "too large once it is unpacked")


def test_the_model_of_the_round_is_the_one_that_was_published(out, job, record):
    assert rules().models[MODEL] == DIGEST == record.cell.model.digest
