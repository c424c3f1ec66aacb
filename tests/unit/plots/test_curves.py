from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET

import matplotlib as mpl
import pytest

from mibench.plots.curves import faithfulness_png, faithfulness_svg
from mibench.records.record import CurvePoint

FRACTIONS = (0.001, 0.01, 0.1, 1.0)


def points(heights=(0.0, 0.4, 1.2, 1.0), edges=(0, 9, 100, 1000), width=0.1):
    return [
        CurvePoint(
            fraction=fraction, n_requested=int(1000 * fraction), n_edges=n_edges, value=height,
            ci_low=None if height is None or not width else height - width,
            ci_high=None if height is None or not width else height + width,
        )
        for fraction, n_edges, height in zip(FRACTIONS, edges, heights, strict=True)
    ]  # fmt: skip


def markers(svg):
    """Number of marker symbols drawn on the curves, legend and ticks left out."""
    root = ET.fromstring(svg)
    namespace = "{http://www.w3.org/2000/svg}"
    axes = next(group for group in root.iter(f"{namespace}g") if group.get("id") == "axes_1")
    lines = [group for group in axes.findall(f"{namespace}g") if (group.get("id") or "").startswith("line2d")]
    return sum(len(list(line.iter(f"{namespace}use"))) for line in lines)


@pytest.mark.parametrize("scale", ["log", "linear"])
def test_the_same_curves_give_the_same_bytes_without_a_date(scale):
    one, two = (faithfulness_svg({"eap": points(), "random": points()}, "ioi", "signed", scale=scale) for _ in "ab")
    assert one == two
    assert b"<dc:date>" not in one


def test_bytes_do_not_depend_on_the_process_or_its_settings():
    code = (
        "import sys, matplotlib; matplotlib.rcParams['font.size'] = 20; "
        "from mibench.plots.curves import faithfulness_svg; "
        "sys.stdout.buffer.write(faithfulness_svg({'eap': []}, 'ioi', 'signed'))"
    )
    other = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout
    assert other == faithfulness_svg({"eap": []}, "ioi", "signed")


def test_settings_of_the_caller_are_left_alone():
    before = dict(mpl.rcParams)
    faithfulness_svg({"eap": points()}, "ioi", "signed")
    assert dict(mpl.rcParams) == before


def test_circuits_without_edges_are_on_the_linear_axis_only():
    curves = {"eap": points()}
    assert markers(faithfulness_svg(curves, "t", "signed", scale="linear")) == 4
    assert markers(faithfulness_svg(curves, "t", "signed", scale="log")) == 3


def test_points_without_a_value_are_left_out():
    assert markers(faithfulness_svg({"eap": points((None, None, 0.5, 1.0))}, "t", "signed")) == 2
    assert markers(faithfulness_svg({"eap": points((None,) * 4)}, "t", "signed")) == 0


def test_a_binary_circuit_is_one_point():
    single = [CurvePoint(fraction=0.05, n_requested=50, n_edges=41, value=0.7)]
    assert markers(faithfulness_svg({"mine": single}, "t", "signed")) == 1


@pytest.mark.parametrize("name", ["_private", "cost $5", "a<b>&\"c'", r"$\frac", "x" * 200])
@pytest.mark.filterwarnings("error")
def test_any_name_can_stand_in_title_and_legend(name):
    svg = faithfulness_svg({name: points(width=0)}, name, "absolute")
    assert ET.fromstring(svg).tag.endswith("svg")
    assert svg != faithfulness_svg({"other": points(width=0)}, name, "absolute")


def test_more_methods_than_colours_still_differ():
    curves = {f"method {index}": points((0.0, 0.1 * index, 1.0, 1.0)) for index in range(9)}
    assert markers(faithfulness_svg(curves, "t", "signed")) == 27


def test_the_png_is_a_png():
    assert faithfulness_png({"eap": points()}, "ioi", "signed", dpi=60).startswith(b"\x89PNG\r\n")
