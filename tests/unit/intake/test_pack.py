from __future__ import annotations

import os
import zipfile

import pytest
from submission_cases import FILE, NAME, good

from mibench.core.errors import UsageError
from mibench.intake.check import check_submission
from mibench.intake.pack import pack_submission


def test_equal_folders_give_equal_bytes(tmp_path):
    first, second = good(tmp_path / "one"), good(tmp_path / "two")
    os.utime(second / FILE, (1, 1))
    (second / FILE).chmod(0o600)
    assert pack_submission(first, tmp_path / "a.zip").passed
    assert pack_submission(second, tmp_path / "b.zip").passed
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_an_archive_holds_the_folder_and_passes_the_same_check(tmp_path):
    folder = good(tmp_path)
    pack_submission(folder, tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        names = [f"{NAME}/README.md", f"{NAME}/artifacts/a.safetensors", f"{NAME}/submission.yaml"]
        assert archive.namelist() == names
        assert archive.read(f"{NAME}/{FILE}") == (folder / FILE).read_bytes()
        assert {(one.date_time, one.external_attr >> 16) for one in archive.infolist()} == {
            ((1980, 1, 1, 0, 0, 0), 0o100644)
        }
    assert check_submission(tmp_path / "a.zip") == check_submission(folder)


def test_a_folder_that_does_not_pass_is_not_packed(tmp_path):
    folder = good(tmp_path)
    (folder / "more.py").touch()
    assert not pack_submission(folder, tmp_path / "a.zip").passed
    assert not (tmp_path / "a.zip").exists()


@pytest.mark.parametrize("out", ["there.zip", "a.tar", f"{NAME}/a.zip", "x" * 300 + ".zip"])
def test_archives_that_cannot_be_written_are_wrong_usage(tmp_path, out):
    folder = good(tmp_path)
    (tmp_path / "there.zip").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError):
        pack_submission(folder, tmp_path / out)
    assert (tmp_path / "there.zip").read_text(encoding="utf-8") == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == [NAME, "there.zip"]


def test_there_has_to_be_a_folder(tmp_path):
    with pytest.raises(UsageError):
        pack_submission(tmp_path / "absent", tmp_path / "a.zip")
