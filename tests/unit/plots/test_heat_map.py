"""Heat maps of sites: what is in them, and bytes that repeat."""

from __future__ import annotations

import numpy as np
import pytest
from variable_tables import linear_tables, variable_tables

from mibench.metrics.bootstrap import Resampling
from mibench.metrics.variable.maps import site_maps
from mibench.plots.heat_map import heat_map_picture

SHARES = {"a": [[0.0, 0.2], [0.9, np.nan]], "b_set": [[0.1, 0.2], [0.4, np.nan]]}
TABLES = variable_tables(SHARES, {"a": 0.0, "b_set": 0.5}, n=20)
MAPS = site_maps(TABLES, Resampling(resamples=100))


def panels(picture):
    return picture.figure.axes[: len(MAPS.maps)]


def numbers(axes):
    return {
        text.get_text(): text.get_weight()
        for text in axes.texts
        if text.get_text()[-1:].isdigit() and "n =" not in text.get_text()
    }


def test_there_is_a_panel_for_the_mean_and_for_each_set_on_one_scale():
    picture = heat_map_picture(MAPS, "das")
    titles = [axes.get_title(loc="left") for axes in panels(picture)]
    assert titles == ["mean over s…", "a", "b_set"] or titles == ["mean over sets", "a", "b_set"]
    limits = {axes.collections[0].get_clim() for axes in panels(picture)}
    assert len(limits) == 1
    low, high = limits.pop()
    assert low == -high == pytest.approx(-0.9)


def test_cells_hold_their_numbers_bold_where_separable_from_zero():
    found = numbers(panels(heat_map_picture(MAPS, "das"))[1])
    assert found == {".00": "normal", ".20": "bold", ".90": "bold"}
    assert "−.40" in numbers(panels(heat_map_picture(MAPS, "das"))[2])


def test_a_place_without_a_site_is_blank_and_said_to_be():
    picture = heat_map_picture(MAPS, "das")
    drawn = panels(picture)[1].collections[0].get_array()
    assert drawn.mask.tolist() == [[False, False], [False, True]]
    assert any("hatched: no site" in text.get_text() for text in picture.figure.texts)


def test_the_chosen_site_is_outlined():
    outlined = [patch for patch in panels(heat_map_picture(MAPS, "das"))[0].patches if not patch.get_fill()]
    assert [patch.get_xy() for patch in outlined] == [(-0.5, 0.5)]


def test_the_middle_of_the_colours_is_the_page_and_the_ends_differ_in_more_than_hue():
    for theme, paper in (("light", 1.0), ("dark", 0.09)):
        mesh = panels(heat_map_picture(MAPS, "das", theme=theme))[0].collections[0]
        brightness = [0.299 * red + 0.587 * green + 0.114 * blue for red, green, blue, _ in mesh.cmap([0.0, 0.5, 1.0])]
        assert brightness[1] == pytest.approx(paper, abs=0.02)
        assert min(abs(brightness[0] - brightness[1]), abs(brightness[2] - brightness[1])) > 0.5


def test_noise_alone_is_faint():
    faint = site_maps(variable_tables({"a": [[0.0, 0.05]]}, {"a": 0.0}, n=20))
    mesh = heat_map_picture(faint, "das").figure.axes[0].collections[0]
    assert mesh.get_clim() == (-0.1, 0.1)


def test_many_heads_have_square_cells_without_numbers():
    heads = {f"{layer}.{head}": 1.0 + head / 10 for layer in range(3) for head in range(12)}
    maps = site_maps(linear_tables({"x": heads | {"noop": 2.0}}))
    axes = heat_map_picture(maps, "das").figure.axes[0]
    assert numbers(axes) == {}
    box = axes.get_window_extent()
    assert box.width / 12 == pytest.approx(box.height / 3, rel=0.01)
    assert axes.get_xlabel() == "head"


def test_the_same_maps_give_the_same_bytes():
    one, two = (heat_map_picture(site_maps(TABLES, Resampling(resamples=100)), "das") for _ in range(2))
    assert one.svg() == two.svg() == one.svg()
    assert one.png() == two.png()


def test_a_long_hostile_title_is_cut_and_not_read_as_mathematics():
    picture = heat_map_picture(MAPS, "$x^2$ <b>" + "y" * 500)
    (title,) = [text.get_text() for text in picture.figure.texts if "y" in text.get_text() and "$" in text.get_text()]
    assert len(title) <= 64
    assert picture.svg()
