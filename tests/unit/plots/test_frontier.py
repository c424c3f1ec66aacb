"""Frontiers: what is in a panel, what its key says, and bytes that repeat."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mibench.metrics.sae.family import Point
from mibench.plots.frontier import Frontier, Panel, frontier_picture
from mibench.records.record import MetricValue


def value(number, half=0.02, floor=0.5, ceiling=1.0, **more):
    if number is None:
        return MetricValue(value=None, reason="too few tokens")
    ends = {"ci_low": number - half, "ci_high": number + half, "ci_source": "contexts"} if half else {}
    return MetricValue(value=number, floor=floor, ceiling=ceiling, higher_is_better=True, **ends, **more)


def family(name="topk", numbers=(0.7, 0.8, 0.9), l0=(20.0, 60.0, 180.0), seeds=(0,), area=None, **more):
    points = [
        Point(f"k={sparsity:g}", seed, sparsity * 1.1**seed, value(number and number + 0.01 * seed, **more))
        for seed in seeds
        for sparsity, number in zip(l0, numbers, strict=True)
    ]
    return Frontier(name, tuple(points), area)


def panel(*frontiers, title="Explained variance"):
    return Panel(title, "sae-core · test, 12 examples", frontiers or (family(),), higher_is_better=True)


def lines(axes):
    """Lines of families: those with markers."""
    return [line for line in axes.lines if line.get_marker() not in ("None", "")]


def words(axes):
    return [text.get_text() for text in axes.texts]


def test_a_line_goes_through_the_means_over_seeds_and_seeds_are_points():
    (axes, *_) = frontier_picture([panel(family(seeds=(0, 1)))], "t").figure.axes
    (line,) = lines(axes)
    assert line.get_xdata() == pytest.approx(np.array([20.0, 60.0, 180.0]) * np.sqrt(1.1))
    assert line.get_ydata() == pytest.approx([0.705, 0.805, 0.905])
    (scatter,) = [one for one in axes.collections if len(one.get_offsets()) == 6]
    assert sorted(scatter.get_offsets()[:, 1]) == pytest.approx([0.7, 0.71, 0.8, 0.81, 0.9, 0.91])


def bars(axes):
    found = [one.get_segments()[0] for one in axes.collections if hasattr(one, "get_segments") and one.get_segments()]
    return {round(float(bar[0][0]), 6): sorted(float(end[1]) for end in bar) for bar in found if len(bar) == 2}


def test_bars_are_the_dictionaries_own_intervals_or_student_t_over_seeds():
    (axes, *_) = frontier_picture([panel()], "t").figure.axes
    assert bars(axes)[60.0] == pytest.approx([0.78, 0.82])
    (axes, *_) = frontier_picture([panel(family(seeds=(0, 1)))], "t").figure.axes
    ends = stats.t.interval(0.95, 1, loc=0.705, scale=stats.sem([0.7, 0.71]))
    assert bars(axes)[round(20 * 1.1**0.5, 6)] == pytest.approx(list(ends))


def test_a_bar_beyond_the_frame_stops_inside_it_with_an_arrow():
    wide = Frontier("topk", tuple(Point("k=20", seed, 20.0, value(0.7 + 0.1 * seed)) for seed in (0, 1)))
    (axes, *_) = frontier_picture([panel(wide, family("b", (0.7, 0.75, 0.8), (30.0, 60.0, 90.0)))], "t").figure.axes
    low, high = axes.get_ylim()
    bar = bars(axes)[20.0]
    assert low < bar[0] < bar[1] < high
    arrows = [one for one in axes.collections if len(one.get_paths()[0].vertices) == 4]
    assert sorted(float(one.get_offsets()[0][1]) for one in arrows) == pytest.approx(bar)


def test_null_and_oracle_are_dashed_lines_or_words_at_the_edge_where_they_are_far():
    (axes, *_) = frontier_picture([panel(family(ceiling=1.0, floor=-9.0))], "t").figure.axes
    assert {"oracle", "null\n−9.000 ↓"} <= set(words(axes))
    dashed = [float(line.get_ydata()[0]) for line in axes.lines if len(set(line.get_ydata())) == 1]
    assert dashed == [1.0, 1.0]
    assert axes.get_ylim()[0] > 0


def test_nulls_that_differ_are_a_band():
    points = (family("a", floor=0.6), family("b", floor=0.65))
    (axes, *_) = frontier_picture([panel(*points)], "t").figure.axes
    ends = {float(line.get_ydata()[0]) for line in axes.lines if len(set(line.get_ydata())) == 1}
    assert {0.6, 0.65} <= ends


def test_the_range_of_l0_that_counts_is_shaded_and_the_axis_is_logarithmic():
    (axes, *_) = frontier_picture([panel()], "t").figure.axes
    assert axes.get_xscale() == "log"
    shaded = [patch.get_extents().x1 for patch in axes.patches]
    assert shaded
    low, high = axes.get_xlim()
    assert low < 20
    assert high > 200


def test_the_key_gives_each_family_its_look_and_its_area():
    area = value(0.812, half=0.01)
    none = MetricValue(value=None, reason="2 sparsities, a frontier needs 3")
    shown = panel(family("topk", area=area), family("relu", area=none))
    *panels, key = frontier_picture([shown], "t").figure.axes
    assert {"topk", "relu", "0.812 [0.802, 0.822]", "—"} <= set(words(key))
    drawn = {line.get_color() for line in lines(panels[0])}
    assert drawn == {line.get_color() for line in key.lines}
    assert len(drawn) == 2


def test_a_family_looks_the_same_in_every_panel():
    both = [panel(family("a"), family("b")), panel(family("b"), title="Loss")]
    one, other, _ = frontier_picture(both, "t").figure.axes
    assert lines(one)[1].get_color() == lines(other)[0].get_color()
    assert lines(one)[1].get_marker() == lines(other)[0].get_marker()


def test_dictionaries_without_a_value_or_with_an_l0_of_zero_are_left_out():
    odd = Frontier("odd", (Point("k=1", 0, 30.0, value(None)), Point("k=2", 0, 0.0, value(0.5))))
    (axes, *_) = frontier_picture([panel(odd)], "t").figure.axes
    assert not lines(axes)
    assert any("no dictionary" in text for text in words(axes))


def test_caption_and_title_are_written_as_they_are():
    picture = frontier_picture([panel(family("$x_1$"))], "$y$ <b>", ["Weights: dequantised"])
    written = " ".join(text.get_text() for text in picture.figure.texts)
    assert "$y$ <b>" in written
    assert "Weights: dequantised." in written
    assert picture.svg()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_same_panels_give_the_same_bytes(theme):
    one, two = (frontier_picture([panel(family(seeds=(0, 1)), family("b"))], "t", theme=theme) for _ in "ab")
    assert one.svg() == two.svg() == one.svg()
    assert one.png(50) == two.png(50)


@pytest.mark.parametrize("n", [1, 2, 4])
def test_nothing_is_drawn_outside_the_page_or_over_another_panel(n):
    figure = frontier_picture([panel(title=f"Metric {i}") for i in range(n)], "t", ["note " * 60]).figure
    figure.draw_without_rendering()
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    width, height = figure.get_size_inches() * figure.get_dpi()
    for place, box in enumerate(boxes):
        assert box.x0 >= -1
        assert box.x1 <= width + 1
        assert box.y0 >= -1
        assert box.y1 <= height + 1
        assert not any(box.overlaps(other) for other in boxes[place + 1 :])
