"""Every format tells the same numbers, and names of strangers do nothing in any."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from dictionary_records import write_sweep

from mibench.core.errors import UsageError
from mibench.leaderboard.build import views
from mibench.leaderboard.exports.formats import FORMATS, Wanted
from mibench.leaderboard.exports.latex import escaped, latex_files, latex_tables
from mibench.records.record import Problem

from ..conftest import DEAD, FAIR, GOOD, Shelf  # noqa: TID252

EVIL = r"a_b & 100% \input{x} $y$ [z] ^~#"


def fill(shelf: Shelf) -> None:
    shelf.add("best", GOOD, draw=1)
    shelf.add("equal", GOOD, draw=2)
    shelf.add("dead", DEAD)
    shelf.fail("broken", problem=Problem(what="It broke.", why="No memory.", do="Buy some."))
    shelf.add("best", FAIR, task="mcqa", model="gpt2")


def test_json_has_every_number_in_full_and_says_its_version(shelf: Shelf) -> None:
    fill(shelf)
    told = json.loads(FORMATS["json"](views(shelf.records)))
    assert (told["schema_version"], told["version"]) == (1, "0.1")
    assert [group["key"]["task"] for group in told["groups"]] == ["ioi", "mcqa"]
    rows = {row["label"]: row for row in told["groups"][0]["rows"]}
    record = shelf.store.read(rows["best"]["cells"][0])
    assert rows["best"]["metrics"]["cmd"] == record.metrics["cmd"].model_dump(mode="json")
    assert rows["best"]["metrics"]["cmd"]["value"] == record.metrics["cmd"].value
    assert rows["best"]["ranks"]["cmd"] == {"position": 1, "tie": "a", "why": rows["best"]["ranks"]["cmd"]["why"]}
    assert rows["broken"]["reason"] == "It broke. No memory. Buy some."
    assert rows["broken"]["ranks"]["cmd"]["position"] is None
    columns = {column["metric"]: column for column in told["groups"][0]["columns"]}
    assert (columns["cmd"]["higher_is_better"], columns["cpr"]["higher_is_better"]) == (False, True)
    assert columns["cmd"]["told_apart"] > 0
    assert columns["cpr"]["told_apart"] is None


def test_parquet_has_the_columns_of_the_csv_table_with_their_types(shelf: Shelf) -> None:
    fill(shelf)
    groups = views(shelf.records)
    typed = pd.read_parquet(io.BytesIO(FORMATS["parquet"](groups)))
    flat = pd.read_csv(io.BytesIO(FORMATS["csv"](groups)), float_precision="round_trip")
    assert list(typed) == list(flat)
    assert typed["cmd.value"].equals(flat["cmd.value"])
    assert typed["label"].to_list() == flat["label"].to_list()
    assert typed["cmd.value"].dtype == "float64"
    assert typed["status"].to_list() == flat["status"].to_list()


def stacked(above: str, below: str) -> str:
    return rf"\begin{{tabular}}[t]{{@{{}}r@{{}}}}{above}\\{{}}{below}\end{{tabular}}"


def test_latex_sets_the_tie_group_of_the_best_in_bold(shelf: Shelf) -> None:
    fill(shelf)
    (view, _) = views(shelf.records)
    lines = {line.split(" & ")[0]: line for line in latex_tables([view]).decode().splitlines() if " & " in line}
    first = {name: line.split(" & ")[1] for name, line in lines.items()}
    shown = {row.row.label: row.cells[0] for row in view.rows}
    for name in ("best", "equal"):
        assert first[name] == stacked(rf"\textbf{{{shown[name].text}}}", rf"{{\scriptsize {shown[name].interval}}}")
    assert first["dead"] == stacked(shown["dead"].text, rf"{{\scriptsize {shown['dead'].interval}}}")
    assert first["broken (failed)"] == "--"
    assert first["Method"] == r"Distance $\downarrow$"
    assert first[r"\emph{Told apart}"] == view.heads[0].resolves


def test_latex_is_whole_tables_of_one_width(shelf: Shelf) -> None:
    fill(shelf)
    text = latex_tables(views(shelf.records)).decode()
    for table in re.findall(r"\\begin\{tabular\}\{lr.*?\\end\{tabular\}\}", text, re.DOTALL):
        width = len(re.search(r"\{(lr+)\}", table)[1])
        rows = [line for line in table.splitlines() if line.endswith(r"\\")]
        assert {len(re.findall(r"(?<!\\)&", row)) + 1 for row in rows} == {width}
    assert text.count(r"\begin{table}") == text.count(r"\bottomrule") == 2
    assert set(latex_files(views(shelf.records))) == {f"{view.group.id}.tex" for view in views(shelf.records)}


def test_latex_splits_what_is_longer_than_a_page_and_breaks_long_names(shelf: Shelf) -> None:
    for index in range(23):
        shelf.add(f"method-{index}", FAIR, tables=False, params={"steps": 5, "rule": "left", "note": "many words " * 3})
    shelf.add("method-0", FAIR, tables=False)
    (view,) = views(shelf.records)
    text = latex_tables([view]).decode()
    assert text.count(r"\begin{table}") == 2
    assert "(1 of 2)" in text
    assert "(2 of 2)" in text
    assert set(re.findall(r"\\label\{(.*?)\}", text)) == {f"tab:{view.group.id}", f"tab:{view.group.id}-2"}
    rows = [line for line in text.splitlines() if line.startswith((r"method-", r"\begin{tabular}[t]{@{}l@{}}method-"))]
    assert len(rows) == 24
    assert sum(line.startswith(r"\begin") for line in rows) == 1


DOCUMENT = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage{booktabs,graphicx,textcomp}
\begin{document}
%s
\end{document}
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no pdflatex here")
def test_latex_compiles_and_nothing_leaves_the_page(shelf: Shelf, tmp_path: Path) -> None:
    fill(shelf)
    shelf.add(EVIL, FAIR, task=EVIL, model="m" * 90)
    shelf.add("*starred words that go on [1] to a second line", FAIR, task="wide", params={"a": 1})
    shelf.add("*starred words that go on [1] to a second line", FAIR, task="wide", params={"a": 2})
    for index in range(45):
        shelf.add(f"method-{index}", FAIR, task="long", tables=False)
    write_sweep(shelf.store)
    text = latex_tables(views(shelf.records)).decode()
    (tmp_path / "board.tex").write_text(DOCUMENT % text)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "board.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=300, check=False)
    told = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 0, told[-2000:]
    assert "Overfull" not in told
    assert "Float too large" not in told
    assert (tmp_path / "board.pdf").stat().st_size > 10_000


def test_latex_shows_names_of_strangers_as_they_are(shelf: Shelf) -> None:
    shelf.add(EVIL, FAIR, task=EVIL)
    text = latex_tables(views(shelf.records)).decode()
    assert r"\input" not in text
    assert r"a\_b \& 100\% \textbackslash{}input\{x\} \$y\$ {[}z{]} \textasciicircum{}\textasciitilde{}\#" in text


def test_latex_writes_a_minus_and_no_character_that_its_fonts_lack() -> None:
    assert escaped("− 1 ≥ é") == r"$-$ 1 $\geq$ é"
    assert escaped("\u202e中") == "??"


def test_tables_are_chosen_by_what_is_given(shelf: Shelf) -> None:
    fill(shelf)
    groups = views(shelf.records)
    assert Wanted().of(groups) == groups
    assert [view.group.cell.model.name for view in Wanted(task="mcqa").of(groups)] == ["gpt2"]
    assert Wanted(track="circuit", model="gpt2").of(groups) == groups[1:]
    with pytest.raises(UsageError, match="no such table") as error:
        Wanted(track="sae").of(groups)
    assert "ioi on smollm2-135m" in error.value.why


def test_a_board_without_rows_is_exported_too(shelf: Shelf) -> None:
    for name, made in FORMATS.items():
        assert made(views(shelf.records)), name
    assert json.loads(FORMATS["json"]([]))["groups"] == []
