"""``python -m mibench.siit``: what it writes, what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import load_file

from mibench.core.hashing import file_digest
from mibench.core.truth import read_truth
from mibench.models.load import load_hf
from mibench.siit import __main__ as main_module
from mibench.siit import probe, recipes, truth
from mibench.siit.checkpoints import FILE
from mibench.siit.recipes import RECIPES
from mibench.siit.trainer import Trainer

TINY = replace(RECIPES["siit-logic"], shape=(2, 4, 8, 8), steps=2, decay=2, batch=8)


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(recipes.RECIPES, "siit-logic", TINY)  # type: ignore[arg-type]
    monkeypatch.setattr(probe.Probe.of.__func__, "__defaults__", (5,))  # type: ignore[attr-defined]
    monkeypatch.setattr(truth, "_ROWS", 2)


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(main_module.command, [str(one) for one in arguments])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models") / "siit-logic"


def test_a_trained_model_is_a_folder_that_loads_and_is_checked(trained: Path) -> None:
    done = run("train", "siit-logic", "--out", trained)
    assert done.exit_code == 1, done.output
    assert "not reached: only" in done.output
    found = {path.name for path in trained.iterdir()}
    texts = {"config.json", "tokenizer.json", "tokenizer_config.json", "README.md"}
    assert found == texts | {"truth.json", "model.safetensors"}
    loaded = load_hf(str(trained))
    assert loaded.tokenizer is not None
    assert loaded.tokenizer.bos_id == 0
    program = TINY.loaded
    words = [word for word in program.words if word != "<s>"]
    assert loaded.tokenizer.encode(" ".join(words)) == list(range(1, len(program.words)))
    assert loaded.vocab_size == len(program.words) + 1
    known = read_truth(trained)
    assert known is not None
    assert known.origin == "trained"
    assert set(known.tasks) == {"siit-logic", "siit-logic-inner", "siit-logic-third"}
    assert known.tasks["siit-logic"].resolution == "head"
    assert "input->a0.h0<v>" in known.tasks["siit-logic"].edges
    again = run("check", trained)
    assert again.exit_code == 1
    assert "right answers" in again.output


def test_training_again_gives_the_same_weights(trained: Path, tmp_path: Path) -> None:
    Trainer(TINY, tmp_path / "again").run(until=1)
    assert run("train", "siit-logic", "--out", tmp_path / "again").exit_code == 1
    assert file_digest(tmp_path / "again" / "model.safetensors") == file_digest(trained / "model.safetensors")
    weights = load_file(trained / "model.safetensors")
    assert {one.dtype for one in weights.values()} == {torch.float32}


def test_a_folder_in_use_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    done = run("train", "siit-logic", "--out", tmp_path)
    assert done.exit_code == 2
    assert "is in use" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_unknown_model_is_refused_with_a_hint(tmp_path: Path) -> None:
    done = run("train", "siit-logik", "--out", tmp_path / "new")
    assert done.exit_code == 2
    assert "siit-logic" in done.output
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("content", [None, "{}", '{"origin": "trained", "tasks": {"other": {"edges": []}}}'])
def test_a_folder_that_is_no_such_model_is_not_checked(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "truth.json").write_text(content)
    done = run("check", tmp_path)
    assert done.exit_code == 1
    assert "why:" in done.output
    assert "Traceback" not in done.output


def test_digests_name_every_file_of_every_model(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "config.json").write_text("{}")
    (tmp_path / "one" / ".hidden").write_text("")
    assert run("digests", tmp_path).exit_code == 0
    found = json.loads((tmp_path / "digests.json").read_text())
    assert found == {"sha256": {"one/config.json": file_digest(tmp_path / "one" / "config.json")}}
    assert run("digests", tmp_path / "none").exit_code == 2


def test_an_unfinished_training_has_no_digest(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / FILE).write_text("")
    assert run("digests", tmp_path).exit_code == 2
    assert not (tmp_path / "digests.json").exists()
