"""Small parts: charts, data cards, docstrings, changes."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from hypothesis import example, given, settings
from hypothesis import strategies as st

from mibench.core.registry import Component
from mibench.leaderboard.site.cards import card_html
from mibench.leaderboard.site.changes_page import changelog, changes, revisions
from mibench.leaderboard.site.curve import drawing
from mibench.leaderboard.site.docstring import docs_of
from mibench.leaderboard.site.environment import script_json
from mibench.leaderboard.site.metric_docs import doc
from mibench.leaderboard.site.task_page import components_of, data_folder, example_of
from mibench.records.record import CurvePoint

from ..conftest import FAIR, Shelf  # noqa: TID252
from .conftest import views_of

TAGS = {
    "h3", "h4", "h5", "h6", "p", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "div", "code", "b", "i",
    "pre", "blockquote",
}  # fmt: skip


def point(fraction: float, value: float | None, half: float = 0.0) -> CurvePoint:
    ends = {} if value is None or not half else {"ci_low": value - half, "ci_high": value + half}
    return CurvePoint(fraction=fraction, n_requested=1, n_edges=1, value=value, **ends)


def test_a_chart_holds_its_ends_and_places_points_by_the_log_of_their_size() -> None:
    made = drawing({"signed": [point(0.001, 0.0), point(0.0316227766, 0.5, 0.1), point(1.0, 1.0)]})
    assert made is not None
    (line,) = made.lines
    xs = [x for x, _, _ in line.points]
    assert xs == [60.0, 333.0, 606.0]
    ys = [y for _, y, _ in line.points]
    assert ys[0] == made.zero
    assert ys[2] == made.one
    assert abs(ys[1] - (ys[0] + ys[2]) / 2) < 0.11
    assert len(line.band.split()) == 2
    assert [text for _, text in made.across][0::3] == ["0.1", "1", "10", "100"]
    assert "0.500 [0.400, 0.600]" in line.points[1][2]


def test_a_chart_without_heights_is_none_and_one_of_another_quantity_has_no_line_at_one() -> None:
    assert drawing({"signed": [point(0.1, None)]}) is None
    made = drawing({"signed": [point(0.1, 0.0), point(1.0, 0.0)]}, share=False)
    assert made is not None
    assert made.one is None


def test_wide_bands_do_not_squeeze_the_curve() -> None:
    made = drawing({"a": [point(0.1, 0.5, 100.0), point(1.0, 1.0)]})
    assert made is not None
    assert all(14 <= y <= 276 for line in made.lines for _, y, _ in line.points)
    assert abs(made.zero - (made.one or 0)) > 100


class Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.attributes: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)
        self.attributes += [name for name, _ in attrs]


def test_a_card_has_headings_lists_tables_quotes_and_code() -> None:
    prose = "# Title\nWords with `a<b` and **bold**\ngoing on.\n\n- one\n  goes on\n- two\n\n"
    html = card_html(f"{prose}| a | b |\n|---|---|\n| 1 | `x` |\n\n> said\n\n```\n<b>\n```\n")
    assert "<h3>Title</h3>" in html
    assert "<p>Words with <code>a&lt;b</code> and <b>bold</b> going on.</p>" in html
    assert "<li>one goes on</li><li>two</li>" in html
    assert "<td>1</td><td><code>x</code></td>" in html
    assert "<blockquote>said</blockquote>" in html
    assert "&lt;b&gt;</pre>" in html


@example("|:")
@example("|")
@settings(max_examples=400)
@given(st.text(alphabet=st.sampled_from("ab<>&\"'`*#|-> \n[]()=:"), max_size=120))
def test_nothing_in_a_card_acts(text: str) -> None:
    made = Tags(card_html(text))
    assert set(made.found) <= TAGS
    assert set(made.attributes) <= {"scope", "class", "tabindex", "role", "aria-label"}


@given(st.text(max_size=50))
def test_json_in_a_script_ends_no_script(text: str) -> None:
    import json

    made = script_json({"x": text})
    assert not set("<>&\u2028\u2029") & set(made)
    assert json.loads(made) == {"x": text}


def test_a_docstring_is_taken_apart_without_an_import() -> None:
    component = Component("method", "eap", "mibench.methods.circuit.eap", "eap", {}, "first line")
    found = docs_of(component)
    assert found.summary.startswith("First-order estimate")
    assert found.cost.startswith("2 forward and 1 backward pass")
    assert found.source == "Syed, Rager, Conmy (2023), arXiv 2310.10348."
    assert "Source" not in " ".join(found.paragraphs)
    assert [one.name for one in found.parameters] == ["ablation", "variant"]
    assert found.parameters[1].default == "'mibench'"
    assert found.parameters[0].words.startswith("``counterfactual``")


def test_a_component_without_a_file_keeps_its_first_line() -> None:
    assert docs_of(Component("method", "x", "nowhere.at.all", "x", {}, "first line")).summary == "first line"


def test_changes_are_the_lines_on_metrics_tasks_and_the_board() -> None:
    text = "# C\n\n## 2.0\n\n- [Metric] `cmd` is\n  <other> now.\n- [Code] Faster.\n\n## 1.0\n\n- [Board] First.\n"
    assert [(one.version, one.kind, one.words) for one in changes(text)] == [
        ("2.0", "Metric", "<code>cmd</code> is &lt;other&gt; now."), ("1.0", "Board", "First."),
    ]  # fmt: skip
    assert changes(changelog())


def test_metrics_of_several_versions_are_told(shelf: Shelf) -> None:
    shelf.add("eap", FAIR)
    assert revisions(views_of(shelf.store)) == []
    shelf.add("new", FAIR, changes={"cmd": {"version": 3}})
    (found,) = revisions(views_of(shelf.store))
    assert (found.name, found.version, found.by_version) == ("cmd", 3, ((1, 1), (3, 1)))


def test_metrics_with_numbers_in_their_names_have_words() -> None:
    assert doc("probe_accuracy_k5") == doc("probe_accuracy_k") != ""
    assert doc("probe_accuracy_k2") != ""
    assert doc("never heard of") == ""


def test_a_task_has_what_it_declares_its_card_and_a_public_example() -> None:
    assert [one.kind for one in components_of("ioi")] == ["task", "variable_task"]
    folder = data_folder("ioi")
    assert folder is not None
    example = dict(example_of(folder))
    assert re.search(r"\w", example["prompt"])
    assert data_folder("../ioi") is None
    assert data_folder("nothing") is None
