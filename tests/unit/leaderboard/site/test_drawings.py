"""Pictures of the tables: quality against cost, how sure ranks are, frontiers."""

from __future__ import annotations

import re

import pytest
from dictionary_records import write_sweep
from hypothesis import given
from hypothesis import strategies as st

from mibench.leaderboard.ranking import Rank
from mibench.leaderboard.site.axis import fitted, log_steps, round_steps
from mibench.leaderboard.site.frontiers import frontiers
from mibench.leaderboard.site.stability import stability, stable
from mibench.leaderboard.site.tradeoff import PASSES, SECONDS, Offer, front, passes, tradeoff, tradeoffs
from mibench.records.record import Cost, MetricValue, RunRecord, Volatile

from ..conftest import DEAD, FAIR, GOOD, Shelf  # noqa: TID252
from .conftest import pages_of, site_of, views_of


def offer(name: str, value: float, cost: float, *, higher: bool = True, half: float = 0.1) -> Offer:
    ends = {"ci_low": value - half, "ci_high": value + half, "ci_source": "examples", "n": 30}
    return Offer(name, MetricValue(value=value, higher_is_better=higher, **ends), cost)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=12), st.booleans())
def test_the_front_is_what_no_other_row_beats_in_both(places: list[tuple[int, int]], higher: bool) -> None:
    offers = [offer(str(index), value, cost, higher=higher) for index, (value, cost) in enumerate(places)]
    sign = 1 if higher else -1
    expected = {
        str(index)
        for index, (value, cost) in enumerate(places)
        if not any(
            sign * other >= sign * value and price <= cost and (other, price) != (value, cost)
            for other, price in places
        )
    }
    found = front(offers)
    assert {one.name for one in found} == expected
    assert [one.cost for one in found] == sorted(one.cost for one in found)


def test_a_picture_numbers_the_front_and_tells_it_in_words() -> None:
    offers = [offer("dear", 0.9, 100.0), offer("cheap", 0.5, 1.0), offer("worse", 0.4, 10.0), offer("free", 0.1, 0.0)]
    made = tradeoff(offers, "Score ↑", PASSES, 2, of=6)
    assert made is not None
    assert made.best == (("free", "0.10", "no passes"), ("cheap", "0.50", "1 pass"), ("dear", "0.90", "100 passes"))
    assert made.left_out == 2
    assert "free, 0.10 at no passes; cheap, 0.50 at 1 pass; dear, 0.90 at 100 passes" in made.words
    by_words = {dot.words.split(":")[0]: dot for dot in made.dots}
    assert [by_words[name].number for name in ("worse", "free", "cheap", "dear")] == [0, 1, 2, 3]
    assert by_words["worse"].words == "worse: 0.40 [0.30, 0.50], 10 passes"
    assert by_words["free"].x < by_words["cheap"].x < by_words["worse"].x < by_words["dear"].x
    # Heights go down the page.
    assert by_words["dear"].y < by_words["cheap"].y < by_words["worse"].y < by_words["free"].y
    assert by_words["dear"].high <= by_words["dear"].y <= by_words["dear"].low
    assert made.across[0][1] == "none"


def test_no_picture_of_too_few_rows_or_of_one_cost() -> None:
    assert tradeoff([offer("a", 1.0, 1.0), offer("b", 2.0, 3.0)], "Score", PASSES, 2, of=2) is None
    assert tradeoff([offer(name, 1.0, 5.0) for name in "abc"], "Score", PASSES, 2, of=3) is None
    assert tradeoff([offer(name, 1.0, 0.0) for name in "abc"], "Score", PASSES, 2, of=3) is None
    assert tradeoff([], "Score", SECONDS, 2, of=0) is None


def test_numbers_over_many_decades_have_a_logarithmic_axis() -> None:
    offers = [offer(str(value), value, 1 + value, higher=False, half=value / 2) for value in (0.01, 0.1, 3.0)]
    made = tradeoff(offers, "Distance ↓", SECONDS, 3, of=3)
    assert made is not None
    heights = [dot.y for dot in sorted(made.dots, key=lambda dot: dot.y)]
    # 0.1 stands between the others by its logarithm.
    assert (heights[2] - heights[1]) / (heights[2] - heights[0]) == pytest.approx(0.404, abs=0.01)
    assert "log scale both ways" in made.title


def test_a_method_without_passes_costs_none_and_one_that_was_not_measured_is_left_out(shelf: Shelf) -> None:
    shelf.add("random", DEAD, cost=Cost(seconds=0.01))
    unknown = shelf.add("given", FAIR)
    shelf.store.write(RunRecord(**{**dict(unknown), "tables": {}, "volatile": Volatile()}))
    shelf.add("eap", FAIR)
    (view,) = views_of(shelf.store)
    assert {row.row.method: passes(row.row) for row in view.rows} == {"random": 0.0, "given": None, "eap": 3.0}
    assert tradeoffs(view) == []


