"""A better rank has to be earned by a difference that is not noise."""

from __future__ import annotations

import pytest

from mibench.core.specs import Track
from mibench.leaderboard.columns import COLUMNS, Column
from mibench.leaderboard.ranking import Ranker, at_floor, letters
from mibench.leaderboard.rows import Group, collect, make_groups
from mibench.records.record import MetricValue

from .conftest import DEAD, FAIR, GOOD, Shelf

DISTANCE = COLUMNS[Track.CIRCUIT][0]
GONE = {"value": None, "ci_low": None, "ci_high": None, "ci_source": None, "reason": "the model is at chance"}


def group(shelf: Shelf) -> Group:
    (found,) = make_groups(collect([shelf.store]))
    return found


def ranks(shelf: Shelf, column: Column = DISTANCE) -> dict[str, str]:
    rows = group(shelf).rows
    places = Ranker().rank(rows, column)
    return {row.label: str(places[row.id]) for row in rows}


def whys(shelf: Shelf) -> dict[str, str]:
    rows = group(shelf).rows
    places = Ranker().rank(rows, DISTANCE)
    return {row.label: places[row.id].why for row in rows}


def test_separable_rows_are_ranked_and_noise_is_a_tie(shelf: Shelf) -> None:
    shelf.add("good", GOOD, draw=1)
    shelf.add("as-good", GOOD, draw=2)
    shelf.add("fair", FAIR)
    shelf.add("dead", DEAD)
    assert ranks(shelf) == {"good": "1a", "as-good": "1a", "fair": "3b", "dead": "4c"}
    assert "paired bootstrap" in whys(shelf)["fair"]


def test_pairing_separates_what_the_rows_own_intervals_do_not(shelf: Shelf, tmp_path: object) -> None:
    slightly = tuple(height - 0.02 * (height < 1) for height in GOOD)
    shelf.add("good", GOOD, noise=0.01)
    shelf.add("slightly-worse", slightly, noise=0.01)
    assert ranks(shelf) == {"good": "1a", "slightly-worse": "2b"}
    rows = {row.label: row.metrics["distance_absolute"] for row in group(shelf).rows}
    assert rows["good"].value < rows["slightly-worse"].value


def test_without_tables_rows_are_compared_by_their_intervals(shelf: Shelf) -> None:
    shelf.add("good", GOOD, tables=False)
    shelf.add("as-good", GOOD, draw=2, tables=False)
    shelf.add("dead", DEAD, tables=False)
    assert set(ranks(shelf).values()) == {"1a", "3b"}
    assert "unpaired" in whys(shelf)["dead"]
    ranker = Ranker()
    ranker.rank(group(shelf).rows, DISTANCE)
    assert len(ranker.warnings) == 3
    assert all("no table 'endpoints'" in warning for warning in ranker.warnings)


def test_a_row_without_any_interval_does_not_beat_or_trail_another(shelf: Shelf) -> None:
    bare = {"ci_low": None, "ci_high": None, "ci_source": None}
    shelf.add("good", GOOD, tables=False)
    shelf.add("dead", DEAD, tables=False, changes={"distance_absolute": bare})
    assert ranks(shelf) == {"good": "1a", "dead": "1a"}
    assert "no interval" in whys(shelf)["dead"]


def test_tables_that_contradict_the_record_are_not_used(shelf: Shelf) -> None:
    shelf.add("good", GOOD)
    shelf.add("boaster", FAIR, changes={"distance_absolute": {"value": 0.0, "ci_low": 0.0, "ci_high": 0.0}})
    assert "do not give the recorded numbers" in whys(shelf)["good"]


def test_seeds_are_compared_by_their_spread(shelf: Shelf) -> None:
    for seed in range(3):
        shelf.add("random", DEAD, seed=seed)
    shelf.add("good", GOOD)
    assert ranks(shelf) == {"good": "1a", "random": "2b"}
    assert whys(shelf)["random"].endswith("unpaired: seeds vary")


def test_rows_without_a_number_are_unranked_and_say_why(shelf: Shelf) -> None:
    shelf.add("good", GOOD)
    shelf.add("undefined", FAIR, changes={"distance_absolute": GONE})
    shelf.fail("broken")
    shelf.fail("left-out", status="skipped")
    assert ranks(shelf) == {"good": "1a", "undefined": "–", "broken": "–", "left-out": "–"}
    assert whys(shelf)["undefined"] == "the model is at chance"
    assert whys(shelf)["broken"].startswith("failed: The method failed.")
    assert whys(shelf)["left-out"].startswith("skipped: ")


def test_numbers_of_an_older_formula_are_not_ranked(shelf: Shelf) -> None:
    shelf.add("new", FAIR, changes={"distance_absolute": {"version": 2}})
    shelf.add("old", GOOD)
    assert ranks(shelf) == {"new": "1a", "old": "–"}
    assert "version 1" in whys(shelf)["old"]


def test_the_direction_is_the_metrics_own(shelf: Shelf) -> None:
    shelf.add("good", GOOD)
    shelf.add("dead", DEAD)
    assert ranks(shelf, Column("cpr", "CPR")) == {"good": "1a", "dead": "2b"}
    assert ranks(shelf, Column("unheard-of", "?")) == {"good": "–", "dead": "–"}


@pytest.mark.parametrize(
    ("low", "high", "higher", "sunk"),
    [(0.2, 0.4, True, True), (0.31, 0.4, True, False), (0.2, 0.29, False, False), (0.2, 0.31, False, True)],
)
def test_a_row_is_at_the_floor_unless_its_interval_is_on_the_better_side(low, high, higher, sunk) -> None:
    value = MetricValue(value=(low + high) / 2, ci_low=low, ci_high=high, ci_source="examples", floor=0.3)
    assert at_floor(value, higher_is_better=higher) is sunk
    assert not at_floor(value.model_copy(update={"floor": None}), higher_is_better=higher)


def test_letters_go_on_after_z() -> None:
    assert [letters(index) for index in (1, 2, 26, 27, 28, 702, 703)] == [
        "a",
        "b",
        "z",
        "aa",
        "ab",
        "zz",
        "aaa",
    ]
