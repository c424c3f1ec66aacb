from __future__ import annotations

import pytest
from dictionary_examples import example

from mibench.artifacts.dictionaries.native import save_dictionary
from mibench.core.errors import ModelError
from mibench.runner.handed_in import refs as artifact_refs
from mibench.runner.handed_in.refs import artifact_paths


def test_what_cannot_be_fetched_is_spoken_of_as_files_not_as_a_model(monkeypatch):
    def fails(*words):
        raise ModelError("org/none could not be fetched.", why="No connection.", do="Give a transformers folder.")

    monkeypatch.setattr(artifact_refs, "hub_folder", fails)
    with pytest.raises(ModelError) as caught:
        artifact_paths("hub:org/none/layer_3")
    assert "transformers" not in caught.value.do
    assert "path of the file or folder" in caught.value.do


def test_a_folder_is_the_dictionaries_in_it_and_without_any_itself(tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for name in ("a.safetensors", "deep/b.safetensors", "deep/er/c.safetensors"):
        save_dictionary(example("topk"), tmp_path / name)
    (tmp_path / "notes.txt").write_text("nothing")
    found = [path.relative_to(tmp_path).as_posix() for path in artifact_paths(str(tmp_path))]
    assert found == ["a.safetensors", "deep/b.safetensors", "deep/er/c.safetensors"]
    other = tmp_path / "circuits"
    other.mkdir()
    (other / "one.json").write_text("{}")
    assert artifact_paths(str(other)) == [other]
