"""Grids of metrics: shades, bold numbers, reasons of what is missing, and bytes that repeat."""

from __future__ import annotations

import pytest

from mibench.plots.metric_grid import Grid, Row, grid_picture
from mibench.plots.sheet import number
from mibench.records.record import MetricValue


def value(number, floor=None, ceiling=None):
    if isinstance(number, str):
        return MetricValue(value=None, reason=number)
    return MetricValue(value=number, floor=floor, ceiling=ceiling, ci_reason="exact")


def row(*numbers, title="Explained variance", better=True, **ends):
    return Row(title, tuple(value(number, **ends) for number in numbers), better)


def grid(*rows, columns=("topk", "relu", "identity"), **more):
    return Grid(rows, columns, "A number is an area", **more)


def texts(picture):
    return {text.get_text(): text for text in picture.figure.axes[0].texts}


def test_shades_go_from_the_null_to_the_oracle_whichever_way_is_better():
    assert row(0.0, 0.5, 1.0, floor=0.0, ceiling=1.0).shades == [0.0, 0.5, 1.0]
    assert row(0.0, 0.25, 2.0, better=False, floor=1.0, ceiling=0.0).shades == [1.0, 0.75, 0.0]


def test_without_ends_they_go_from_the_worst_to_the_best_of_the_row():
    assert row(2.0, 4.0, 3.0).shades == [0.0, 1.0, 0.5]
    assert row(2.0, 4.0, 3.0, better=False).shades == [1.0, 0.0, 0.5]


def test_what_has_no_better_end_or_no_difference_is_not_shaded():
    assert row(1.0, 2.0, 3.0, better=None).shades == [None] * 3
    assert row(1.0, 1.0, 1.0).shades == [None] * 3
    assert row("a", 1.0, 2.0).shades == [None, 0.0, 1.0]


def test_the_best_is_bold_and_a_control_never_is():
    drawn = texts(grid_picture(grid(row(0.7, 0.8, 0.9), controls=frozenset({"identity"})), "t"))
    assert {number: text.get_weight() for number, text in drawn.items()} == {
        "0.700": "normal", "0.800": "bold", "0.900": "normal",
    }  # fmt: skip


def test_missing_numbers_are_hatched_with_a_letter_that_the_caption_explains():
    picture = grid_picture(grid(row(0.7, "it failed", "too few"), row("too few", 0.1, 0.2)), "t")
    hatched = [patch for patch in picture.figure.axes[0].patches if patch.get_hatch()]
    assert len(hatched) == 3
    assert {"a", "b"} <= set(texts(picture))
    assert "a: it failed; b: too few" in " ".join(text.get_text() for text in picture.figure.texts)


def test_numbers_can_be_read_on_their_shade():
    for theme in ("light", "dark"):
        picture = grid_picture(grid(row(0.0, 0.5, 1.0)), "t", theme=theme)
        cells = [patch.get_facecolor() for patch in picture.figure.axes[0].patches]
        inks = [text.get_color() for text in picture.figure.axes[0].texts]
        for (red, green, blue, _), ink in zip(cells, inks, strict=True):
            brightness = 0.299 * red + 0.587 * green + 0.114 * blue
            assert (brightness > 0.45) == (ink in {"#1A1A1A", "#222222"})


def test_the_same_grid_gives_the_same_bytes():
    one, two = (grid_picture(grid(row(0.7, 0.8, "none")), "t") for _ in "ab")
    assert one.svg() == two.svg()
    assert one.png(50) == two.png(50)


@pytest.mark.parametrize("longest", [3, 34, 80])
def test_long_names_stay_on_the_page(longest):
    names = tuple(f"{letter}{'x' * longest}" for letter in "abc")
    figure = grid_picture(grid(row(0.7, 0.8, 0.9, title="t" * longest), columns=names), "t").figure
    figure.draw_without_rendering()
    box, size = figure.axes[0].get_tightbbox(), figure.get_size_inches() * figure.get_dpi()
    assert box.x0 >= 0
    assert box.x1 <= size[0]
    captions = [text.get_window_extent().y1 for text in figure.texts[1:]]
    assert box.y0 >= max(captions) - 2


@pytest.mark.parametrize(
    ("value", "text"), [(-0.0001, "0.000"), (-0.5, "−0.500"), (1234567.0, "1.235e+06"), (12.345, "12.35")]
)
def test_numbers_are_short_and_what_rounds_to_zero_has_no_sign(value, text):
    assert number(value) == text
