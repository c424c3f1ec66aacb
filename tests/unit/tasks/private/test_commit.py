from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mibench.core.errors import DataError
from mibench.tasks.private.commit import check_commitment, commitment

SALT = b"s" * 32


def split_at(folder, content=b'{"prompt": "a"}\n'):
    place = folder / "ioi"
    place.mkdir(parents=True)
    (place / "test.jsonl").write_bytes(content)
    sha = hashlib.sha256(content).hexdigest()
    (place / "digests.json").write_text(json.dumps({"sha256": {"test.jsonl": sha}}))
    return folder


@pytest.fixture
def folder(tmp_path):
    return split_at(tmp_path / "final")


def test_a_commitment_is_the_digest_of_salt_and_files(folder):
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    shas = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
    plain = json.dumps({"files": shas, "salt": SALT.hex()}, sort_keys=True, separators=(",", ":"))
    assert commitment(folder, SALT) == hashlib.sha256(plain.encode()).hexdigest()
    check_commitment(folder, SALT, commitment(folder, SALT))


def test_another_salt_is_refused(folder):
    with pytest.raises(DataError, match="not what was committed to") as caught:
        check_commitment(folder, b"t" * 32, commitment(folder, SALT))
    assert "the salt is another one" in caught.value.why


@settings(max_examples=30, deadline=None)
@given(place=st.integers(0, 15), byte=st.integers(1, 255))
def test_any_changed_byte_is_refused_and_its_file_named(tmp_path_factory, place, byte):
    folder = split_at(tmp_path_factory.mktemp("commit") / "final")
    before, path = commitment(folder, SALT), folder / "ioi" / "test.jsonl"
    content = bytearray(path.read_bytes())
    content[place] ^= byte
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        check_commitment(folder, SALT, before)
    assert "ioi/test.jsonl was changed" in caught.value.why


def test_added_missing_and_renamed_files_are_named(folder):
    before = commitment(folder, SALT)
    (folder / "ioi" / "more.jsonl").write_text("x")
    with pytest.raises(DataError) as caught:
        check_commitment(folder, SALT, before)
    assert "ioi/more.jsonl is in no digests.json" in caught.value.why
    (folder / "ioi" / "test.jsonl").unlink()
    with pytest.raises(DataError) as caught:
        check_commitment(folder, SALT, before)
    assert "ioi/test.jsonl is missing" in caught.value.why


def test_rows_changed_together_with_their_digest_are_refused(folder, tmp_path):
    other = split_at(tmp_path / "other", b'{"prompt": "b"}\n')
    with pytest.raises(DataError) as caught:
        check_commitment(other, SALT, commitment(folder, SALT))
    assert "both were changed" in caught.value.why
    (other / "ioi" / "digests.json").write_text("{")
    with pytest.raises(DataError, match="not what was committed to"):
        check_commitment(other, SALT, commitment(folder, SALT))


def test_where_it_lies_and_when_it_was_made_do_not_matter(folder, tmp_path):
    assert commitment(split_at(tmp_path / "elsewhere" / "x"), SALT) == commitment(folder, SALT)


def test_links_and_empty_folders_are_no_split(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "empty", tmp_path / "nothing"):
        with pytest.raises(DataError, match="no private split"):
            commitment(place, SALT)
    (folder / "link").symlink_to(folder / "ioi" / "test.jsonl")
    with pytest.raises(DataError, match="no private split") as caught:
        commitment(folder, SALT)
    assert "link" in caught.value.why
