"""Where things lie."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mibench.core.errors import DataError, StoreError, UsageError
from mibench.intake.failures import Failure, Report
from mibench.shared_task.folder import RoundFolder, private_folder
from mibench.shared_task.reports import read_report, write_report


def test_every_part_has_its_place():
    folder = RoundFolder("ROUND")
    found = {
        folder.rules_file: "round.yaml",
        folder.round_file: "round.json",
        folder.database: "state.sqlite",
        folder.private: "private",
        folder.salt_file: "private/salt",
        folder.split("final"): "private/final",
        folder.submissions: "submissions",
        folder.submission(7): "submissions/000007",
        folder.submission(1_234_567): "submissions/1234567",
        folder.report(7): "submissions/000007/report.json",
        folder.spool: "spool",
        folder.records("standings"): "records/standings",
        folder.public: "public",
        folder.archive: "archive",
    }
    assert [path.as_posix() for path in found] == [f"ROUND/{name}" for name in found.values()]


def test_a_private_folder_is_made_or_narrowed(tmp_path):
    (tmp_path / "open").mkdir(mode=0o755)
    for name in ("open", "new", "in/side"):
        assert private_folder(tmp_path / name).stat().st_mode & 0o777 == 0o700
    (tmp_path / "file").touch()
    for name in ("file", "file/inside"):
        with pytest.raises(StoreError, match="cannot be made"):
            private_folder(tmp_path / name)


TEXT = st.text(max_size=20) | st.just("\udcff")
FAILURES = st.builds(Failure, TEXT, TEXT, TEXT, st.none() | TEXT, st.none() | st.integers(0, 10**6))


@given(st.builds(Report, TEXT, st.lists(FAILURES, max_size=3).map(tuple), st.lists(TEXT, max_size=3).map(tuple)))
def test_a_report_is_read_as_it_was_written(tmp_path_factory, report):
    path = tmp_path_factory.getbasetemp() / "report.json"
    write_report(report, path)
    assert read_report(path) == report
    assert path.read_bytes().isascii()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"name": 1}', "[" * 100_000])
def test_what_is_no_report_is_refused(tmp_path, text):
    (tmp_path / "report.json").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="is no report"):
        read_report(tmp_path / "report.json")
    with pytest.raises(UsageError):
        read_report(tmp_path / "missing.json")


def test_the_state_is_loaded_without_torch():
    code = "import sys, mibench.shared_task.state; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
