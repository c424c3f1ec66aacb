"""A cell's id moves exactly when something that fixes its numbers moves."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from mibench.core.specs import Ablation, Cell, Convention, Level, MethodRef, ModelRef, TaskRef, Track


def cell(**changes: Any) -> Cell:
    parts: dict[str, Any] = {
        "track": Track.CIRCUIT,
        "task": TaskRef(name="ioi", version=1, split="validation", digest="a" * 64),
        "model": ModelRef(name="gpt2", digest="b" * 64),
        "method": MethodRef(name="eap", version=1, params={"steps": 5, "rule": "left"}, seed=0),
        "level": Level.EDGE,
        "ablation": Ablation.COUNTERFACTUAL,
    }
    return Cell(**parts | changes)


def test_a_known_id_stays_what_it_is() -> None:
    assert cell().id == "57c485d5e7c4904a16313ee3c6297e80"


def test_equal_cells_have_equal_ids_whatever_the_order_of_parameters() -> None:
    swapped = MethodRef(name="eap", version=1, params={"rule": "left", "steps": 5}, seed=0)
    assert cell(method=swapped).id == cell().id


def test_an_id_survives_json() -> None:
    assert Cell.model_validate_json(cell().model_dump_json()).id == cell().id


@pytest.mark.parametrize(
    "change",
    [
        {"track": Track.SAE},
        {"level": Level.NODE},
        {"level": None},
        {"ablation": Ablation.ZERO},
        {"bos": "as-given"},
        {"convention": Convention.MIB},
        {"task": TaskRef(name="ioi", version=1, split="test", digest="a" * 64)},
        {"task": TaskRef(name="ioi", version=1, split="validation", digest="c" * 64)},
        {"model": ModelRef(name="gpt2", digest="b" * 64, dtype="bfloat16")},
        {"method": MethodRef(name="eap", version=2, params={"steps": 5, "rule": "left"}, seed=0)},
        {"method": MethodRef(name="eap", version=1, params={"steps": 6, "rule": "left"}, seed=0)},
        {"method": MethodRef(name="eap", version=1, params={"steps": 5, "rule": "left"}, seed=1)},
    ],
)
def test_every_part_of_a_cell_moves_its_id(change: dict[str, Any]) -> None:
    assert cell(**change).id != cell().id


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, object()])
def test_parameters_without_a_stable_form_are_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        MethodRef(name="eap", params={"p": value})


def test_parameters_come_back_from_json_as_they_went_in() -> None:
    ref = MethodRef(name="eap", params={"layers": (1, 2), "sub": {"a": None}})
    assert ref.params == {"layers": [1, 2], "sub": {"a": None}}
    assert MethodRef.model_validate_json(ref.model_dump_json()) == ref


def test_a_cell_cannot_be_changed_and_takes_no_unknown_field() -> None:
    with pytest.raises(ValidationError):
        cell().bos = "as-given"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        cell(device="cuda")
