"""Explaining latents by tokens and by a judge, through the command line, on a tiny network and a small text."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from judge_server import Reply, chat, serving
from stand_in import write_model, write_rows

KEY = "sk-very-secret-0123456789"


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A folder with a model, and one with documents of words that it knows."""
    folder = tmp_path_factory.mktemp("network")
    rows = write_rows(folder / "rows", 60)
    texts = folder / "texts"
    texts.mkdir()
    for place in range(60):
        words = " ".join(row["prompt"] for row in rows[place % 20 * 9 : place % 20 * 9 + 9])
        (texts / f"{place}.txt").write_text(f"{words} {rows[place % len(rows)]['prompt']}" * (1 + place % 3))
    return write_model(folder / "model", rows), texts


@pytest.fixture
def cell(run, network, monkeypatch, tmp_path):
    """Scores a trained dictionary on a task; its record."""
    monkeypatch.setenv("MIBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MIBENCH_JUDGE", raising=False)
    model, texts = network

    def call(task):
        ground = ["--task", task, "--model", model, "--corpus", texts, "--context", 33, "--hook", "residual-post.L1"]
        method = ["--method", "topk", "--set", "width=24", "--set", "k=4", "--set", "batch=64", "--train-tokens", 2000]
        ran = run("run", *method, *ground, "--split", "test", "--out", tmp_path / "out", "--json")
        assert ran.status == 0, ran.err + ran.out
        (record,) = ran.json["records"]
        return record

    return call


def test_tokens_explain_latents_without_a_judge(cell):
    record = cell("sae-explainability")
    found = record["metrics"]
    assert 0 <= found["explained_by_token"]["value"] <= found["explained_by_token"]["ceiling"] == 1
    assert found["explained_by_token"]["floor"] < found["explained_by_token"]["value"]
    assert found["explained_by_token"]["ci_source"] == "latents"
    assert "explained-latents" in record["tables"]


def test_without_a_judge_the_record_says_what_to_do(cell):
    record = cell("sae-autointerp")
    assert record["status"] == "ok"
    assert {one["value"] for one in record["metrics"].values()} == {None}
    assert "set MIBENCH_JUDGE to" in record["metrics"]["autointerp_balanced_accuracy"]["reason"]


def test_a_judge_behind_a_server_fills_the_record_and_its_key_is_in_no_file(cell, monkeypatch, tmp_path):
    def respond(body, _):
        material = json.loads(body["messages"][1]["content"])
        return chat("nothing much" if isinstance(material, list) else json.dumps([0] * len(material["excerpts"])))

    without = cell("sae-autointerp")
    with serving(respond) as server:
        monkeypatch.setenv("MIBENCH_JUDGE", f"{server.base}#tiny")
        monkeypatch.setenv("MIBENCH_JUDGE_KEY", KEY)
        record = cell("sae-autointerp")
    assert record["cell"]["task"]["digest"] != without["cell"]["task"]["digest"]
    assert record["metrics"]["autointerp_balanced_accuracy"]["value"] == 0.5
    assert record["metrics"]["autointerp_unread"]["value"] == 0
    (table,) = (tmp_path / "out").rglob(record["tables"]["judgements"]["file"])
    read = pd.read_parquet(table)
    assert set(read["judge"]) == {f"{server.base}#tiny"}
    assert "nothing much" in set(read["raw_explanation"])
    files = [one for one in tmp_path.rglob("*") if one.is_file()]
    assert len(files) > 3
    assert not any(KEY.encode() in one.read_bytes() for one in files)


def test_a_server_that_refuses_is_a_failed_record_without_the_key(cell, monkeypatch, tmp_path):
    with serving(lambda *_: Reply(KEY.encode(), 401)) as server:
        monkeypatch.setenv("MIBENCH_JUDGE", f"{server.base}#tiny")
        monkeypatch.setenv("MIBENCH_JUDGE_KEY", KEY)
        with pytest.raises(AssertionError) as caught:
            cell("sae-autointerp")
    assert "refuses to answer" in str(caught.value)
    assert KEY not in str(caught.value)
    assert not any(KEY.encode() in one.read_bytes() for one in tmp_path.rglob("*") if one.is_file())
