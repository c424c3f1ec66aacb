"""A run that is killed at any moment leaves whole records only, and the next one ends as if nothing had been."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mibench.records.encode import parse_record, stable_bytes
from mibench.records.store import Store

ROOT = Path(__file__).parents[2]
WORDS = ["--method", "eap", "--method", "eap-ig-inputs", "--method", "random", "--seeds", "4", "--split", "test"]
CELLS = 7

# A server that forks: importing torch once is most of what a process of its own would cost.
FORKER = """
import os, sys
import mibench.cli.run, mibench.cli.outcome, mibench.cli.progress, mibench.runner.execute
from mibench.cli.main import main
import torch
torch.set_num_threads(1)
for line in sys.stdin:
    child = os.fork()
    if not child:
        os.close(0)
        main(line.split("\\t")[:-1])
        os._exit(0)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Forker:
    """Starts runs in processes of their own, and kills them."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", FORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        )

    def run(self, words: list[str], *, kill_after: float | None = None) -> int:
        self.process.stdin.write("\t".join(words) + "\t\n")
        self.process.stdin.flush()
        child = int(self.process.stdout.readline())
        if kill_after is not None:
            time.sleep(kill_after)
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        while True:  # what the child prints comes through the same pipe
            line = self.process.stdout.readline()
            if line.strip().lstrip("-").isdecimal():
                return int(line)
            assert line, "the server has died"

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=20)


def whole_records(folder: Path) -> int:
    """Check everything that looks like a record, and what it refers to."""
    store, found = Store(folder), 0
    for path in folder.rglob("*.json"):
        record = parse_record(path.read_bytes(), source=str(path))
        assert record.status == "ok"
        assert store.artifact(record).is_file()
        assert len(store.table(record, "examples")) > 0
        found += 1
    assert len(store.query()) == found
    return found


def contents(folder: Path) -> dict[str, bytes]:
    found = {record.cell.id: stable_bytes(record) for record in Store(folder).query()}
    for path in folder.rglob("*"):
        # Logs tell of every try, and who was killed leaves its claim and its orders.
        working = {"logs", ".claims", ".orders"} & {*path.relative_to(folder).parts}
        if path.is_file() and not working and path.suffix not in {".json", ".tmp"}:
            found[str(path.relative_to(folder))] = path.read_bytes()
    return found


def check_kills(ground: list[str], tmp_path: Path, *, kills: int, seed: int) -> None:
    words = ["run", *ground, *WORDS]
    forker = Forker(tmp_path)
    try:
        assert forker.run([*words, "--out", "whole"]) == 0
        start = time.monotonic()
        assert forker.run([*words, "--out", "whole", "--only", "all"]) == 0
        seconds = time.monotonic() - start
        assert whole_records(tmp_path / "whole") == CELLS
        draw, killed, counts = random.Random(seed), 0, []
        for kill in range(kills):
            # Half of them go on where the last one stopped, half write over what is there.
            again = ["--only", "all"] if kill % 2 else []
            moment = draw.uniform(0.1, 0.8) * seconds
            killed += forker.run([*words, "--out", "killed", *again], kill_after=moment) == -signal.SIGKILL
            counts.append(whole_records(tmp_path / "killed"))
        assert killed >= kills // 4
        assert counts == sorted(counts)
        assert forker.run([*words, "--out", "killed"]) == 0
    finally:
        forker.close()
    assert whole_records(tmp_path / "killed") == CELLS
    whole, after = contents(tmp_path / "whole"), contents(tmp_path / "killed")
    # A file may be left that its cell wrote again under the same name, never a different one.
    assert after == whole


def test_runs_that_are_killed_end_as_if_nothing_had_been(ground, tmp_path):
    check_kills(ground("tiny_gpt2", "B"), tmp_path, kills=10, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_runs_that_are_killed_very_often_end_as_if_nothing_had_been(ground, tmp_path, seed):
    check_kills(ground("tiny_gpt2", "B"), tmp_path, kills=40, seed=seed)
