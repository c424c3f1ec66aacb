"""The page that compares says of two rows what the table's ranks and letters say."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from mibench.leaderboard.ranking import MOST_PAIRED

from ..conftest import DEAD, FAIR, GOOD, Shelf  # noqa: TID252
from .conftest import site_of, views_of


def tables_of(shelf: Shelf) -> list[dict[str, Any]]:
    text = site_of(shelf.store)["assets/data.js"]
    found: list[dict[str, Any]] = json.loads(text.removeprefix("window.MIBENCH = ").removesuffix(";\n"))["tables"]
    return found


def pair(pairs: dict[str, Any], first: int, second: int) -> tuple[float | None, bool, str]:
    """What is said of the rows at two places, the way the page looks it up."""
    n = len(pairs["rows"])
    place = first * n - first * (first + 1) // 2 + (second - first - 1)
    return pairs["half"][place], pairs["tied"][place] == "1", pairs["ways"][pairs["how"][place]]


def test_verdicts_are_those_of_the_tables_letters(shelf: Shelf) -> None:
    shapes = {"best": GOOD, "equal": GOOD, "fair": FAIR, "like-fair": FAIR, "dead": DEAD}
    for index, (name, shape) in enumerate(shapes.items()):
        shelf.add(name, shape, draw=index)
    for seed in range(3):
        shelf.add("random", DEAD, seed=seed)
    shelf.fail("broken")
    (view,), (table,) = views_of(shelf.store), tables_of(shelf)
    checked = 0
    for head, column in zip(table["heads"], view.columns, strict=False):
        if not column.headline:
            assert head["pairs"] is None
            continue
        ranks = {row.row.id[:12]: row.ranks[column.metric] for row in view.rows}
        order = head["pairs"]["rows"]
        assert set(order) == {name for name, rank in ranks.items() if rank.position is not None}
        letters = [ranks[name].group for name in order]
        assert len(set(letters)) > 2
        leaders = [letters.index(letter) for letter in dict.fromkeys(letters)]
        for place, letter in enumerate(letters):
            leader = letters.index(letter)
            if leader != place:
                assert pair(head["pairs"], leader, place)[1]
                checked += 1
        assert not any(pair(head["pairs"], before, after)[1] for before, after in pairwise(leaders))
        values = {row.row.id[:12]: row.row.metrics[column.metric].value for row in view.rows if row.row.metrics}
        for first, second in [(0, 1), (0, len(order) - 1)]:
            half, tied, _ = pair(head["pairs"], first, second)
            assert half is not None
            assert tied == (abs(values[order[first]] - values[order[second]]) <= half)
    assert checked > 2


def test_each_pair_says_what_its_bound_rests_on(shelf: Shelf) -> None:
    shelf.add("best", GOOD)
    shelf.add("fair", FAIR)
    shelf.add("bare", FAIR, tables=False)
    (table,) = tables_of(shelf)
    names = {row["id"]: row["label"] for row in table["rows"]}
    pairs = table["heads"][0]["pairs"]
    said = {
        frozenset((names[pairs["rows"][first]], names[pairs["rows"][second]])): pair(pairs, first, second)[2]
        for first in range(3)
        for second in range(first + 1, 3)
    }
    assert said[frozenset(("best", "fair"))] == "paired bootstrap over examples, all rows at once"
    assert all(how.startswith("unpaired") for names_of, how in said.items() if "bare" in names_of)


def test_rows_without_rank_say_why_and_a_long_table_lists_the_pairs_of_its_first_rows(shelf: Shelf) -> None:
    for index in range(MOST_PAIRED + 3):
        shelf.add(f"method-{index}", FAIR, tables=False, draw=index)
    shelf.add("old", FAIR, tables=False, changes={"distance_absolute": {"version": 0 + 1}})
    shelf.add("new", FAIR, tables=False, changes={"distance_absolute": {"version": 2}})
    (table,) = tables_of(shelf)
    rows = {row["label"]: row for row in table["rows"]}
    assert "rescore it" in rows["old"]["numbers"][0][5]
    assert rows["new"]["numbers"][0][5] == ""
    cmd = next(head for head in table["heads"] if head["title"] == "CMD")["pairs"]
    assert len(cmd["rows"]) == MOST_PAIRED
    assert len(cmd["half"]) == len(cmd["tied"]) == len(cmd["how"]) == MOST_PAIRED * (MOST_PAIRED - 1) // 2
