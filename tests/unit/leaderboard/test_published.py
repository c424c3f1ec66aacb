"""What others published stands apart: marked, joined to its own L0, never ranked."""

from __future__ import annotations

import io

import pandas as pd
import pytest
from dictionary_records import write_sweep

from mibench.leaderboard.build import build, check
from mibench.leaderboard.published import published_csv, published_markdown, published_tables
from mibench.records.saebench.read import PublishedNumber, PublishedResult
from mibench.records.saebench.shipped import shipped_results

from .conftest import Shelf, bytes_of


def result(eval_type="core", sae_id="a", version="saebench-0.6", **metrics) -> PublishedResult:
    numbers = {
        name: PublishedNumber(number, None if number is not None else "none") for name, number in metrics.items()
    }
    return PublishedResult(
        eval_type, "rel", sae_id, version, numbers, "gemma-2-2b", "blocks.12.hook_resid_post", "topk", 4096
    )


def test_results_of_one_place_and_version_are_one_table() -> None:
    absorbed = {"mean_absorption_fraction_score": 0.1}
    found = published_tables(
        [
            result(l0=40.0, ce_loss_score=0.98),
            result(sae_id="b", l0=20.0, ce_loss_score=0.97),
            result("absorption_first_letter", **absorbed),
            result("absorption_first_letter", version="saebench-0.3", **absorbed),
        ]
    )
    assert [(one.title.split(",")[0], one.facts[1]) for one in found] == [
        ("absorption_first_letter", "definitions of saebench-0.3"),
        ("absorption_first_letter", "definitions of saebench-0.6"),
        ("core", "definitions of saebench-0.6"),
    ]
    assert all(one.facts[0] == "published, unpaired, not tested" for one in found)
    assert len({one.id for one in found}) == 3
    core = found[2]
    assert (core.heads, [row[2:] for row in core.rows]) == (
        ("ce_loss_score",), [("20.0", "0.9700"), ("40.0", "0.9800")],
    )  # fmt: skip
    # L0 of the same dictionary and version; the core result is of 0.6.
    assert [one.rows[0][2] for one in found[:2]] == ["—", "40.0"]


def test_gaps_are_dashes_and_names_cannot_act() -> None:
    found = published_tables([result(sae_id="<b>|x`", l0=None, ce_loss_score=None)])
    assert found[0].rows[0][2:] == ("—", "—")
    text = published_markdown(found)
    assert "<b>" not in text
    assert "\\|x\\`" in text
    sheet = pd.read_csv(io.BytesIO(published_csv(found)))
    assert list(sheet["reason"]) == ["none", "none"]


def test_published_results_are_on_the_page_and_change_no_rank(shelf: Shelf) -> None:
    write_sweep(shelf.store)
    build(shelf.records, shelf.out)
    before = bytes_of(shelf.out)
    report = build(shelf.records, shelf.out, shipped_results())
    after = bytes_of(shelf.out)
    assert "published.csv" in report.files
    for name in ("families.csv", "leaderboard.csv"):
        assert after[name] == before[name]
    page = after["site/sae.html"].decode()
    assert page.count("published, unpaired, not tested") == 3
    assert "blocks.12.hook_resid_post of gemma-2-2b" in page
    assert after["leaderboard.md"].startswith(before["leaderboard.md"].rstrip(b"\n"))
    assert check(shelf.records, shelf.out, shipped_results()) == []
    assert "published.csv: no longer made" in check(shelf.records, shelf.out)
    assert build(shelf.records, shelf.out).removed == ("published.csv",)
    assert bytes_of(shelf.out) == before


def test_results_alone_make_a_page(shelf: Shelf) -> None:
    build(shelf.records, shelf.out, [result(l0=40.0, ce_loss_score=0.98)])
    page = (shelf.out / "site" / "sae.html").read_text()
    assert "Published elsewhere" in page


@pytest.mark.parametrize("evil", ["<script>alert(1)</script>", "=HYPERLINK(1)"])
def test_names_from_strangers_are_text(shelf: Shelf, evil) -> None:
    build(shelf.records, shelf.out, [result(sae_id=evil, l0=40.0)])
    assert "<script>" not in (shelf.out / "site" / "sae.html").read_text()
    assert ",=HYPER" not in (shelf.out / "published.csv").read_text()
