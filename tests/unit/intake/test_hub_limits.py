"""Artifacts on the hub are held against their stated size, and against a limit, before anything is fetched."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import huggingface_hub
import pytest
from submission_cases import FILE, entry, good, manifest, write_manifest

from mibench.core.errors import ModelError
from mibench.intake.check import Asked, check_submission
from mibench.intake.rules import Rules
from mibench.models.hub import hub_file

REVISION = "1" * 40


@pytest.fixture
def hub(monkeypatch):
    """A hub that has one file of ten bytes, and counts what is fetched."""
    fetched = []
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", lambda url: SimpleNamespace(size=10))
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *words, **more: fetched.append(words) or "there")
    return fetched


def test_a_file_of_another_size_is_not_fetched(hub):
    with pytest.raises(ModelError, match="was not fetched") as caught:
        hub_file("a/b", "c.safetensors", REVISION, 11)
    assert "10 bytes; 11 were stated" in caught.value.why
    assert hub == []
    assert str(hub_file("a/b", "c.safetensors", REVISION, 10)) == "there"
    assert len(hub) == 1


def test_too_much_on_the_hub_is_refused_before_it_is_fetched(tmp_path, hub):
    folder = good(tmp_path)
    where = {"repo": "a/b", "revision": REVISION, "path": "c.safetensors"}
    listed = entry(folder / FILE, None, hub=where) | {"bytes": 2**35}
    (folder / FILE).unlink()
    write_manifest(folder, manifest([listed]))
    report = check_submission(folder, Asked(fetch=True))
    assert "The artifacts on the hub are too large." in [one.what for one in report.failures]
    assert hub == []
    allowed = Asked(replace(Rules(), hub_bytes=2**36), fetch=True)
    assert "hub says that it has 10 bytes" in " ".join(one.why for one in check_submission(folder, allowed).failures)
