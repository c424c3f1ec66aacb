"""The site as a whole: its links lead somewhere, it asks nobody, and names of strangers do nothing."""

from __future__ import annotations

import json
import os
import posixpath
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from variable_tables import variable_tables, write_variable

from mibench.core.specs import Convention
from mibench.leaderboard.build import build
from mibench.leaderboard.site.context import site_context
from mibench.leaderboard.site.files import site_files
from mibench.leaderboard.site.picture import Picture
from mibench.records.record import Problem

from ..conftest import DEAD, FAIR, GOOD, Shelf, bytes_of  # noqa: TID252
from .conftest import Page, pages_of, site_of, views_of

EVIL = "<script>alert(1)</script>|[x](javascript:y)&amp;\u2028"


def fill(shelf: Shelf) -> None:
    shelf.add("eap-ig-inputs", GOOD, draw=1, params={"steps": 5})
    shelf.add("eap", FAIR)
    shelf.add("eap", FAIR, convention=Convention.MIB)
    for seed in range(3):
        shelf.add("random", DEAD, seed=seed)
    shelf.fail("information-flow-routes", problem=Problem(what="It broke.", why="No memory.", do="Buy some."))
    found = {"answer": [[0.2, 0.3], [0.9, 0.4]], "stays": [[1.0, 1.0], [0.8, 0.9]]}
    write_variable(shelf.store, "das", variable_tables(found, {"answer": 0.0, "stays": 1.0}, isolate=["stays"], n=30))


@pytest.fixture
def pages(shelf: Shelf) -> dict[str, Page]:
    fill(shelf)
    return pages_of(shelf)


def test_every_link_leads_to_a_page_and_a_place_of_the_site(pages) -> None:
    checked = 0
    others = {"assets/style.css", "assets/theme.js", "assets/board.js", "assets/compare.js", "assets/data.js"}
    for name, page in pages.items():
        for link in page.links:
            path, _, place = link.partition("#")
            if link == "data:," or path.endswith("../leaderboard.csv"):
                continue
            target = posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path else name
            assert target in pages or target in others, (name, link)
            # The page that compares reads what is behind the sign by itself.
            if place and target != "compare.html":
                assert place in pages[target].ids, (name, link)
            checked += 1
    assert checked > 100


def test_no_page_asks_anybody_and_nothing_runs_that_is_not_a_file_of_the_site(shelf: Shelf) -> None:
    fill(shelf)
    for name, text in site_of(shelf.store).items():
        assert not re.search(r"https?://|@import|url\(|\bfetch\(|XMLHttpRequest|eval\(", text), name
        if not name.endswith(".html"):
            continue
        page = Page(text)
        assert not {"iframe", "object", "embed", "base"} & set(page.names)
        for tag, attributes in page.tags:
            assert not any(key.startswith("on") for key in attributes), (name, tag)
            if tag == "script":
                assert (attributes["src"] or "").endswith(".js")


def test_headings_go_down_one_level_at_a_time_from_one_first(pages) -> None:
    for name, page in pages.items():
        levels = [int(tag[1]) for tag in page.names if re.fullmatch(r"h[1-6]", tag)]
        assert levels[0] == 1, name
        assert levels.count(1) == 1, name
        assert all(after <= before + 1 for before, after in pairwise(levels)), (name, levels)


def test_landmarks_captions_and_unique_ids_are_there(pages) -> None:
    for name, page in pages.items():
        assert {"header", "nav", "main", "footer"} <= set(page.names), name
        assert len(page.ids) == len(set(page.ids)), name
        boards = [each for tag, each in page.tags if tag == "table" and "board" in (each.get("class") or "")]
        assert page.names.count("caption") >= len(boards), name
        assert all("scope" in each for tag, each in page.tags if tag == "th"), name


def test_the_same_records_give_the_same_bytes_whatever_order_python_hashes_in(shelf: Shelf) -> None:
    fill(shelf)
    code = (
        "from mibench.leaderboard.build import build; from pathlib import Path; "
        f"build(Path({str(shelf.records)!r}), Path({str(shelf.out)!r}))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONHASHSEED": "7"})
    here = shelf.out.with_name("here")
    build(shelf.records, here)
    assert bytes_of(here / "site") == bytes_of(shelf.out / "site")


def test_names_of_strangers_do_nothing(shelf: Shelf) -> None:
    shelf.add(EVIL, FAIR, task=EVIL, model=EVIL)
    problem = Problem(what="<img src=x onerror=y>", why="</script>", do="\x1b[31m\u202e")
    shelf.fail('"onmouseover="x', task=EVIL, model=EVIL, problem=problem)
    made = site_of(shelf.store)
    for name, text in made.items():
        assert re.fullmatch(r"([a-z]+/)?[a-z0-9-]+\.(html|css|js)", name)
        assert "\u202e" not in text
        assert "\u2028" not in text
        if name.endswith(".html"):
            page = Page(text)
            assert "img" not in page.names
            assert not any("onmouseover" in attributes for _, attributes in page.tags)
            assert all("src" in attributes for tag, attributes in page.tags if tag == "script")
    assert "<script>alert(1)</script>" in Page(made["circuit.html"]).text
    assert not set("<>&\u2028") & set(made["assets/data.js"])


def test_two_names_with_one_slug_have_two_pages(shelf: Shelf) -> None:
    shelf.fail("my method")
    shelf.fail("my-method")
    shelf.fail("My Method")
    names = [name for name in site_of(shelf.store) if name.startswith("methods/")]
    assert len(names) == 3
    assert "methods/my-method.html" in names


def test_the_script_of_numbers_is_the_tables(shelf: Shelf) -> None:
    fill(shelf)
    text = site_of(shelf.store)["assets/data.js"]
    assert text.startswith("window.MIBENCH = ")
    data = json.loads(text.removeprefix("window.MIBENCH = ").removesuffix(";\n"))
    views = views_of(shelf.store)
    assert [table["id"] for table in data["tables"]] == [view.group.id for view in views]
    for table, view in zip(data["tables"], views, strict=True):
        assert [row["label"] for row in table["rows"]] == [row.row.label for row in view.rows]
        first = view.rows[0].row.metrics[view.columns[0].metric]
        assert table["rows"][0]["numbers"][0][:3] == [first.value, first.ci_low, first.ci_high]


def test_pages_of_records_are_made_again_only_where_something_changed(shelf: Shelf) -> None:
    fill(shelf)

    def digests() -> dict[str, str]:
        views = views_of(shelf.store)
        made = site_files(views, site_context(views))
        return {name: one.data_digest for name, one in made.items() if isinstance(one, Picture)}

    before = digests()
    assert digests() == before
    shelf.add("eap", FAIR, task="greater-than", draw=3)
    after = digests()
    assert {name for name in after if after[name] != before.get(name)} == after.keys() - before.keys()
    failed = next(record for record in shelf.store.query() if record.problem)
    path = shelf.store.path(failed.cell)
    path.write_text(path.read_text().replace("It broke.", "It failed."))
    last = digests()
    assert {name for name in last if last[name] != after[name]} == {f"records/{failed.cell.id}.html"}


def test_an_empty_board_says_how_to_make_the_first_record(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "records", tmp_path / "out")
    shelf.records.mkdir()
    found = pages_of(shelf)
    assert "mibench run" in found["index.html"].text
    assert "no records of this track" in found["sae.html"].text
