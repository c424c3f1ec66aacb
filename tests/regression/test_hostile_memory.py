"""A fresh process that checks a hostile submission stays small; the benchmark measures every kind."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from submission_cases import good, put

from benchmarks.hostile import MAX_MB, Launcher

ROOT = Path(__file__).parents[2]
IDLE_MB = 224
"""Torch by itself; what a check takes beyond it is a part of the limit here."""


def header(text):
    """A safetensors file of nothing but a header."""
    return len(text).to_bytes(8, "little") + text.encode()


def many_tensors():
    tensors = {f"t{number}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for number in range(60_000)}
    return header(json.dumps(tensors))


def many_values():
    values = '{"schema_version": 1, "params": {"x": [' + "0," * 1_500_000 + "0]}}"
    return header(json.dumps({"__metadata__": {"mibench": values}}))


WORST = {
    "a.safetensors, circuit": (many_tensors, {}),
    "a.safetensors, sae": (many_values, {"track": "sae", "level": None, "hook": "residual-post.L1"}),
}


@pytest.mark.parametrize("case", WORST)
def test_the_largest_hostile_submissions_take_less_than_500_mb(case, tmp_path):
    make, entry = WORST[case]
    folder = good(tmp_path)
    put(folder, make(), f"artifacts/{case.split(',')[0]}", **entry)
    with closing(Launcher(tmp_path)) as launcher:
        took = launcher.check(folder)
    assert (took.status, took.traceback) == (1, False)
    assert took.mb < IDLE_MB + MAX_MB


@pytest.mark.slow
def test_no_kind_of_hostile_submission_takes_more_than_it_may():
    words = [sys.executable, str(ROOT / "benchmarks" / "hostile.py")]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
