"""Folders of planted models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from golden_data import GOLDEN
from safetensors.numpy import load_file

from mibench.core.errors import StoreError, UsageError
from mibench.core.truth import read_truth
from mibench.models.load import load_hf
from mibench.models.tokenizer import load_tokenizer
from mibench.planted.build import PLANTED, PROGRAMS, planted, planted_digest, write_planted

NAME = "planted-lookup-llama-d1"
DIGESTS = json.loads((GOLDEN / "planted" / "digests.json").read_text())


def test_there_are_forty_models_with_distinct_notes():
    assert len(PLANTED) == 40
    assert {one.program for one in PLANTED.values()} == set(PROGRAMS)
    assert PLANTED["planted-ioi-gpt2"].difficulty == 0
    assert PLANTED["planted-ioi-gpt2-d3"].note == "ioi, with distractors, in superposition, saturated"
    assert len({one.version for one in PLANTED.values()}) == 1


def test_an_unknown_name_gets_the_nearest_known_one():
    with pytest.raises(UsageError, match="Did you mean 'planted-ioi-llama'"):
        planted("planted-ioi-lama")


@pytest.mark.parametrize("name", PLANTED)
def test_weights_are_bit_for_bit_those_of_every_other_machine(name):
    assert planted_digest(planted(name)) == DIGESTS[name]


def test_a_folder_is_the_same_each_time_and_holds_what_it_says(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        write_planted(planted(NAME), folder)
    files = sorted(path.name for path in one.iterdir())
    assert files == [
        "README.md",
        "config.json",
        "features.safetensors",
        "model.safetensors",
        "subspaces.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "truth.json",
    ]
    assert all((one / name).read_bytes() == (other / name).read_bytes() for name in files)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    known = read_truth(one)
    assert known.origin == "planted"
    named = {site.subspace for task in known.tasks.values() for site in task.sites} - {None}
    assert named == set(load_file(one / "subspaces.safetensors"))
    directions = load_file(one / "features.safetensors")
    assert directions["tok:fox"].shape == (256,)
    assert directions["entity:fox"] @ directions["tok:fox"] == 0


def test_transformers_loads_a_folder_whole(tmp_path):
    write_planted(planted(NAME), tmp_path / NAME)
    network = load_hf(str(tmp_path / NAME))
    assert network.vocab_size == len(planted(NAME).logic.words)
    assert network.model.config.rope_parameters["rope_theta"] == 5.4e16


def test_the_tokenizer_knows_words_and_nothing_else(tmp_path):
    write_planted(planted("planted-carry-gpt2"), tmp_path / "carry")
    tokenizer = load_tokenizer(tmp_path / "carry", family="gpt2")
    assert tokenizer.bos_id == 0
    assert tokenizer.encode(" 3") == tokenizer.encode("3") == [tokenizer.inner.get_vocab()["3"]]
    assert tokenizer.offsets("1 2 + 3") == [(0, 1), (2, 3), (4, 5), (6, 7)]
    assert tokenizer.decode(tokenizer.encode("1 2 + 3")) == "1 2 + 3"
    assert tokenizer.encode("nothing") == [len(tokenizer.inner.get_vocab()) - 1]


def test_what_is_there_is_not_written_over(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "note.txt").write_text("keep")
    with pytest.raises(StoreError, match="There is something there"):
        write_planted(planted(NAME), tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["note.txt"]


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def full(folder: Path, truth: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mibench.planted.build.write_truth", full)
    with pytest.raises(StoreError, match="No space left"):
        write_planted(planted(NAME), tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_another_process_has_written_meanwhile_is_taken(tmp_path, monkeypatch):
    write_planted(planted(NAME), tmp_path / "whole")
    monkeypatch.setattr("mibench.planted.build.exists", lambda path: False)
    before = (tmp_path / "whole" / "model.safetensors").stat().st_ino
    write_planted(planted(NAME), tmp_path / "whole")
    assert (tmp_path / "whole" / "model.safetensors").stat().st_ino == before
    assert [path.name for path in tmp_path.iterdir()] == ["whole"]
