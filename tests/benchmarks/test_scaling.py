from __future__ import annotations

import json
from itertools import pairwise

import pytest
from click.testing import CliRunner


def check(script, tmp_path, *names: str) -> None:
    """Run some axes, or all where none is named, at their quick sizes."""
    out, picture = tmp_path / "scaling.json", tmp_path / "scaling.svg"
    words = ["--quick", "--repeats", "1", "--json", str(out), "--picture", str(picture)]
    done = CliRunner().invoke(script("scaling").main, [*words, *(word for name in names for word in ("--axis", name))])
    assert done.exit_code == 0, done.output
    found = json.loads(out.read_text())
    axes = {one["axis"] for one in found}
    assert axes == set(names or (axis.name for axis in script("scaling_axes").axes(quick=False)))
    for one in found:
        assert len(one["seconds"][0]) == len(one["sizes"]) == 2
        assert all(small < large for small, large in pairwise(one["x"]))
    drawn = picture.read_text()
    assert all(name in drawn for name in axes)


def test_some_axes_run_and_are_drawn(script, tmp_path) -> None:
    check(script, tmp_path, "layers", "interchange sites", "latents")


@pytest.mark.slow
def test_every_axis_runs_and_is_drawn(script, tmp_path) -> None:
    check(script, tmp_path)


def test_exponents_are_those_of_powers(script) -> None:
    scaling = script("scaling")
    sizes = (1, 2, 4, 8)
    square = [[3.0 * size**2 for size in sizes] for _ in range(3)]
    steep = scaling.Growth("x", "work", sizes, tuple(map(float, sizes)), square, [])
    assert steep.exponents == pytest.approx((2, 2, 2))
    assert steep.steep
    # Fixed work hides a square in the fit, but not between the two largest sizes.
    hidden = [[100.0 + size**2 for size in (1, 2, 4, 64, 128)]]
    late = scaling.Growth("x", "work", (1, 2, 4, 64, 128), (1.0, 2.0, 4.0, 64.0, 128.0), hidden, [])
    assert late.exponents[0] < 1.2 < late.last
    assert late.steep
    assert "WARNING" in scaling.line(late)
    plain = [[1.0, 2.0, 4.0, 8.0]]
    linear = scaling.Growth("x", "work", sizes, tuple(map(float, sizes)), [[5.0, 10.0, 20.0, 40.0]], plain)
    assert not linear.steep
    assert scaling.known_growth(json.loads(json.dumps(linear.content))) == linear
    assert linear.ratios == [5.0] * 4
    assert "WARNING" not in scaling.line(linear)


def test_an_axis_that_there_is_not_is_refused(script) -> None:
    done = CliRunner().invoke(script("scaling").main, ["--axis", "width"])
    assert done.exit_code == 2
    assert "prompt length" in done.output
