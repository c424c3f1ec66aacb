"""Killed writers and full disks leave whole records."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import mibench
from mibench.core.errors import StoreError
from mibench.records.encode import record_bytes
from mibench.records.record import RunRecord
from mibench.records.store import Store

from .conftest import MakeRecord, examples, files


@pytest.mark.parametrize("survive", range(5))
def test_a_full_disk_at_any_moment_leaves_the_old_record_whole(
    store: Store, make_record: MakeRecord, monkeypatch: pytest.MonkeyPatch, survive: int
) -> None:
    old = store.write(make_record(), {"one": examples(), "two": examples(2.0)})
    real, calls = os.fsync, iter(range(100))

    def full(handle: int) -> None:
        if next(calls) >= survive:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match="could not be written"):
            store.write(make_record(looks_at_test=5), {"one": examples(3.0), "two": examples(4.0)})
    assert store.query() == [old]
    assert store.table(old, "one")["value"].tolist() == examples()["value"].tolist()
    assert not [name for name in files(store) if name.endswith(".tmp")]


WRITER = """
import itertools, sys
import pandas as pd
from mibench.records.encode import parse_record
from mibench.records.store import Store

records = [parse_record(text, source="given") for text in sys.stdin.read().split("\\0")]
store = Store(sys.argv[1])
print("ready", flush=True)
for turn in itertools.count(int(sys.argv[2]) * 1000):
    for record in records:
        frame = pd.DataFrame({"example": range(200), "value": float(turn)})
        changed = record.model_copy(update={"looks_at_test": turn})
        store.write(changed, {"examples": frame, "endpoints": frame.head(1)})
"""


def kill_a_writer(store: Store, records: list[RunRecord], start: int, delay: float) -> None:
    """Let a process write until it is killed without warning after ``delay`` seconds."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(store.folder), str(start)],
        env=os.environ | {"PYTHONPATH": str(Path(mibench.__file__).parents[1])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert writer.stdin
    assert writer.stdout
    with writer.stdin, writer.stdout:
        writer.stdin.write(b"\0".join(map(record_bytes, records)))
        writer.stdin.close()
        assert writer.stdout.readline() == b"ready\n"
        time.sleep(delay)
        writer.kill()
        assert writer.wait() == -signal.SIGKILL


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_writers_killed_at_random_moments_leave_only_whole_records(store: Store, make_record: MakeRecord) -> None:
    records = [make_record(seed=seed) for seed in range(3)]
    delays = random.Random(0)
    for start in range(5):
        kill_a_writer(store, records, start, 0.05 + delays.uniform(0, 0.25))
        for record in store.query():
            turn = float(record.looks_at_test or 0)
            assert set(store.table(record, "examples")["value"]) == {turn}
            assert store.table(record, "endpoints")["value"].tolist() == [turn]
    assert len(store.query()) == 3
    store.clean(older_than=-1)
    assert len(files(store)) == 3 * 3
