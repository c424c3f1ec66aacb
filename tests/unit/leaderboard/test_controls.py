"""What is shown for comparison and never ranked: nulls of the SAE track, and metrics that tell nothing apart."""

from __future__ import annotations

import pytest
from dictionary_records import SWEEP, dictionary_record, value, write_sweep

from mibench.leaderboard.controls import NULLS, board_of
from mibench.leaderboard.rows import collect, make_groups
from mibench.leaderboard.sparsity import with_l0
from mibench.leaderboard.view import GroupView, view
from mibench.methods.method import METHODS

from .conftest import Shelf


def view_of(shelf: Shelf) -> GroupView:
    (found,) = (view(group) for group in make_groups(with_l0(collect([shelf.store]))))
    return found


def test_the_best_of_all_is_not_ranked_where_it_is_a_null(shelf: Shelf) -> None:
    write_sweep(shelf.store, "frozen-decoder", shift=0.2, l0=(30.0, 60.0, 120.0))
    write_sweep(shelf.store, "topk")
    write_sweep(shelf.store, "relu", shift=-0.1)
    found = view_of(shelf)
    assert {row.family.name: str(row.rank) for row in found.families.rows} == {
        "topk": "1a", "relu": "2b", "frozen-decoder": "–",
    }  # fmt: skip
    assert found.families.window.startswith("Ranks go by the area over L0 [25, 160], which 2 of 3 families cover.")
    assert found.families.rows[-1].rank.why == "on the control board: shown, not ranked"
    assert not found.families.rows[-1].cells[0].missing
    marked = {row.row.method for row in found.rows if "control board: not ranked" in row.notes}
    assert marked == {"frozen-decoder"}


@pytest.mark.parametrize(
    ("method", "more", "board"),
    [
        ("random-dictionary", {}, "control"),
        ("topk", {}, None),
        ("random-dictionary", {"artifact": "c" * 64}, None),
        ("identity", {"artifact": "c" * 64}, "control"),
    ],
)
def test_a_null_is_known_by_the_built_in_method_or_by_what_its_file_is(method, more, board) -> None:
    assert board_of(dictionary_record(method, {"l0": value(25.0)}, **more)) == board


def test_a_failed_null_and_ones_own_namesake_are_told_apart() -> None:
    failed = dictionary_record("sae-pca", None)
    own = failed.cell.method.model_copy(update={"code_digest": "d" * 64})
    cell = failed.cell.model_copy(update={"method": own})
    assert (board_of(failed), board_of(failed.model_copy(update={"cell": cell}))) == ("control", None)


def test_every_null_is_a_method() -> None:
    assert set(METHODS.components) >= NULLS


def test_a_metric_that_is_one_number_for_nearly_all_is_said_to_tell_nothing_apart(shelf: Shelf) -> None:
    for name in ("topk", "relu", "gated", "jumprelu"):
        for l0 in SWEEP:
            number = value(0.1, 0.01) if name == "topk" else value(0.0, 0.0)
            shelf.store.write(
                dictionary_record(
                    name,
                    {"explained_variance_global": number, "l0": value(l0, floor=None, ceiling=None)},
                    params={"width": 2048, "k": int(l0)},
                )
            )
    said = "Explained variance is 0.000 for 3 of 4 families, each without any spread: it tells nothing apart"
    assert said in view_of(shelf).families.window
