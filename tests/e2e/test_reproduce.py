"""`mibench reproduce`: cells run again from their records alone."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from planted.task import register, write_planted
from safetensors.numpy import save_file
from stand_in import write_model, write_rows

from mibench.artifacts.dictionaries.native import load_native, save_dictionary
from mibench.artifacts.files import load_scores, save_scores
from mibench.records.confirmation import read_confirmations
from mibench.records.encode import record_bytes, stable_bytes
from mibench.records.store import Store
from mibench.runner.cells.work import TOLERANCE

SPREAD = "def spread(view, *, power: float = 1.0):\n    return view.scores(abs(view.attribute()) ** power)\n"


def write_texts(folder, rows):
    """A corpus of twenty short texts."""
    folder.mkdir()
    for place in range(20):
        (folder / f"{place}.txt").write_text(" ".join(row["prompt"] for row in rows[place * 9 : place * 9 + 9]))
    return folder


@pytest.fixture
def made(run, ground, records, tmp_path):
    """Runs a command on the tiny GPT-2, and gives the one record that is no floor."""

    def make(*words, out="records"):
        ran = run(*words, *ground("tiny_gpt2"), "--limit", 6, "--out", tmp_path / out)
        assert ran.status == 0, ran.err
        (record,) = records(tmp_path / out).values()
        return record

    return make


@pytest.fixture
def again(run, ground):
    """Reproduces all records of a folder, and gives the verdict of the one."""

    def call(*words, folder="records"):
        ran = run("reproduce", folder, *ground("tiny_gpt2"), *words, "--json")
        (one,) = ran.json["records"]
        assert (ran.status == 0) == (one["verdict"] in {"match", "drift"})
        return one

    return call


def test_records_are_reproduced_with_their_parameters_batches_extras_and_seeds(run, ground, records, tmp_path):
    words = [*ground("tiny_gpt2", "B"), "--method", "eap-ig-inputs", "--method", "random", "--set", "steps=3"]
    rules = ["--split", "test", "--limit", 7, "--train-limit", 5, "--batch-size", 3, "--padded", "--ablation", "mean"]
    ran = run("run", *words, *rules, "--extra", "completeness", "--floor-draws", 2, "--out", "records")
    assert ran.status == 0, ran.err
    before = {key: record_bytes(one) for key, one in records(tmp_path / "records").items()}
    ran = run("reproduce", "records", *ground("tiny_gpt2", "B"), "--append", "--out", "repeats", "--json")
    assert ran.status == 0, ran.err
    assert {one["verdict"] for one in ran.json["records"]} == {"match"}
    assert {key: record_bytes(one) for key, one in records(tmp_path / "records").items()} == before
    repeats = records(tmp_path / "repeats")
    assert repeats.keys() == before.keys()
    for folder in (tmp_path / "records", tmp_path / "repeats"):
        confirmed = read_confirmations(folder)
        assert sorted(one.record for one in confirmed) == sorted(before)
        assert {(one.verdict, one.difference, one.made.command == []) for one in confirmed} == {("match", 0.0, True)}


def test_node_scores_under_the_rules_of_mib_are_reproduced(made, again):
    made("run", "--method", "nap", "--level", "node", "--convention", "mib", "--floor-draws", 0)
    assert again()["verdict"] == "match"


def test_a_record_that_is_named_by_its_file_is_reproduced_and_the_table_says_so(run, made, ground, tmp_path):
    record = made("run", "--method", "eap", "--floor-draws", 0)
    ran = run("reproduce", Store(tmp_path / "records").path(record.cell), *ground("tiny_gpt2"))
    assert ran.status == 0, ran.err
    assert "match" in ran.out
    assert not list(tmp_path.rglob("confirmations.jsonl"))


def test_a_small_change_is_drift_and_a_large_one_a_mismatch(made, again, tmp_path):
    store, record = Store(tmp_path / "records"), made("run", "--method", "eap", "--floor-draws", 0)
    table = store.table(record, "endpoints")
    for change, verdict in ((TOLERANCE / 2, "drift"), (TOLERANCE * 2, "mismatch")):
        store.write(record, {"endpoints": table.assign(clean=table["clean"] + change * table["clean"].abs().clip(1))})
        one = again("--append")
        assert one["verdict"] == verdict
        assert one["difference"] == pytest.approx(change, rel=1e-3)
        assert one["where"].startswith("table endpoints, column clean")
    assert [one.verdict for one in read_confirmations(store.folder)] == ["drift", "mismatch"]


def test_other_examples_and_another_model_are_told_and_nothing_is_run(run, made, ground, tmp_path):
    made("run", "--method", "eap", "--floor-draws", 0)
    words = ["reproduce", "records", "--append", "--out", "repeats"]
    model, pairs = ground("tiny_gpt2")[1::2]
    lines = Path(pairs).read_text().splitlines()
    Path("pairs_A.jsonl").write_text("\n".join(lines[1:]) + "\n")
    other = run(*words, "--model", model, "--task", "pairs_A.jsonl")
    assert other.status == 1
    assert all(word in other.out for word in ("cannot", "reproduced", "here"))
    assert "the evaluated examples are others: task.digest" in other.err
    assert "the training examples are others: task.train_digest" in other.err
    changed = tmp_path / "tiny_gpt2"
    shutil.copytree(model, changed)
    config = json.loads((changed / "config.json").read_text())
    (changed / "config.json").write_text(json.dumps(config | {"layer_norm_epsilon": 1e-3}))
    other = run(*words, "--model", changed, "--task", pairs)
    assert "the model's weights, configuration or vocabulary are others: model.digest" in other.err
    assert "evaluated" not in other.err
    assert not list(tmp_path.rglob("confirmations.jsonl"))


def test_what_the_record_does_not_say_is_asked_for(run, made, check_message, ground):
    made("run", "--method", "eap", "--floor-draws", 0)
    check_message(run("reproduce", "records"), 1, "--task FILE.jsonl")
    check_message(run("reproduce", "records", *ground("tiny_gpt2")[2:]), 1, "--model FOLDER")
    check_message(run("reproduce", "records", *ground("tiny_gpt2"), "--out", "records"), 2, "would be replaced")
    check_message(run("reproduce", "records/../nowhere"), 2, "nowhere")


def test_a_method_of_a_user_is_reproduced_from_the_same_code_only(made, again, tmp_path):
    (tmp_path / "my.py").write_text(SPREAD)
    made("run", "--method", "my.py:spread", "--set", "power=2", "--floor-draws", 0)
    assert "--method" in again()["problem"]["do"]
    assert again("--method", "my.py:spread")["verdict"] == "match"
    (tmp_path / "my.py").write_text(SPREAD.replace("abs", "-abs"))
    one = again("--method", "my.py:spread")
    assert (one["verdict"], [each["where"] for each in one["differences"]]) == ("cannot", ["method.code_digest"])


@pytest.mark.parametrize("name", ["cmd: touch owned {pairs} {out}", "evil.py:run", "../evil.py:run"])
def test_a_record_cannot_have_a_file_or_a_command_run(made, again, tmp_path, name):
    (tmp_path / "evil.py").write_text("open('owned', 'w')\ndef run(view): pass\n")
    store, record = Store(tmp_path / "records"), made("run", "--method", "eap", "--floor-draws", 0)
    method = record.cell.method.model_copy(update={"name": name})
    store.path(record.cell).unlink()
    store.write(record.model_copy(update={"cell": record.cell.model_copy(update={"method": method}), "tables": {},
                                          "artifact": None}))  # fmt: skip
    assert "method" in again()["problem"]["what"]
    assert not (tmp_path / "owned").exists()


def test_an_artifact_that_was_handed_in_is_taken_from_beside_its_record(run, made, again, ground, tmp_path):
    run("discover", *ground("tiny_gpt2"), "--method", "eap", "--out", "a.json")
    record = made("score", "a.json", "--floor-draws", 0, "--split", "test")
    assert again()["verdict"] == "match"
    Store(tmp_path / "records").artifact(record).write_bytes(b"another")
    one = again()
    assert (one["verdict"], "sha256" in one["problem"]["why"]) == ("cannot", True)


def test_an_artifact_that_was_scored_as_one_circuit_is_scored_so_again(run, made, again, ground):
    run("discover", *ground("tiny_gpt2"), "--method", "eap", "--out", "a.safetensors")
    scores = load_scores("a.safetensors")
    members = scores.scored & (abs(scores.scores) > np.median(abs(scores.scores[scores.scored])))
    save_scores(replace(scores, in_graph=members), "one.safetensors")
    record = made("score", "one.safetensors", "--binary", "--floor-draws", 0)
    assert record.cell.method.artifact_digest != scores.digest
    assert again()["verdict"] == "match"


def test_a_record_of_a_failure_cannot_be_reproduced(run, again, ground, tmp_path):
    (tmp_path / "my.py").write_text("def f(view):\n    raise ValueError('no')\n")
    assert run("run", *ground("tiny_gpt2"), "--method", "my.py:f", "--floor-draws", 0, "--out", "records").status == 1
    assert "no numbers" in again("--method", "my.py:f")["problem"]["why"]


def test_a_causal_variable_is_reproduced_with_a_limit_a_set(run, records, monkeypatch, tmp_path):
    register(monkeypatch)
    network = write_planted(tmp_path / "planted")
    words = ["--task", "planted", "--model", network, "--layer", "1,3", "--position", "last", "--variable", "a"]
    split = ["--split", "test", "--limit", 9, "--train-limit", 11]
    ran = run("run", *words, *split, "--method", "das", "--method", "full-vector", "--out", "records")
    assert ran.status == 0, ran.err
    (first, *_) = found = list(records(tmp_path / "records").values())
    assert first.cell.task.limit > 9
    ran = run("reproduce", "records", "--model", network, "--out", "repeats", "--json")
    assert [one["verdict"] for one in ran.json["records"]] == ["match"] * 2, ran.json
    assert [stable_bytes(one) for one in records(tmp_path / "repeats").values()] == [stable_bytes(one) for one in found]
    run("discover", *words, *split[4:], "--method", "full-vector", "--out", "f.safetensors")
    assert run("score", "f.safetensors", *words, *split, "--out", "scored").status == 0
    assert run("reproduce", "scored", "--model", network).status == 0
    again = ["reproduce", "scored", "--model", network, "--json", "--artifact"]
    assert run(*again, "f.safetensors").status == 0
    run("discover", *words, *split[4:], "--method", "das", "--out", "other.safetensors")
    assert "is not the artifact" in run(*again, "other.safetensors").json["records"][0]["problem"]["what"]


def test_a_dictionary_is_trained_again_and_one_that_was_handed_in_is_read_from_its_file(
    run, records, monkeypatch, tmp_path
):
    monkeypatch.setenv("MIBENCH_CACHE", str(tmp_path / "cache"))
    rows = write_rows(tmp_path / "rows", 60)
    model = write_model(tmp_path / "model", rows)
    texts = write_texts(tmp_path / "texts", rows)
    ground = ["--task", "sae-core", "--model", model, "--corpus", texts, "--context", 16]
    place = ["--limit", 6, "--train-tokens", 700, "--hook", "residual-post.L1", "--split", "test", "--out", "records"]
    topk = ["--method", "topk", "--set", "width=24", "--set", "k=4", "--set", "batch=64"]
    ran = run("run", *ground, *place, *topk)
    assert ran.status == 0, ran.err
    ran = run("reproduce", "records", "--model", model, "--out", "repeats", "--json")
    assert [one["verdict"] for one in ran.json["records"]] == ["match"], ran.json
    ((one,), (other,)) = (records(tmp_path / name).values() for name in ("records", "repeats"))
    assert stable_bytes(one) == stable_bytes(other)
    assert other.volatile.discovery is not None
    (kept,) = (tmp_path / "cache" / "dictionaries").glob("*.safetensors")
    place[-1] = "scored"
    assert run("score", kept, *ground, *place[:2], *place[6:]).status == 0
    again = ["reproduce", "scored", "--model", model, "--json"]
    assert "--artifact FILE" in run(*again).json["records"][0]["problem"]["do"]
    ran = run(*again, "--artifact", kept)
    assert [one["verdict"] for one in ran.json["records"]] == ["match"], ran.json
    other = tmp_path / "other.safetensors"
    save_dictionary(changed(load_native(kept)), other)
    (refused,) = run(*again, "--artifact", other).json["records"]
    assert (refused["verdict"], "is not the artifact" in refused["problem"]["what"]) == ("cannot", True)


def changed(dictionary):
    """The dictionary with one number changed."""
    tensors = {name: array.copy() for name, array in dictionary.tensors.items()}
    tensors["w_dec"].flat[0] += 1
    return replace(dictionary, tensors=tensors)


def test_a_dictionary_whose_file_does_not_say_where_it_works_is_scored_again_from_its_file(run, monkeypatch, tmp_path):
    monkeypatch.setenv("MIBENCH_CACHE", str(tmp_path / "cache"))
    rows = write_rows(tmp_path / "rows", 60)
    model = write_model(tmp_path / "model", rows)
    texts = write_texts(tmp_path / "texts", rows)
    width = json.loads((model / "config.json").read_text())["n_embd"]
    rng = np.random.default_rng(0)
    shapes = {"W_enc": (width, 24), "W_dec": (24, width), "b_enc": (24,), "b_dec": (width,)}
    arrays = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    save_file(arrays, "four.safetensors", {"architecture": "relu", "apply_b_dec_to_input": "true"})
    words = ["--task", "sae-core", "--model", model, "--corpus", texts, "--context", 16, "--limit", 6]
    ran = run("score", "four.safetensors", *words, "--hook", "residual-post.L1", "--out", "records")
    assert ran.status == 0, ran.err
    ran = run("reproduce", "records", "--model", model, "--artifact", "four.safetensors", "--json")
    assert [one["verdict"] for one in ran.json["records"]] == ["match"], ran.json


def test_a_repeat_has_the_threads_of_its_record_and_what_differs_here_is_told(run, made, again, ground, tmp_path):
    before = torch.get_num_threads()
    store, record = Store(tmp_path / "records"), made("run", "--method", "eap", "--floor-draws", 0)
    own = record.volatile.provenance
    for threads, used in ((before + 1, before + 1), (10**6, before)):
        other = own.model_copy(update={"threads": threads, "cpu": "Another", "packages": own.packages | {"torch": "1"}})
        store.write(record.model_copy(update={"volatile": record.volatile.model_copy(update={"provenance": other})}))
        one = again("--out", f"repeats{threads}")
        (repeat,) = Store(tmp_path / f"repeats{threads}").query()
        assert (one["threads"], repeat.volatile.provenance.threads) == (used, used)
        apart = {each["where"]: (each["record"], each["here"]) for each in one["settings"]}
        assert apart["threads"] == (threads, before)
        assert apart["cpu"] == ("Another", own.cpu)
        assert apart["packages.torch"] == ("1", own.packages["torch"])
    assert torch.get_num_threads() == before
    ran = run("reproduce", "records", *ground("tiny_gpt2"))
    (line,) = [line for line in ran.out.splitlines() if line.startswith("note: ")]
    assert all(word in line for word in (f"repeated with {before} thread", "cpu Another → ", "packages.torch 1 → "))


def test_artifacts_of_every_track_are_taken_from_a_file_and_checked(run, made, again, ground, tmp_path):
    for name, method in (("a.json", "eap"), ("b.json", "random")):
        run("discover", *ground("tiny_gpt2"), "--method", method, "--out", name)
    record = made("score", "a.json", "--floor-draws", 0)
    Store(tmp_path / "records").artifact(record).unlink()
    assert again()["verdict"] == "cannot"
    assert again("--artifact", "a.json")["verdict"] == "match"
    assert "is not the artifact" in again("--artifact", "b.json")["problem"]["what"]
    assert "nowhere.json" in again("--artifact", "nowhere.json")["problem"]["what"]
    made("run", "--method", "eap", "--floor-draws", 0, out="own")
    assert "takes no artifact" in again("--artifact", "a.json", folder="own")["problem"]["what"]


def test_rescore_after_a_run_keeps_every_byte(run, made, ground, tmp_path):
    made("run", "--method", "eap", "--floor-draws", 0)
    run("run", *ground("tiny_gpt2"), "--method", "eap", "--limit", 6, "--floor-draws", 3, "--out", "records")
    files = {path: path.read_bytes() for path in (tmp_path / "records").rglob("*") if path.is_file()}
    assert run("rescore", "records").status == 0
    assert {path: path.read_bytes() for path in (tmp_path / "records").rglob("*") if path.is_file()} == files
