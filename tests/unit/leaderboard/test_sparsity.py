"""From which record of another task a dictionary gets its L0."""

from __future__ import annotations

from typing import Any

import pytest
from dictionary_records import dictionary_record, value

from mibench.leaderboard.rows import collect
from mibench.leaderboard.sparsity import with_l0
from mibench.records.record import RunRecord

from .conftest import Shelf


def core_record(
    number: float, n: int, model: dict[str, str] | None = None, bos: str = "prepend", **where: Any
) -> RunRecord:
    """A record of ``sae-core`` of one dictionary, in a cell that differs."""
    l0 = value(number, None, n=n)
    made = dictionary_record("topk", {"l0": l0}, params={"width": 2048, "k": 25}, where=where)
    cell = made.cell.model_copy(update={"model": made.cell.model.model_copy(update=model or {}), "bos": bos})
    return made.model_copy(update={"cell": cell})


def probing_l0(shelf: Shelf, *others: RunRecord) -> float | None:
    """L0 that a record of another task of this dictionary gets from those records."""
    for other in others:
        shelf.store.write(other)
    params = {"width": 2048, "k": 25}
    own = shelf.store.write(dictionary_record("topk", {"x": value(0.7)}, params=params, task="sae-probing"))
    (found,) = [one.record for one in with_l0(collect([shelf.store])) if one.record.cell == own.cell]
    return found.metrics["l0"].value if "l0" in found.metrics else None


@pytest.mark.parametrize(
    "other",
    [
        {"model": {"digest": "c" * 64}},
        {"model": {"dtype": "bfloat16"}},
        {"bos": "as-given"},
        {"hook": "residual-post.L14"},
    ],
)
def test_l0_is_never_taken_from_another_model_dtype_bos_or_hook(shelf: Shelf, other: dict[str, Any]) -> None:
    assert probing_l0(shelf, core_record(99.0, 9000, **other)) is None
    assert probing_l0(shelf, core_record(25.0, 10)) == 25.0


@pytest.mark.parametrize("other", [{"context": 256}, {"corpus": "other"}])
def test_l0_of_the_same_context_and_text_comes_before_that_of_more_tokens(shelf: Shelf, other: dict[str, Any]) -> None:
    assert probing_l0(shelf, core_record(99.0, 9000, **other)) == 99.0
    assert probing_l0(shelf, core_record(25.0, 10)) == 25.0
