"""The records that docs/reproduce.md names are reproduced by its commands."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mibench.records.confirmation import read_confirmations
from mibench.records.store import Store

ROOT = Path(__file__).parents[2]
RECORDS = ROOT / "leaderboard" / "records"
DOCS = (ROOT / "docs" / "reproduce.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^(mibench reproduce .*?) +#", DOCS, flags=re.MULTILINE)


def committed(command):
    """The path of the record that a command names."""
    (path,) = RECORDS.rglob(f"{shlex.split(command)[2]}*.json")
    return path


def test_a_record_of_each_track_is_named():
    assert [committed(one).relative_to(RECORDS).parts[0] for one in COMMANDS] == ["circuit", "variable", "sae"]


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("command", COMMANDS)
def test_committed_records_are_reproduced_with_another_number_of_threads(command, tmp_path, smollm2_folder):
    folder = committed(command).parent
    shutil.copytree(folder, tmp_path / folder.relative_to(RECORDS))
    words = [str(Path(sys.executable).with_name("mibench")), *shlex.split(command)[1:], "--append"]
    words[words.index("--records") + 1] = str(tmp_path)
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (confirmed,) = read_confirmations(tmp_path)
    made = Store(tmp_path).read(confirmed.record).volatile.provenance
    assert (confirmed.verdict, confirmed.made.threads) == ("match", made.threads)
    assert not (RECORDS / "confirmations.jsonl").exists()
