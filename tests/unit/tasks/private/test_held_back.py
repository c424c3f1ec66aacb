from __future__ import annotations

import json

import pytest

from mibench.core.errors import DataError, UsageError
from mibench.tasks.private.held_back import private_documents

SALT = b"s" * 32


def texts(found, split):
    return [row["text"] for row in found[split]]


def test_documents_are_dealt_and_none_is_lost(toy, held_back):
    found = private_documents("toy", held_back, SALT)
    one, other = texts(found, "standings"), texts(found, "final")
    assert sorted(one + other) == sorted(path.read_text() for path in held_back.iterdir())
    assert min(len(one), len(other)) > 3
    assert found == private_documents("toy", held_back, SALT)
    assert texts(private_documents("toy", held_back, b"t" * 32), "final") != other


@pytest.mark.parametrize(
    "text",
    [
        "Public document 3, of which everybody has a copy at home. " * 8,
        "PUBLIC document 3,\n\nof which everybody  has a copy",
        "Before. " + "Public document 3, of which everybody has a copy at home. " * 8 + "After.",
    ],
)
def test_a_document_that_stands_in_the_public_corpus_is_refused(toy, held_back, text):
    (held_back / "leak.txt").write_text(text)
    with pytest.raises(DataError, match=r"leak\.txt is not private"):
        private_documents("toy", held_back, SALT)


def test_lines_are_dealt_once_and_blank_ones_left_out(toy, tmp_path):
    lines = ["  ", "", *(f"Line {number} \u2028 of a secret" for number in range(30)), "Line 3 \u2028 of a secret"]
    (tmp_path / "lines.jsonl").write_text("".join(json.dumps({"text": line}) + "\n" for line in lines))
    found = private_documents("toy", tmp_path / "lines.jsonl", SALT)
    assert sorted(texts(found, "standings") + texts(found, "final")) == sorted({line for line in lines if line.strip()})


def test_a_corpus_without_a_name_and_missing_text_are_refused(toy, held_back, tmp_path):
    with pytest.raises(UsageError, match="no corpus 'toys'") as caught:
        private_documents("toys", held_back, SALT)
    assert "'toy'" in caught.value.do
    with pytest.raises(UsageError, match="cannot be read"):
        private_documents("toy", tmp_path / "nothing.txt", SALT)


def test_one_document_is_too_few_for_two_splits(toy, tmp_path):
    (tmp_path / "one.jsonl").write_text('{"text": "only one"}\n')
    with pytest.raises(DataError, match="too little text"):
        private_documents("toy", tmp_path / "one.jsonl", SALT)
