"""Tables of a track: conventions apart in one place, marks, grey numbers, reasons."""

from __future__ import annotations

import re

from mibench.core.specs import Convention
from mibench.leaderboard.site.track_page import places, split_name
from mibench.records.record import Problem

from ..conftest import DEAD, FAIR, GOOD, Shelf  # noqa: TID252
from .conftest import pages_of, site_of, views_of


def test_both_conventions_of_a_task_stand_in_one_place_in_tables_of_their_own(shelf: Shelf) -> None:
    for convention in (Convention.MIB, Convention.MIBENCH):
        shelf.add("eap", FAIR, convention=convention)
        shelf.add("eap-ig-inputs", GOOD, convention=convention)
    shelf.add("eap", FAIR, task="greater-than")
    views = views_of(shelf.store)
    first, second = sorted(places(views), key=lambda place: -len(place.views))
    assert first.conventions == ("mibench", "mib")
    assert second.conventions == ("mibench",)
    assert [view.group.cell.convention.value for view in first.views] == ["mibench", "mib"]
    assert all(
        {row.row.records[0].cell.convention for row in view.rows} == {view.group.cell.convention} for view in views
    )
    page = pages_of(shelf)["circuit.html"]
    radios = [each["value"] for tag, each in page.tags if tag == "input" and each.get("type") == "radio"]
    assert radios == ["mibench", "mib"]


def test_a_board_of_one_convention_has_no_switch(shelf: Shelf) -> None:
    shelf.add("eap", FAIR)
    assert "fieldset" not in pages_of(shelf)["circuit.html"].names


def test_levels_of_circuits_have_places_of_their_own(shelf: Shelf) -> None:
    from mibench.core.specs import Level
    from mibench.records.record import RunRecord

    record = shelf.add("eap", FAIR)
    nodes = record.cell.model_copy(update={"level": Level.NODE})
    shelf.store.write(RunRecord(**{**dict(record), "cell": nodes, "tables": {}}))
    assert len(places(views_of(shelf.store))) == 2


def test_rows_are_marked_by_where_they_come_from_and_those_at_the_floor_are_grey(shelf: Shelf) -> None:
    shelf.add("eap", FAIR)
    for seed in range(3):
        shelf.add("random", DEAD, seed=seed)
    html = site_of(shelf.store)["circuit.html"]
    assert html.count('class="ok at-floor"') == 1
    assert "mean of 3 seeds" in html
    assert html.count(">run here</em>") == 2
    assert 'class="sunk"' in html
    assert len(re.findall(r'href="records/[0-9a-f]{32}\.html"', html)) == 4


def test_rows_without_numbers_and_without_rank_say_why(shelf: Shelf) -> None:
    shelf.add("eap", FAIR)
    shelf.add("old", FAIR, changes={"distance_absolute": {"version": 1}})
    shelf.add("new", FAIR, changes={"distance_absolute": {"version": 2}})
    shelf.fail("ifr", problem=Problem(what="It broke.", why="No memory.", do="Buy some."))
    text = pages_of(shelf)["circuit.html"].text
    assert "failed It broke. No memory. Buy some." in text
    assert "has version 1 of distance_absolute, ranked is version 2; rescore it" in text


def test_private_splits_have_a_name_of_their_own_in_the_filter(shelf: Shelf) -> None:
    shelf.add("eap", FAIR)
    shelf.add("eap", FAIR, split="standings")
    views = {view.group.cell.task.split: view for view in views_of(shelf.store)}
    assert split_name(views["test"]) == "test"
    assert split_name(views["standings"]) == "standings (private)"
    assert ">private split<" in site_of(shelf.store)["circuit.html"]


def test_pictures_show_the_best_rows_and_the_page_says_so(shelf: Shelf) -> None:
    for index in range(11):
        shelf.add(f"method-{index}", FAIR, draw=index, tables=False)
    html = site_of(shelf.store)["circuit.html"]
    assert "the 10 best rows" in html
    assert html.count("<polygon") == 20
