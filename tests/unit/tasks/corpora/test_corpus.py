from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from mibench.core.errors import DataError, UsageError
from mibench.tasks.corpora import corpus as corpus_module
from mibench.tasks.corpora.corpus import CORPORA, Corpus, Document
from mibench.tasks.corpora.load import list_corpora, load_corpus


def made(texts, **changes):
    documents = [Document(text, f"d{number}") for number, text in enumerate(texts)]
    return Corpus(lambda: iter(documents), "Made.", "made", 1, "none", **changes)


def names(corpus, split):
    return [document.name for document in corpus.documents(split)]


def test_a_split_is_in_the_order_of_hashes_whatever_the_order_of_the_source():
    texts = [f"text number {number}" for number in range(40)]
    by_hash = sorted(texts, key=lambda text: hashlib.sha256(text.encode()).digest())
    for corpus in (made(texts), made(texts[::-1])):
        found = [document.text for split in ("test", "validation", "train") for document in corpus.documents(split)]
        assert found == by_hash


def test_the_same_text_counts_once_and_blank_text_does_not_count():
    corpus = made(["one", "two", "one", " \n", "three", "four", ""])
    found = [name for split in corpus.splits for name in names(corpus, split)]
    assert sorted(found) == ["d0", "d1", "d4", "d5"]


def test_a_stream_keeps_its_order_and_its_splits_do_not_overlap():
    texts = [f"text {number}" for number in range(300)]
    corpus = made([*texts, *texts], stream=True)
    found = {split: names(corpus, split) for split in corpus.splits}
    assert all(split == sorted(split, key=lambda name: int(name[1:])) for split in found.values())
    assert sorted(name for split in found.values() for name in split) == sorted(f"d{number}" for number in range(300))


def test_a_stream_is_read_no_further_than_needed():
    read = []

    def source():
        for number in range(10_000):
            read.append(number)
            yield Document(f"text {number}", str(number))

    corpus = replace(made([]), source=source, stream=True)
    next(corpus.documents("train"))
    assert len(read) < 100


def test_too_few_too_large_and_unknown_are_refused(monkeypatch):
    with pytest.raises(DataError, match="cannot be split"):
        names(made(["a", "b", "b"]), "train")
    with pytest.raises(UsageError, match="Unknown split 'dev'"):
        names(made(["a", "b", "c"]), "dev")
    monkeypatch.setattr(corpus_module, "MAX_CHARACTERS", 10)
    with pytest.raises(DataError, match="too large"):
        names(made(["aaaa", "bbbb", "cccc"]), "train")
    monkeypatch.setattr(corpus_module, "MAX_DOCUMENT", 3)
    with pytest.raises(DataError, match="too large") as caught:
        names(made(["aaaa"], stream=True), "train")
    assert "d0 has 4 characters" in caught.value.why


def test_registered_corpora_declare_licence_and_source():
    declared = {component.name: component for component in list_corpora()}
    assert {"sotu", "sae-probes-text", "python-stdlib"} <= set(declared)
    for component in declared.values():
        assert component.doc
        assert component.metadata["version"] >= 1
        assert component.metadata["licence"]
        assert component.metadata["citation"]


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match="Unknown corpus 'sotuu'") as caught:
        load_corpus("sotuu")
    assert "'sotu'" in caught.value.do


def test_what_is_registered_but_no_corpus_is_refused(monkeypatch):
    monkeypatch.setattr(type(CORPORA), "load", lambda self, name: object())
    with pytest.raises(DataError, match="is not a corpus"):
        load_corpus("sotu")
