"""Records of causal variables on the leaderboard: groups, ranks, columns and maps."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from variable_tables import linear_tables, variable_tables, write_variable

from mibench.leaderboard.build import build
from mibench.leaderboard.rows import collect, make_groups
from mibench.leaderboard.tables import csv_table
from mibench.leaderboard.view import GroupView, view

from .conftest import GOOD, Shelf, bytes_of

SETS = ("answer", "stays")


def tables(quality: float, *, draw: int = 0, n: int = 60):
    found = {"answer": quality * np.array([[0.2, 0.3], [0.9, 0.4]]), "stays": [[1.0, 1.0], [0.8, 0.9]]}
    return variable_tables(found, {"answer": 0.0, "stays": 1.0}, isolate=["stays"], n=n, draw=draw)


def heads():
    return linear_tables({"x": {"7.1": 2.0, "joint": 1.0, "noop": 3.0}})


def views(shelf: Shelf) -> list[GroupView]:
    return [view(group) for group in make_groups(collect([shelf.store]))]


def fill(shelf: Shelf) -> None:
    write_variable(shelf.store, "das", tables(1.0), params={"k": 16})
    write_variable(shelf.store, "dbm", tables(0.4))
    write_variable(shelf.store, "revnet", tables(1.1), board="control")
    for seed in range(2):
        write_variable(shelf.store, "random", tables(0.05, draw=seed), seed=seed)


def test_methods_are_ranked_by_normalised_accuracy_and_controls_are_not(shelf: Shelf) -> None:
    fill(shelf)
    (found,) = views(shelf)
    assert [(row.row.label, str(row.rank)) for row in found.rows] == [
        ("das", "1a"), ("dbm", "2b"), ("random", "3c"), ("revnet", "–"),
    ]  # fmt: skip
    assert "control board" in found.rows[-1].rank.why
    assert "control board: not ranked" in found.rows[-1].notes
    assert "paired bootstrap" in found.rows[1].rank.why
    assert found.group.title == "mcqa · answer_pointer on smollm2-135m"


def test_columns_are_those_that_have_numbers_and_the_chosen_site(shelf: Shelf) -> None:
    fill(shelf)
    (found,) = views(shelf)
    heads = [head.title for head in found.heads]
    assert heads == [
        "Normalised IIA", "MIB average", "MIB highest", "Isolate", "Disentangle", "Parameters", "Chosen site",
    ]  # fmt: skip
    das = dict(zip(heads, found.rows[0].cells, strict=True))
    assert (das["Chosen site"].text, das["Parameters"].text) == ("L1 last", "4,608")
    assert das["Parameters"].interval == das["Chosen site"].interval == ""
    assert found.heads[1].floor == "0.500"


def test_seeds_that_chose_different_sites_say_how_often(shelf: Shelf) -> None:
    write_variable(shelf.store, "das", tables(1.0), seed=0)
    moved = tables(1.0)
    chosen = moved.selection["group"] == "residual-post.L0@symbol"
    write_variable(shelf.store, "das", moved._replace(selection=moved.selection.assign(chosen=chosen)), seed=1)
    assert views(shelf)[0].rows[0].cells[-1].text == "L1 last (1 of 2), L0 symbol (1 of 2)"


def test_tasks_with_a_linear_target_are_ranked_by_explained_variance(shelf: Shelf) -> None:
    where = {"name": "output_position", "component": "head", "positions": ("all",), "heads": ((7, 1), (8, 1))}
    write_variable(shelf.store, "das", heads(), where=where, task="ioi")
    (found,) = views(shelf)
    assert [(head.title, head.arrow) for head in found.heads[:4]] == [
        ("Explained variance", "↑"), ("Joint", "↑"), ("Best single", "↑"), ("MIB MSE", "↓"),
    ]  # fmt: skip
    assert str(found.rows[0].rank) == "1a"
    assert found.rows[0].cells[-1].text == "L7.H1 all + L8.H1 all"
    assert {"head", "heads 7.1, 8.1", "positions all"} <= set(found.facts)


@pytest.mark.parametrize(
    "where",
    [
        {"name": "answer"}, {"positions": ("last",)}, {"component": "mlp"}, {"layers": (0, 1)}, {"oracle": True},
    ],
)  # fmt: skip
def test_other_variables_and_places_are_other_tables(shelf: Shelf, where) -> None:
    write_variable(shelf.store, "das", tables(1.0))
    write_variable(shelf.store, "das", tables(1.0), where=where)
    found = views(shelf)
    assert len({each.group.id for each in found}) == 2
    assert all(str(each.rows[0].rank) == "1a" for each in found)


def test_oracle_positions_are_said_to_be(shelf: Shelf) -> None:
    write_variable(shelf.store, "das", tables(1.0), where={"oracle": True})
    (found,) = views(shelf)
    assert "oracle positions" in found.facts
    assert any("gold answer" in note for note in found.notes)


def test_the_page_of_a_record_has_a_map_of_its_sites(shelf: Shelf) -> None:
    record = write_variable(shelf.store, "das", tables(1.0))
    build(shelf.records, shelf.out)
    page = (shelf.out / "site" / "records" / f"{record.cell.id}.html").read_text()
    assert "IIA − no-op, mean over sets" in page
    assert page.count('class="plus known chosen"') >= 1
    before = bytes_of(shelf.out)
    build(shelf.records, shelf.out)
    assert bytes_of(shelf.out) == before


def test_pages_of_records_that_are_gone_are_removed(shelf: Shelf) -> None:
    write_variable(shelf.store, "das", tables(1.0))
    gone = write_variable(shelf.store, "revnet", tables(1.1), board="control")
    build(shelf.records, shelf.out)
    shelf.store.path(gone.cell).unlink()
    removed = build(shelf.records, shelf.out).removed
    assert set(removed) == {"site/methods/revnet.html", f"site/records/{gone.cell.id}.html"}


def test_a_record_without_its_tables_keeps_its_row_but_has_no_map(shelf: Shelf) -> None:
    write_variable(shelf.store, "das", tables(1.0))
    for path in shelf.records.rglob("*.parquet"):
        path.unlink()
    build(shelf.records, shelf.out)
    (record,) = (shelf.out / "site" / "records").iterdir()
    assert "IIA − no-op" not in record.read_text()
    (found,) = views(shelf)
    assert found.rows[0].cells[-1].missing
    assert str(found.rows[0].rank) == "1a"


def test_the_sheet_names_variable_place_site_and_board(shelf: Shelf) -> None:
    write_variable(shelf.store, "das", tables(1.0))
    write_variable(shelf.store, "revnet", tables(1.1), board="control")
    shelf.fail("eap")
    sheet = pd.read_csv(io.BytesIO(csv_table(views(shelf))))
    das = sheet[sheet["method"] == "das"].iloc[0]
    assert (das["variable"], das["variable.positions"]) == ("answer_pointer", '["last","symbol"]')
    assert das["chosen_site"] == "residual-post.L1@last"
    assert sheet[sheet["method"] == "revnet"].iloc[0]["board"] == "control"
    assert sheet[sheet["method"] == "eap"]["variable"].isna().all()


def test_boards_of_circuits_alone_say_nothing_of_variables(shelf: Shelf) -> None:
    shelf.add("eap", GOOD)
    build(shelf.records, shelf.out)
    assert "Normalised" not in (shelf.out / "site" / "index.html").read_text()
    assert "Normalised" not in (shelf.out / "leaderboard.md").read_text()
    assert "variable" not in (shelf.out / "leaderboard.csv").read_text()
