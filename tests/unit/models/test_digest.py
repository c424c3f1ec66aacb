from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mibench.core.errors import ModelError
from mibench.models import digest as digest_module
from mibench.models.digest import cached_file_digest, folder_digest, read_config, weight_files

pytestmark = pytest.mark.usefixtures("private_cache")
Tiny = Callable[[str], Path]


def change_config(folder: Path, **changes: object) -> None:
    config = {**json.loads((folder / "config.json").read_text()), **changes}
    (folder / "config.json").write_text(json.dumps(config))


def test_a_copied_folder_has_the_same_digest(tiny: Tiny, tmp_path: Path) -> None:
    folder = tiny("tiny_gpt2")
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert folder_digest(folder) == folder_digest(copy)


def test_keys_that_only_name_versions_do_not_count(tiny: Tiny) -> None:
    folder = tiny("tiny_llama")
    before = folder_digest(folder)
    change_config(folder, transformers_version="9.9", _name_or_path="elsewhere", dtype="float64", use_cache=False)
    assert folder_digest(folder) == before


def test_configuration_weights_and_vocabulary_count(tiny: Tiny) -> None:
    folder = tiny("tiny_llama")
    seen = {folder_digest(folder)}
    change_config(folder, rope_theta=500.0)
    seen.add(folder_digest(folder))
    weights = folder / "model.safetensors"
    changed = bytearray(weights.read_bytes())
    changed[-1] ^= 1
    weights.write_bytes(changed)
    os.utime(weights, ns=(1, 1))
    seen.add(folder_digest(folder))
    (folder / "tokenizer.json").write_text("{}")
    seen.add(folder_digest(folder))
    assert len(seen) == 4


def test_tokenizer_json_stands_for_the_vocabulary_files_beside_it(tiny: Tiny) -> None:
    folder = tiny("tiny_llama")
    (folder / "tokenizer.json").write_text("{}")
    before = folder_digest(folder)
    (folder / "merges.txt").write_text("a b")
    assert folder_digest(folder) == before
    (folder / "tokenizer.json").unlink()
    assert folder_digest(folder) != before


def test_an_unchanged_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"abc")
    first = cached_file_digest(file)
    monkeypatch.setattr(digest_module, "file_digest", lambda _: pytest.fail("read again"))
    assert first == cached_file_digest(file) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_damaged_cache_entry_is_not_believed(tmp_path: Path, private_cache: Path) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"abc")
    first = cached_file_digest(file)
    (entry,) = (private_cache / "digests").iterdir()
    entry.write_text('{"sha256": "short"')
    assert cached_file_digest(file) == first


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"abc")
    monkeypatch.setenv("MIBENCH_CACHE", str(file))
    assert cached_file_digest(file).startswith("ba7816bf")


@pytest.mark.parametrize("shard", ["model-00002-of-00002.safetensors", "../elsewhere/model.safetensors"])
def test_an_index_that_names_a_file_outside_the_folder_is_refused(tiny: Tiny, shard: str) -> None:
    folder = tiny("tiny_gpt2")
    index = {"weight_map": {"a": "model.safetensors", "b": shard}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelError, match="not complete") as caught:
        weight_files(folder)
    assert shard in caught.value.why


@pytest.mark.parametrize("text", ["{", "[1]", '{"a": 1} x'])
def test_a_broken_configuration_is_a_model_error(tiny: Tiny, text: str) -> None:
    folder = tiny("tiny_gpt2")
    (folder / "config.json").write_text(text)
    with pytest.raises(ModelError):
        read_config(folder)


def test_infinite_numbers_in_a_configuration_can_be_digested(tiny: Tiny) -> None:
    folder = tiny("tiny_gpt2")
    (folder / "config.json").write_text('{"limit": Infinity}')
    assert len(folder_digest(folder)) == 64
