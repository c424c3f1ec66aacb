"""Training: the same bytes however often it is interrupted, and it ends when the checks hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mibench.core.errors import MethodError
from mibench.siit import trainer as trainer_module
from mibench.siit.checkpoints import FILE, restore_state
from mibench.siit.recipes import RECIPES
from mibench.siit.trainer import Trainer, accuracy

TINY = replace(RECIPES["siit-logic"], shape=(2, 4, 8, 8), steps=6, decay=4, batch=8)


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer_module, "PROBE_EVERY", 3)
    monkeypatch.setattr(trainer_module, "_PROBED", 5)


def trained(folder: Path, *stops: int) -> Trainer:
    for stop in stops:
        assert not Trainer(TINY, folder).run(until=stop)
    found = Trainer(TINY, folder)
    assert found.run()
    return found


def same(one: Trainer, other: Trainer) -> bool:
    return all(torch.equal(one.state.tensors[name], tensor) for name, tensor in other.state.tensors.items())


def test_an_interrupted_training_comes_to_the_same_bytes(tmp_path: Path) -> None:
    whole = trained(tmp_path / "whole")
    assert whole.state.steps == 10
    assert same(whole, trained(tmp_path / "halved", 2, 5, 8))
    assert not same(whole, Trainer(TINY, tmp_path / "new"))


def test_a_finished_training_is_not_trained_again(tmp_path: Path) -> None:
    whole = trained(tmp_path)
    again = trained(tmp_path)
    assert again.state.steps == 10
    assert same(whole, again)
    again.forget()
    assert not (tmp_path / FILE).exists()


def test_the_learning_rate_falls_when_the_checks_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer_module, "ENOUGH", 0.0)
    assert trained(tmp_path).state.decay_from == 3


def test_the_learning_rate_falls_after_the_last_step(tmp_path: Path) -> None:
    assert trained(tmp_path).state.decay_from == 6


def test_the_state_of_another_recipe_is_not_taken(tmp_path: Path) -> None:
    Trainer(TINY, tmp_path).run(until=2)
    other = Trainer(replace(TINY, lr=1e-3), tmp_path)
    assert not restore_state(tmp_path, other.state, other.identity)
    assert other.state.steps == 0


@pytest.mark.parametrize("content", [b"", b"{}", b"\x08\0\0\0\0\0\0\0{}      "])
def test_a_broken_state_is_not_taken(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    found = Trainer(TINY, tmp_path)
    assert not restore_state(tmp_path, found.state, found.identity)


def test_a_loss_that_is_no_number_stops_it(tmp_path: Path) -> None:
    found = Trainer(TINY, tmp_path)
    with torch.no_grad():
        found.network.weights["lm_head.weight"].fill_(float("nan"))
    with pytest.raises(MethodError, match="step 0 is nan"):
        found.run()


def test_it_tells_losses_and_accuracies(tmp_path: Path) -> None:
    told: list[tuple[int, dict[str, float]]] = []
    Trainer(TINY, tmp_path, lambda step, numbers: told.append((step, dict(numbers)))).run()
    assert [step for step, _ in told] == [3, 6, 9]
    assert {"behaviour", "iit", "strict", "edges", "inner accuracy"} <= set(told[0][1])


def test_training_teaches(tmp_path: Path) -> None:
    recipe = replace(TINY, shape=(2, 4, 16, 32), steps=60, batch=32, lr=5e-3)
    found = Trainer(recipe, tmp_path)
    examples = found.reader.step(1, 0, 200)
    before = accuracy(found.network, found.reader, examples)["behaviour"]
    found.run(until=60)
    assert before < 0.5 < accuracy(found.network, found.reader, examples)["behaviour"]
