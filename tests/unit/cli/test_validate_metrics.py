from __future__ import annotations

import json

import pytest

from mibench.core.specs import Cell, Level, MethodRef, ModelRef, TaskRef, Track
from mibench.records.record import MetricValue, RunRecord
from mibench.records.store import Store

TRUTH = [0.5, 0.6, 0.7, 0.8, 0.9]


@pytest.fixture
def records(tmp_path):
    store = Store(tmp_path / "records")
    for program in ("ioi", "carry"):
        for model in (f"planted-{program}-gpt2", f"planted-{program}-gpt2-d3"):
            for place, auroc in enumerate(TRUTH):
                values = {"auroc": auroc, "average_precision": auroc, "cmd": 1 - auroc, "cpr": -auroc}
                store.write(
                    RunRecord(
                        cell=Cell(
                            track=Track.CIRCUIT,
                            level=Level.EDGE,
                            task=TaskRef(name=f"planted-{program}", version=1, split="test", digest="a"),
                            model=ModelRef(name=model, digest=model),
                            method=MethodRef(name=f"m{place}"),
                        ),
                        status="ok",
                        metrics={name: MetricValue(value=value) for name, value in values.items()},
                    )
                )
    return store.folder


def test_scores_are_printed_and_written_with_their_pictures(run, records, tmp_path):
    ran = run("validate-metrics", "--records", records, "--out", tmp_path / "out")
    assert ran.status == 0
    assert "tracks the truth" in ran.out
    assert "ranks against the truth" in ran.out
    pictures = {f"{name}.{suffix}" for name in ("circuit-auroc", "circuit-average_precision", "difficulty")
                for suffix in ("svg", "png")}  # fmt: skip
    assert {path.name for path in (tmp_path / "out").iterdir()} == pictures | {"validity.csv", "validity.json"}
    rows = {row["score"]: row for row in json.loads((tmp_path / "out" / "validity.json").read_text())}
    assert (rows["cmd"]["pairs_right"], rows["cpr"]["pairs_right"]) == (1, 0)
    assert (rows["cmd"]["models"], rows["cmd"]["programs"], len(rows["cmd"]["grounds"])) == (4, 2, 4)


def test_the_same_records_give_the_same_bytes(run, records, tmp_path):
    for out in ("first", "second"):
        assert run("validate-metrics", "--records", records, "--out", tmp_path / out, "--json").status == 0
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()


def test_a_file_in_the_place_of_the_folder_is_told_before_anything_runs(run, records, tmp_path):
    (tmp_path / "file").write_text("")
    ran = run("validate-metrics", "--records", records, "--out", tmp_path / "file")
    assert ran.status == 2
    assert "is a file" in ran.err


def test_records_without_a_known_truth_are_refused(run, tmp_path):
    (tmp_path / "empty").mkdir()
    ran = run("validate-metrics", "--records", tmp_path / "empty", "--out", tmp_path / "out")
    assert ran.status != 0
    assert "nothing to validate" in ran.err