def test_the_page_of_a_track_has_its_pictures_with_words_and_numbers(shelf: Shelf) -> None:
    for index, (name, shape) in enumerate((("eap-ig-inputs", GOOD), ("eap", FAIR), ("dead", DEAD))):
        cost = Cost(seconds=10.0 * (index + 1), forward_passes=100.0 / (index + 1), examples=10)
        shelf.add(name, shape, draw=index, cost=cost)
    page = pages_of(shelf)["circuit.html"]
    told = [each["aria-label"] for tag, each in page.tags if tag == "svg" and each.get("role") == "img"]
    assert sum("against passes" in words and "Pareto front" in words for words in told) == 1
    assert sum("against time" in words for words in told) == 1
    assert "How sure the ranks are: Distance" in page.text
    assert "drawn again 2000 times, from the examples, all rows at once" in page.text
    strips = re.findall(r'aria-label="(places [^"]+)"', site_of(shelf.store)["circuit.html"])
    assert strips == ["places 1", "places 2", "places 3"]


def test_strips_are_the_counts_in_shades() -> None:
    ranks = [
        ("first", Rank(1, "a", places=[1, 900, 100], stands=1, drawn_from="the examples")),
        ("second", Rank(1, "a", places=[1, 100, 880, 20], stands=2, drawn_from="its own interval")),
        ("last", Rank(3, "b", places=[3, 998, 1, 1], stands=3, drawn_from="the examples")),
        ("beyond", Rank(4, "c")),
    ]
    made = stable("Distance", ranks)
    assert made is not None
    assert (made.draws, made.more, made.places) == (1000, 1, 3)
    assert [strip.cells for strip in made.strips] == [
        ((1, 1, 9), (2, 1, 1)), ((1, 1, 1), (2, 1, 9), (3, 1, 1)), ((3, 1, 10),)
    ]  # fmt: skip
    assert [strip.reach for strip in made.strips] == ["1–2", "1–2", "3"]
    assert [strip.best for strip in made.strips] == ["90 %", "10 %", "0 %"]
    assert made.sources == ("the examples", "its own interval")
    assert stable("Distance", ranks[:1]) is None


def test_families_have_frontiers_that_the_pages_of_their_methods_show_too(shelf: Shelf) -> None:
    write_sweep(shelf.store)
    view = next(view for view in views_of(shelf.store) if view.families)
    assert view.families is not None
    drawn = frontiers(view.families)
    assert [title.split()[0] for title, _ in drawn] == [column.title.split()[0] for column in view.families.columns][:4]
    for _, one in drawn:
        assert [line.name for line in one.lines] == sorted(row.family.label for row in view.families.rows)
        assert all(14 <= y <= 276 for line in one.lines for _, y, _ in line.points)
        xs = [[x for x, _, _ in line.points] for line in one.lines]
        assert all(each == sorted(each) for each in xs)
    name = view.families.rows[0].family.records[0].cell.method.name
    (_, own), *_ = frontiers(view.families, name)
    assert [line.faint for line in own.lines] == [*[True] * (len(own.lines) - 1), False]
    assert own.lines[-1].hue == 0
    pages = pages_of(shelf)
    assert "by L0, one line a family" in str(pages["sae.html"].tags)
    assert f"{name} among all families" in str(pages[f"methods/{name}.html"].tags)
    # Of one family there is nothing to rank.
    assert (len(view.families.rows), stability(view)) == (1, None)


@given(st.floats(1e-4, 1e4), st.floats(1.01, 1e6))
def test_ticks_are_on_the_axis_and_few(low: float, ratio: float) -> None:
    for axis in (fitted([low, low * ratio], 60, 606, log=True), fitted([low, low * ratio], 276, 14)):
        places = [place for place, _ in axis.ticks]
        assert 1 <= len(places) <= 12
        assert all(min(axis.start, axis.end) <= place <= max(axis.start, axis.end) for place in places)
        assert axis.at(low * ratio * 1e9) == axis.end


def test_ticks_are_round() -> None:
    assert round_steps(0.0, 1.0) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert log_steps(1.0, 100.0) == [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]
    assert log_steps(1e-6, 1e6)[::6] == [1e-06, 1e06] or len(log_steps(1e-6, 1e6)) <= 8
    assert fitted([3.0], 60, 606).at(3.0) == 333.0
