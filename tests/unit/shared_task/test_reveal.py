"""What is revealed is what was committed to, and anyone can see whether it is."""

from __future__ import annotations

import json
import shutil

import pytest
from opening_cases import opened

from mibench.core.errors import DataError, UsageError
from mibench.shared_task.reveal import verify, write_reveal


@pytest.fixture
def round_(tmp_path):
    return opened(tmp_path)


@pytest.fixture
def revealed(round_):
    return write_reveal(*round_)


def faults(folder, revealed):
    return {one.split: one.fault for one in verify(folder.round_file, revealed)}


def test_what_is_revealed_gives_the_commitments(round_, revealed):
    folder, rules = round_
    assert faults(folder, revealed) == {"standings": "", "final": ""}
    assert {path.name for path in revealed.iterdir()} == {"salt", "standings", "final", "digests.json"}
    digests = json.loads((revealed / "digests.json").read_text())
    assert {name: one["commitment"] for name, one in digests.items()} == dict(rules.commitments)


def test_it_can_be_verified_wherever_it_is_copied(round_, revealed, tmp_path):
    shutil.copytree(revealed, tmp_path / "elsewhere")
    shutil.copy(round_[0].round_file, tmp_path / "published.json")
    assert not any(one.fault for one in verify(tmp_path / "published.json", tmp_path / "elsewhere"))


def test_revealing_twice_gives_the_same(round_, revealed):
    before = {path: path.read_bytes() for path in revealed.rglob("*") if path.is_file()}
    write_reveal(*round_)
    assert {path: path.read_bytes() for path in revealed.rglob("*") if path.is_file()} == before


def test_a_changed_row_is_named(round_, revealed):
    path = revealed / "final" / "ioi" / "test.jsonl"
    path.write_text(path.read_text().replace(" ", "  ", 1))
    found = faults(round_[0], revealed)
    assert found["standings"] == ""
    assert "ioi/test.jsonl was changed" in found["final"]


@pytest.mark.parametrize("split", ["standings", "final"])
def test_a_missing_or_an_added_file_is_a_fault(round_, revealed, split):
    (revealed / split / "more.jsonl").write_text("{}")
    assert "more.jsonl" in faults(round_[0], revealed)[split]
    shutil.rmtree(revealed / split)
    assert faults(round_[0], revealed)[split]


def test_splits_of_another_salt_or_in_each_others_place_are_not_what_was_committed_to(round_, revealed):
    (revealed / "salt").write_text("ab" * 32)
    assert all(faults(round_[0], revealed).values())
    (revealed / "salt").write_text(round_[0].salt_file.read_text())
    (revealed / "final").rename(revealed / "x")
    (revealed / "standings").rename(revealed / "final")
    (revealed / "x").rename(revealed / "standings")
    assert all(faults(round_[0], revealed).values())


@pytest.mark.parametrize("content", ["", "no hex", "00ff", "ab" * 5000])
def test_what_is_no_salt_is_refused(round_, revealed, content):
    (revealed / "salt").write_text(content)
    with pytest.raises(DataError):
        verify(round_[0].round_file, revealed)


def test_what_is_not_there_cannot_be_verified(round_, revealed, tmp_path):
    with pytest.raises(UsageError):
        verify(round_[0].round_file, tmp_path / "nowhere")
    with pytest.raises(UsageError):
        verify(tmp_path / "nowhere.json", revealed)
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(DataError):
        verify(tmp_path / "other.json", revealed)


def test_an_organiser_whose_splits_have_changed_reveals_nothing(round_):
    folder, rules = round_
    path = folder.split("final") / "ioi" / "test.jsonl"
    path.write_text(path.read_text() + "\n")
    with pytest.raises(DataError, match="not what was committed to"):
        write_reveal(folder, rules)
    assert not folder.public.exists()
