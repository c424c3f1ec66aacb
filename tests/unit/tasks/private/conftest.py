"""A corpus of a few documents, and a process that reads public rows again after each test."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from mibench.core.registry import Component
from mibench.tasks.corpora.corpus import CORPORA, Corpus, Document
from mibench.tasks.private.overlay import use_overlay

PUBLIC = [f"Public document {number}, of which everybody has a copy at home. " * 8 for number in range(12)]


@pytest.fixture(autouse=True)
def _public_again():
    use_overlay(None)
    yield
    use_overlay(None)


@pytest.fixture
def toy(monkeypatch):
    """The registered corpus ``toy``."""
    module = ModuleType("toy_corpus")
    module.toy = Corpus(
        lambda: [Document(text, str(place)) for place, text in enumerate(PUBLIC)], "Toy.", "toy", version=1, licence="-"
    )
    monkeypatch.setitem(sys.modules, "toy_corpus", module)
    monkeypatch.setitem(CORPORA.components, "toy", Component("corpus", "toy", "toy_corpus", "toy"))
    return module.toy


@pytest.fixture
def held_back(tmp_path):
    """Text that is in no public corpus: a folder of 20 documents."""
    folder = tmp_path / "held-back"
    folder.mkdir()
    for number in range(20):
        (folder / f"{number}.txt").write_text(f"Secret document {number}. " * 10)
    return folder
