"""`mibench export`, and results of others on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dictionary_records import dictionary_record, value, write_sweep

from mibench.cli.main import main
from mibench.core.specs import Convention
from mibench.records.store import Store


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(list(arguments))
    return int(stop.value.code or 0)


@pytest.fixture
def records(tmp_path: Path) -> Path:
    store = Store(tmp_path / "records")
    write_sweep(store, convention=Convention.SAEBENCH)
    store.write(dictionary_record("topk", {"x": value(0.5)}, task="sae-synthetic"))
    store.write(dictionary_record("topk", None, task="sae-probing"))
    return store.folder


def test_records_become_one_file_a_dictionary_and_the_rest_is_told(records, tmp_path, capsys) -> None:
    assert run("export", str(records), "--out", str(tmp_path / "out"), "--release", "mine") == 0
    said = capsys.readouterr()
    files = sorted((tmp_path / "out").rglob("*.json"))
    assert [file.parent.relative_to(tmp_path / "out").as_posix() for file in files] == ["core/mine"] * 3
    assert all(json.loads(file.read_text())["sae_lens_release_id"] == "mine" for file in files)
    assert said.out.count("1 of 26 metrics") == 3
    assert "SAEBench has no evaluation like sae-synthetic" in said.err
    assert "failed: Training diverged." in said.err


def test_files_that_are_there_are_kept_unless_told_otherwise(records, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    assert run("export", str(records), "--out", str(out)) == 0
    before = {path: path.read_bytes() for path in out.rglob("*.json")}
    assert run("export", str(records), "--out", str(out), "--release", "mibench") == 2
    assert "--overwrite" in capsys.readouterr().err
    assert run("export", str(records), "--out", str(out), "--overwrite", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (len(told["files"]), len(told["left_out"])) == (3, 2)
    assert {path: path.read_bytes() for path in out.rglob("*.json")} == before


def test_a_file_that_two_records_would_write_is_refused(records, tmp_path, capsys) -> None:
    write_sweep(Store(records), split="validation", convention=Convention.SAEBENCH)
    assert run("export", str(records), "--out", str(tmp_path / "out")) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "written twice" in said
    assert "of topk, test, limit 40;" in said
    assert "of topk, validation, limit 40" in said
    assert not (tmp_path / "out").exists()


def test_of_two_conventions_that_of_saebench_is_taken(records, tmp_path, capsys) -> None:
    write_sweep(Store(records))
    assert run("export", str(records), "--out", str(tmp_path / "out")) == 0
    assert "left out 3 of 8 records: the record of the same dictionary" in capsys.readouterr().err
    (path,) = (tmp_path / "out").rglob("*k-65*.json")
    assert json.loads(path.read_text())["eval_result_unstructured"]["convention"] == "saebench-0.6"


def test_a_dictionary_of_a_run_that_was_also_scored_as_a_file_is_exported_once(records, tmp_path, capsys) -> None:
    store = Store(records)
    made = next(record for record in store.query() if record.cell.method.params.get("k") == 65)
    again = {"params": dict(made.cell.method.params), "artifact": made.dictionary.sha256}
    store.write(dictionary_record("topk", made.metrics, convention=Convention.SAEBENCH, **again))
    assert run("export", str(records), "--out", str(tmp_path / "out")) == 0
    assert "left out 1 of 6 records: another record is of the same dictionary" in capsys.readouterr().err


def test_transcoders_are_left_out_by_name(records, tmp_path, capsys) -> None:
    made = dictionary_record("relu", {"l0": value(30.0)}, facts={"transcoder": "plain"})
    Store(records).write(made)
    assert run("export", str(records), "--out", str(tmp_path / "out")) == 0
    said = capsys.readouterr()
    assert "left out 1 of 6 records: relu is a transcoder" in said.err
    assert "relu" not in said.out


def test_nothing_to_export_is_wrong_usage(tmp_path, capsys) -> None:
    Store(tmp_path / "r").write(dictionary_record("topk", None))
    assert run("export", str(tmp_path / "r"), "--out", str(tmp_path / "out")) == 2
    assert "nothing to export" in capsys.readouterr().err


def test_an_exported_file_is_shown_as_published(records, tmp_path, capsys) -> None:
    run("export", str(records), "--out", str(tmp_path / "out"))
    (path,) = (tmp_path / "out").rglob("*k-160*.json")
    capsys.readouterr()
    assert run("show", str(path)) == 0
    said = capsys.readouterr().out
    assert "published, unpaired, not tested; definitions of saebench-0.6" in said
    assert "core: mibench topk_k-" in said
    assert run("show", str(path), "--json") == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["status"], told["metrics"]["l0"]["value"]) == ("published, unpaired, not tested", 160.0)


def test_a_result_of_an_unknown_version_needs_a_word(tmp_path, capsys) -> None:
    path = tmp_path / "x_eval_results.json"
    path.write_text(json.dumps({"eval_type_id": "scr", "eval_result_metrics": {"a": {"b": 1.0}}}))
    assert run("show", str(path)) == 1
    assert "--version" in capsys.readouterr().err
    assert run("show", str(path), "--version", "saebench-0.3") == 0


def test_the_leaderboard_takes_results_of_others(records, tmp_path, capsys) -> None:
    published = tmp_path / "published"
    run("export", str(records), "--out", str(published))
    where = [str(records), "--out", str(tmp_path / "page"), "--published", str(published), "--published", "saebench"]
    assert run("leaderboard", "build", *where) == 0
    assert run("leaderboard", "check", *where) == 0
    assert run("leaderboard", "check", *where[:3]) == 1
    page = (tmp_path / "page/site/sae.html").read_text()
    assert "definitions of saebench-0.6" in page
    assert "definitions of saebench-0.3" in page
    capsys.readouterr()
    assert run("leaderboard", "build", *where[:3], "--published", str(tmp_path / "none")) == 2
