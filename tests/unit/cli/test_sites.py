"""Records of causal variables on the command line: maps in the terminal and as pictures, and comparisons."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from variable_tables import linear_tables, variable_tables, write_variable

from mibench.cli.site_text import map_rows
from mibench.metrics.bootstrap import Resampling
from mibench.metrics.variable.maps import site_maps
from mibench.records.store import Store

GRID = np.array([[0.1, 0.2], [0.9, 0.4], [0.6, np.nan]])


def tables(quality: float):
    return variable_tables({"a": quality * GRID, "b": quality * GRID}, {"a": 0.0, "b": 0.0}, n=20)


@pytest.fixture
def records(tmp_path):
    """A folder with two records of one cell's ground, their ids, and the folder."""
    store = Store(tmp_path / "records")
    ids = [write_variable(store, name, tables(share)).cell.id for name, share in (("das", 1.0), ("dbm", 0.5))]
    return store.folder, *ids


def test_a_map_as_text_has_the_last_layer_on_top_shades_marks_and_gaps():
    rows = map_rows(site_maps(tables(1.0), Resampling(resamples=100)))
    assert [row["layer"] for row in rows] == ["2", "1", "0"]
    assert rows[1] == {"layer": "1", "last": "██ +0.90*◀", "symbol": "▒▒ +0.40*"}
    assert rows[0]["symbol"] == ""
    assert rows[2]["last"] == "   +0.10*"


def test_show_prints_the_variable_its_numbers_and_the_map(run, records):
    folder, das, _ = records
    shown = run("show", das[:6], "--records", folder)
    assert shown.status == 0
    for words in ("answer_pointer, residual-post at last, symbol, all layers", "normalised_iia", "██ +0.90*◀"):
        assert words in shown.out
    assert run("show", das[:6], "--records", folder, "--json").json[0]["cell"]["variable"]["name"] == "answer_pointer"


def test_show_says_why_there_is_no_map(run, records):
    folder, das, _ = records
    for path in folder.rglob("*.parquet"):
        path.unlink()
    shown = run("show", das[:6], "--records", folder)
    assert shown.status == 0
    assert "No map:" in shown.out


def test_plot_sites_writes_the_picture_and_prints_the_map(run, records, tmp_path):
    folder, das, _ = records
    out = tmp_path / "map.svg"
    done = run("plot", "sites", das[:6], "--records", folder, "--out", out)
    assert done.status == 0
    assert out.read_bytes().startswith(b"<?xml")
    assert "highest +0.90 at layer 1, last" in done.out
    assert "██ +0.90" in done.out
    again = run("plot", "sites", das[:6], "--records", folder, "--out", out)
    assert again.status == 2
    assert "not overwritten" in again.err


def test_plot_sites_against_another_record_draws_the_difference(run, records, tmp_path):
    folder, das, dbm = records
    out = tmp_path / "map.png"
    done = run("plot", "sites", das, "--against", dbm, "--records", folder, "--out", out, "--json")
    assert done.status == 0
    assert out.read_bytes().startswith(b"\x89PNG")
    told = done.json
    assert "difference of IIA" in told["words"]
    assert len(told["digest"]) == 64
    other = run("plot", "sites", das, "--records", folder, "--out", tmp_path / "other.png", "--json").json
    assert other["digest"] != told["digest"]


def test_plot_sites_refuses_what_has_no_sites(run, records, tmp_path):
    folder, _, _ = records
    where = {"component": "head", "positions": ("all",)}
    joint = write_variable(Store(folder), "das", linear_tables({"x": {"joint": 1.0, "noop": 2.0}}), where=where)
    refused = run("plot", "sites", joint.cell.id, "--records", folder, "--out", tmp_path / "no.png")
    assert refused.status == 1
    assert "no map" in refused.err
    assert not (tmp_path / "no.png").exists()


def test_compare_pairs_variable_records_and_shows_their_columns(run, records):
    folder, _, _ = records
    done = run("compare", folder, "--against", "dbm")
    assert done.status == 0
    assert "answer_pointer, residual-post at last symbol" in done.out
    assert "normalised_iia ↑" in done.out
    assert "better" in done.out
    assert "distance_absolute" not in done.out
    assert "explained_variance" not in done.out


def test_compare_writes_one_sheet_whatever_the_tracks(run, records):
    folder, _, _ = records
    rows = list(csv.DictReader(io.StringIO(run("compare", folder, "--format", "csv").out)))
    assert {row["variable"] for row in rows} == {"answer_pointer, residual-post at last symbol"}
    assert {row["metric"] for row in rows} >= {"normalised_iia", "iia_set:a", "n_parameters"}
    found = run("compare", folder, "--against", "dbm", "--json").json
    (difference,) = found[0]["differences"]
    assert difference["metrics"]["normalised_iia"]["difference"] == pytest.approx(0.45)


def test_other_places_are_other_tables(run, records):
    folder, _, _ = records
    write_variable(Store(folder), "das", tables(1.0), where={"layers": (0, 1), "oracle": True})
    found = run("compare", folder, "--json").json
    assert sorted(len(group["methods"]) for group in found) == [1, 2]
