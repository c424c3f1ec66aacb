from __future__ import annotations

import pytest

from mibench.core.errors import DataError, UsageError
from mibench.tasks.corpora.hub import HubText
from mibench.tasks.corpora.load import load_corpus

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def hub(monkeypatch, rows):
    calls = []

    def load_dataset(path, **options):
        calls.append((path, options))
        if isinstance(rows, Exception):
            raise rows
        return rows

    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    return calls


def test_a_reference_names_commit_configuration_and_column():
    assert HubText.parse(f"hub:org/name@{COMMIT}") == HubText("org/name", COMMIT)
    assert HubText.parse(f"hub:org/na.me@{COMMIT}/en-v1:body") == HubText("org/na.me", COMMIT, "en-v1", "body")
    assert HubText.parse(f"hub:org/name@{COMMIT}:body") == HubText("org/name", COMMIT, None, "body")


@pytest.mark.parametrize("ref", ["hub:org/name", "hub:org/name@main", f"hub:org/name@{COMMIT[:12]}", "hub:org/name/en"])
def test_what_is_not_pinned_is_refused_with_what_to_write(ref):
    with pytest.raises(UsageError, match="org/name is not pinned") as caught:
        load_corpus(ref)
    assert "hub:org/name@COMMIT" in caught.value.do


@pytest.mark.parametrize("ref", ["hub:name", "hub:", "hub:a/b/c/d", f"hub:org/name@{COMMIT}:a:b", "hub:../x y"])
def test_what_is_no_reference_is_refused(ref):
    with pytest.raises(UsageError, match="is not a data set of the hub"):
        load_corpus(ref)


def test_rows_are_streamed_at_the_commit_and_no_code_of_theirs_is_trusted(monkeypatch):
    calls = hub(monkeypatch, [{"body": f"text {number}"} for number in range(50)])
    corpus = load_corpus(f"hub:org/name@{COMMIT}/en:body")
    found = [document for split in corpus.splits for document in corpus.documents(split)]
    assert sorted(document.text for document in found) == sorted(f"text {number}" for number in range(50))
    assert calls[0] == (
        "org/name",
        {"name": "en", "split": "train", "revision": COMMIT, "streaming": True, "trust_remote_code": False},
    )
    assert corpus.stream
    assert "hash" in corpus.notes


def test_a_hub_that_cannot_be_reached_is_an_error_of_data(monkeypatch):
    hub(monkeypatch, ConnectionError("no route"))
    with pytest.raises(DataError, match="cannot be read from the hub") as caught:
        list(load_corpus(f"hub:org/name@{COMMIT}").documents("train"))
    assert "no route" in caught.value.why


def test_a_missing_column_is_named_with_those_that_there_are(monkeypatch):
    hub(monkeypatch, [{"body": "x", "id": 1}])
    with pytest.raises(DataError, match="cannot be used") as caught:
        list(load_corpus(f"hub:org/name@{COMMIT}").documents("train"))
    assert "'text'" in caught.value.why
    assert "body, id" in caught.value.why
