from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mibench.core.errors import DataError, UsageError
from mibench.tasks.corpora.load import load_corpus
from mibench.tasks.corpora.local import pieces


def documents(path):
    corpus = load_corpus(str(path))
    return sorted((d for split in corpus.splits for d in corpus.documents(split)), key=lambda d: d.name)


def test_form_feeds_part_a_text_file(tmp_path):
    (tmp_path / "book.txt").write_text("one\n\none\ftwo\fthree\f")
    found = documents(tmp_path / "book.txt")
    assert [(d.name, d.text) for d in found] == [
        ("book.txt:1", "one\n\none"),
        ("book.txt:2", "two"),
        ("book.txt:3", "three"),
    ]


def test_without_form_feeds_a_text_file_is_cut_at_blank_lines():
    assert pieces("aaaa\n\nbb\n\ncccc\n\nd", least=6) == ["aaaa\n\nbb\n", "\ncccc\n\nd"]
    assert pieces("aa\nbb\n \nc", least=4) == ["aa\nbb\n \nc"]
    assert pieces("", least=4) == [""]


@given(st.text(alphabet="ab\n ", max_size=200), st.integers(1, 50))
def test_pieces_lose_nothing_and_are_long_enough(text, least):
    found = pieces(text, least)
    assert "".join(found) == text
    assert len(found) == 1 or all(len(piece) >= least for piece in found)


def test_json_lines_give_text_and_labels(tmp_path):
    rows = [{"text": "a\u2028b", "kind": "x", "year": 3}, {"text": "c", "long": "y" * 500}, {"text": "d", "deep": [1]}]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n\n")
    found = documents(path)
    assert [(d.name, d.text, d.labels) for d in found] == [
        ("rows.jsonl:1", "a\u2028b", {"kind": "x", "year": "3"}),
        ("rows.jsonl:2", "c", {}),
        ("rows.jsonl:3", "d", {}),
    ]


def test_each_text_file_of_a_folder_is_a_document(tmp_path):
    (tmp_path / "inner").mkdir()
    for name in ("b.txt", "a.txt", "inner/c.txt", "note.md"):
        (tmp_path / name).write_text(f"text of {name}\f\n\nmore")
    assert [d.name for d in documents(tmp_path)] == ["a.txt", "b.txt", "inner/c.txt"]


def test_a_file_with_the_name_of_a_corpus_is_kept_apart(tmp_path):
    (tmp_path / "sotu.txt").write_text("a\fb\fc")
    assert load_corpus(str(tmp_path / "sotu.txt")).name == "local/sotu"
    assert load_corpus(str(tmp_path / "sotu.txt")).licence == "not given: local"


@pytest.mark.parametrize("line", ["{", "[1]", '{"txt": "a"}', '{"text": 3}', "[" * 100_000])
def test_a_line_that_is_no_document_is_named(tmp_path, line):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a"}\n' + line)
    with pytest.raises(DataError, match=r"rows\.jsonl:2 cannot be used"):
        documents(path)


def test_wrong_encodings_and_suffixes_and_empty_folders_are_refused(tmp_path):
    (tmp_path / "latin.txt").write_bytes("für".encode("latin-1"))
    with pytest.raises(DataError, match=r"latin\.txt cannot be read as text"):
        documents(tmp_path / "latin.txt")
    (tmp_path / "page.html").write_text("x")
    with pytest.raises(UsageError, match="is not a corpus"):
        load_corpus(str(tmp_path / "page.html"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="has no text"):
        documents(tmp_path / "empty")
