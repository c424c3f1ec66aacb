"""The SAE track through the command line, on a tiny network and a small text."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from dictionary_examples import example
from stand_in import write_model, write_rows

from mibench.artifacts.dictionaries.native import load_native, save_dictionary
from mibench.artifacts.dictionary_files import save_dictionary_as
from mibench.records.store import Store

TOPK = ("--method", "topk", "--set", "width=40", "--set", "k=4", "--set", "batch=64")
CONTEXT = 16


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A folder with a model, and one with three documents of words that it knows."""
    folder = tmp_path_factory.mktemp("network")
    rows = write_rows(folder / "rows", 60)
    texts = folder / "texts"
    texts.mkdir()
    for place in range(20):
        (texts / f"{place}.txt").write_text(" ".join(row["prompt"] for row in rows[place * 9 : place * 9 + 9]))
    return write_model(folder / "model", rows), texts


@pytest.fixture
def cell(run, network, monkeypatch, tmp_path):
    """Runs a command on sae-core with that model and text, and a cache of its own."""
    monkeypatch.setenv("MIBENCH_CACHE", str(tmp_path / "cache"))
    model, texts = network

    def call(command, *words, train=("--train-tokens", 1500), hook=("--hook", "residual-post.L1"), limit=12):
        ground = ["--task", "sae-core", "--model", model, "--corpus", texts, "--context", CONTEXT, "--limit", limit]
        return run(command, *words, *ground, *train, *hook)

    return call


def records_of(ran):
    assert ran.status == 0, ran.err + ran.out
    return ran.json["records"]


def numbers(record):
    return {name: found["value"] for name, found in record["metrics"].items()}


def test_a_method_trains_a_dictionary_and_it_is_scored(cell):
    (record,) = records_of(cell("run", *TOPK, "--split", "test", "--json"))
    assert record["status"] == "ok"
    assert 0 < record["metrics"]["l0"]["value"] <= 4
    assert record["metrics"]["explained_variance_global"]["value"] < 1
    assert record["dictionary"]["d_sae"] == 40
    assert record["cell"]["dictionary"]["hook"] == "residual-post.L1"
    assert record["cell"]["task"]["train_limit"] >= 1500


def test_a_dry_run_finds_the_records_of_a_run_though_contexts_of_a_text_are_whole(cell):
    (record,) = records_of(cell("run", *TOPK, "--split", "test", "--json"))
    assert record["cell"]["task"]["train_limit"] % 1500
    more = record["cell"]["task"]["train_limit"] + 1
    asked = [{}, {"train": ("--train-tokens", more)}, {"train": ("--train-tokens", 1480)}, {"limit": 13}, {"limit": 11}]
    found = [cell("run", *TOPK, "--split", "test", "--dry-run", "--json", **one) for one in asked]
    assert [one.json["total"]["jobs_reused"] for one in found] == [1, 0, 0, 0, 0]


def test_a_record_of_a_tiny_run_is_reproduced(cell, run, network):
    (record,) = records_of(cell("run", *TOPK, "--split", "test", "--out", "records", "--tiny", "--json"))
    assert record["board"] == "tiny"
    again = run("reproduce", "records-tiny", "--model", network[0], "--out", "again", "--json")
    assert again.status == 0, again.err + again.out
    (repeat,) = Store(Path("again")).query()
    assert repeat.board == "tiny"


def test_the_constant_mean_explains_no_variance_and_the_identity_all(cell):
    words = ("--method", "mean-dictionary", "--method", "identity", "--split", "test", "--json")
    mean, identity = records_of(cell("run", *words))
    # Its mean is that of the training text, not of the evaluated one.
    assert abs(numbers(mean)["explained_variance_global"]) < 0.05
    assert numbers(identity)["explained_variance_global"] == pytest.approx(1, abs=1e-9)
    assert numbers(identity)["kl_spliced"] == pytest.approx(0, abs=1e-6)


def test_a_dictionary_is_trained_once_for_several_cells(cell, tmp_path):
    (first,) = records_of(cell("run", *TOPK, "--split", "validation", "--json"))
    folder = tmp_path / "cache" / "dictionaries"
    (kept,) = folder.glob("*.safetensors")
    assert {one.suffix for one in folder.iterdir() if one.is_file()} == {".safetensors", ".json"}
    made = kept.stat().st_mtime_ns
    (second,) = records_of(cell("run", *TOPK, "--split", "test", "--json"))
    assert kept.stat().st_mtime_ns == made
    assert first["dictionary"] == second["dictionary"]
    assert second["volatile"]["discovery"] == first["volatile"]["discovery"]


def test_a_kept_dictionary_that_is_not_what_was_written_is_made_again(cell, tmp_path):
    (first,) = records_of(cell("run", *TOPK, "--split", "validation", "--json"))
    (kept,) = (tmp_path / "cache" / "dictionaries").glob("*.safetensors")
    damaged = bytearray(kept.read_bytes())
    damaged[-5] ^= 1
    kept.write_bytes(bytes(damaged))
    (second,) = records_of(cell("run", *TOPK, "--split", "test", "--json"))
    assert second["dictionary"] == first["dictionary"]
    assert load_native(kept).digest == first["dictionary"]["sha256"]


def test_a_dictionary_that_was_discovered_scores_as_its_method_does(cell):
    (own,) = records_of(cell("run", *TOPK, "--split", "test", "--json"))
    assert cell("discover", *TOPK, "--out", "made.safetensors").status == 0
    (scored,) = records_of(cell("score", "made.safetensors", "--split", "test", "--json", train=()))
    assert scored["cell"]["method"]["artifact_digest"] == load_native("made.safetensors").digest
    assert numbers(scored) == numbers(own)


def test_kept_and_streamed_activations_give_the_same_numbers_one_by_one_and_together(cell):
    for k in (2, 4):
        words = ("--method", "topk", "--set", "width=40", "--set", f"k={k}", "--set", "batch=64")
        assert cell("discover", *words, "--out", f"{k}.safetensors").status == 0
    words = ("2.safetensors", "4.safetensors", "--split", "test", "--json")
    kept = records_of(cell("score", *words, "--out", "kept", train=()))
    streamed = records_of(cell("score", *words, "--storage", "none", "--out", "streamed", train=()))
    assert [numbers(one) for one in kept] == [numbers(one) for one in streamed]
    assert [one["cell"] for one in kept] == [one["cell"] for one in streamed]


def test_a_sweep_gives_a_record_for_each_variant(cell):
    words = ("--method", "topk", "--set", "width=40", "--set", "batch=64", "--sweep", "{topk: [{k: 2}, {k: 4}]}")
    found = records_of(cell("run", *words, "--json"))
    assert [one["cell"]["method"]["params"]["k"] for one in found] == [2, 4]


def test_a_foreign_file_gives_the_same_numbers(cell, run):
    assert cell("discover", *TOPK, "--out", "made.safetensors").status == 0
    assert run("convert", "made.safetensors", "foreign", "--to", "saelens").status == 0
    (own,) = records_of(cell("score", "made.safetensors", "--out", "own", "--json", train=()))
    (foreign,) = records_of(cell("score", "foreign", "--out", "foreign-records", "--json", train=()))
    assert numbers(foreign)["explained_variance_global"] == pytest.approx(
        numbers(own)["explained_variance_global"], abs=1e-6
    )


def test_a_place_that_reconstructs_what_it_reads_has_one_id_however_it_is_written(cell):
    words = ("--method", "identity", "--split", "test", "--json")
    plain, arrow = (
        records_of(cell("run", *words, "--hook", hook, "--out", out))[0]
        for hook, out in (("residual-post.L1", "one"), ("residual-post.L1->residual-post.L1", "two"))
    )
    assert arrow["cell"] == plain["cell"]
    assert arrow["cell"]["dictionary"]["output"] is None


def test_another_training_text_of_the_null_is_another_cell_and_too_little_of_it_no_failure(run, network, tmp_path):
    save_dictionary(example("topk", d_in=16, d_sae=24, model=""), tmp_path / "d.safetensors")
    rows = write_rows(tmp_path / "rows", 60)
    text = tmp_path / "t.txt"

    def scored(documents, out):
        text.write_text("\f".join(documents))
        ground = ["--task", "sae-probing", "--model", network[0], "--corpus", text, "--context", CONTEXT]
        words = ("--hook", "residual-post.L1", "--limit", 4, "--json", "--out", out)
        (record,) = records_of(run("score", "d.safetensors", *ground, *words))
        return record

    prompts = [row["prompt"] for row in rows]
    first, second, few = scored(prompts, "a"), scored(prompts[::-1][:140], "b"), scored(prompts[:3], "c")
    digests = {one["cell"]["task"]["digest"] for one in (first, second, few)}
    assert len(digests) == 3
    assert first["metrics"]["probe_gap_frozen_k1"]["value"] is not None
    assert few["status"] == "ok"
    assert few["metrics"]["probe_gap_frozen_k1"]["value"] is None
    assert "a step takes 512 tokens" in few["metrics"]["probe_gap_frozen_k1"]["reason"]


def test_artifacts_of_a_run_are_found_in_a_folder(cell):
    assert cell("discover", *TOPK, "--out", "many/a.safetensors").status == 0
    (record,) = records_of(cell("run", "--artifact", "many/*.safetensors", "--split", "test", "--json", train=()))
    assert record["cell"]["method"]["name"] == "topk"


def test_a_folder_of_files_stands_for_the_dictionaries_in_it(cell):
    assert cell("discover", *TOPK, "--out", "many/a.safetensors").status == 0
    (record,) = records_of(cell("run", "--artifact", "many", "--split", "test", "--json", train=()))
    assert record["cell"]["method"]["name"] == "topk"


@pytest.fixture
def broken(tmp_path):
    """Files and folders that are no dictionaries, by what is wrong."""
    save_dictionary(example("topk"), tmp_path / "whole.safetensors")
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "whole.safetensors").read_bytes()[:-100])
    (tmp_path / "pickle.pt").write_bytes(b"\x80\x04K\x01.")
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "sae_weights.safetensors").write_bytes(b"weights without cfg.json")
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "notes.txt").write_text("nothing")
    return tmp_path


@pytest.mark.parametrize("name", ["cut.safetensors", "pickle.pt", "bare", "plain", "missing.safetensors"])
@pytest.mark.parametrize("command", [("score",), ("run", "--artifact")])
def test_a_broken_file_is_spoken_of_as_a_dictionary(cell, broken, name, command):
    ran = cell(*command, name, train=(), hook=())
    assert ran.status in {1, 2}
    assert "dictionary" in ran.err
    assert not any(word in ran.err for word in ("circuit", "edge", "Traceback", "pydantic"))


def test_a_file_that_does_not_say_where_it_reads_is_pointed_to_the_option(cell, tmp_path):
    save_dictionary_as(example("jumprelu", d_in=16), tmp_path / "params.npz", "gemma-scope")
    ran = cell("score", "params.npz", train=(), hook=())
    assert ran.status == 1
    assert "--hook residual-post.L" in ran.err
    assert cell("score", "params.npz", train=()).status == 0


def test_one_bad_file_does_not_stop_the_others(cell, broken):
    assert cell("discover", *TOPK, "--out", "good.safetensors").status == 0
    ran = cell("score", "cut.safetensors", "good.safetensors", "--json", train=(), hook=())
    assert ran.status == 1
    assert [one["status"] for one in ran.json["records"]] == ["ok"]
    (problem,) = ran.json["problems"]
    assert problem["job"].startswith("cut.safetensors")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"d_in": 5}, "as wide"),
        ({}, "is not for"),
    ],
)
def test_a_dictionary_of_another_model_is_refused(cell, changes, words, tmp_path):
    save_dictionary(example("topk", **{"d_in": 12, "d_sae": 24} | changes), tmp_path / "other.safetensors")
    ran = cell("score", "other.safetensors", train=())
    assert ran.status == 1
    assert "Traceback" not in ran.err


def test_an_l0_that_is_not_that_of_the_training_log_is_said(cell, tmp_path):
    assert cell("discover", *TOPK, "--out", "made.safetensors").status == 0
    (record,) = records_of(cell("score", "made.safetensors", "--json", train=()))
    assert numbers(record)["l0_to_log"] == pytest.approx(1, abs=0.5)


def test_a_dry_run_says_what_activations_take_and_keeps_none(cell, tmp_path):
    ran = cell("run", *TOPK, "--dry-run", "--json")
    stores = json.loads(ran.out)["activations"]
    assert {one["tokens"] for one in stores} == {1500, 12 * CONTEXT}
    assert all(one["bytes"] > 0 for one in stores)
    assert not (tmp_path / "cache" / "activations").exists()


def test_a_dry_run_says_how_many_tokens_methods_train_on_and_what_it_leaves_out(cell):
    ran = cell("run", *TOPK, "--dry-run")
    assert "1,500" in ran.out
    assert "Their time is that of computing activations alone." in ran.out
    assert "Time of 1 job" in ran.out
    assert "0.00" not in ran.out


def test_a_dry_run_of_files_goes_by_the_places_that_they_name_and_says_which_are_refused(cell, broken):
    for layer in (0, 1):
        save_dictionary(example("topk", d_in=16, model="", layer=layer), broken / f"{layer}.safetensors")
    save_dictionary(example("topk", d_in=5, model=""), broken / "narrow.safetensors")
    save_dictionary(example("topk", d_in=16, model="gpt2"), broken / "other.safetensors")
    assert cell("discover", *TOPK, "--out", "made.safetensors").status == 0
    assert cell("score", "made.safetensors", "--dry-run", "--json", train=(), hook=()).json["refused"] == []
    files = ("0.safetensors", "1.safetensors", "cut.safetensors", "narrow.safetensors", "other.safetensors")
    ran = cell("score", *files, "--dry-run", "--json", train=(), hook=())
    assert [one["hook"] for one in ran.json["activations"]] == ["residual-post.L0", "residual-post.L1"]
    assert {one["artifact"] for one in ran.json["refused"]} == set(files[2:])
    shown = cell("score", *files, "--dry-run", train=(), hook=())
    assert "half-way up" not in shown.out
    assert "would be refused: other.safetensors" in shown.out


def test_a_dry_run_keeps_its_columns_where_some_jobs_have_no_hook(run, network, tmp_path):
    cells = [{"task": "sae-synthetic-toy", "model": "none"}, {"task": "sae-core", "model": str(network[0])}]
    (tmp_path / "run.yaml").write_text(json.dumps({"method": "identity", "cells": cells, "corpus": str(network[1])}))
    ran = run("run", "run.yaml", "--dry-run", "--json")
    assert [one["hook"] for one in ran.json["jobs"]] == ["", "half-way up"]


@pytest.mark.parametrize("words", [("--hook", "residual-post.L1"), ("--model", "smollm2-135m")])
def test_places_mean_nothing_where_data_are_generated_and_are_refused(run, words):
    save_dictionary(example("topk", model="sae-synthetic-toy", layer=0), Path("a.safetensors"))
    method = ("--method", "random-dictionary")
    for command in (("run", *method), ("discover", *method, "--out", "b.safetensors"), ("score", "a.safetensors")):
        ran = run(*command, "--task", "sae-synthetic-toy", *words)
        assert ran.status == 2
        assert "are generated: there is no model" in ran.err


def test_a_dictionary_of_generated_data_says_so_and_is_for_a_task_not_a_model(run, cell):
    words = ("--task", "sae-synthetic-toy", "--method", "random-dictionary", "--set", "width=8", "--set", "k=2")
    ran = run("discover", *words, "--out", "toy.safetensors")
    assert "at sae-synthetic-toy (generated)" in ran.out
    ran = run("convert", "toy.safetensors", "copy.safetensors", "--to", "native")
    assert "8 latents at sae-synthetic-toy (generated)." in ran.out
    ran = cell("score", "toy.safetensors", train=(), hook=())
    assert ran.status == 1
    assert "Use --task sae-synthetic-toy" in ran.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--method", "topk", "--set", "width=8", "--set", "k=9"), "9 latents of a token cannot be kept"),
        (("--method", "relu", "--set", "width=8", "--set", "l0=5"), "An L0 of 5 cannot be aimed at"),
        (("--method", "topk", "--sweep", "{topk: [{k: 2}, {width: 8, k: 9}]}"), "cannot be kept"),
        (("--method", "identity", "--hook", "residual-post.L0,residual-post.L99"), "no hook point 'residual-post.L99'"),
        (("--method", "identity", "--hook", "residual-post.L0,nowhere.L1"), "not the name of a hook point"),
        (("--method", "identity", "--out", "/proc/records"), "cannot be written to"),
        (("--method", "identity", "--task", "ioi"), "ioi is no task of the sae track"),
    ],
)
def test_a_wrong_command_is_found_before_anything_runs(cell, words, said, tmp_path):
    words = (*words, "--set", "batch=64") if "--sweep" in words else words
    hook = () if "--hook" in words else ("--hook", "residual-post.L1")
    ran = cell("run", *words, hook=hook)
    assert ran.status == 2, ran.err
    assert said in " ".join(ran.err.split())
    assert not (tmp_path / "cache").exists()


def test_several_values_of_a_parameter_are_pointed_to_the_sweep(run):
    ran = run("run", "--task", "sae-core", "--method", "topk", "--set", "k=16", "--set", "k=32")
    assert ran.status == 2
    assert "--sweep '{METHOD: [{k: 16}, {k: 32}]}'" in " ".join(ran.err.split())


def test_a_dictionary_from_the_cache_costs_what_its_training_did(cell, monkeypatch):
    assert cell("discover", *TOPK, "--out", "first.safetensors").status == 0
    (note,) = Path(os.environ["MIBENCH_CACHE"], "dictionaries").glob("*.note.json")
    content = json.loads(note.read_text())
    content["cost"]["seconds"] = 123.0
    note.write_text(json.dumps(content))
    again = cell("discover", *TOPK, "--out", "second.safetensors")
    assert "; 123.0 s" in again.out


def test_a_task_of_another_track_than_the_methods_is_named_as_such(run):
    ran = run("run", "--task", "sae-core", "--method", "eap")
    assert ran.status == 2
    assert "sae-core is no task of the circuit track" in ran.err


def test_numbers_that_are_not_there_are_missed_aloud_and_records_say_what_tells_them_apart(cell, run):
    sweep = ("--method", "topk", "--set", "width=40", "--set", "batch=64", "--sweep", "{topk: [{k: 2}, {k: 4}]}")
    shown = cell("run", *sweep, limit=1).out
    assert "note: no interval: 1 example cannot be resampled (L0, explained variance, of ordinary tokens)" in shown
    assert "(CE recovered, mean ablation)" in shown
    first, second = run("list", "records", "--json").json
    assert {first["parameters"], second["parameters"]} == {"batch=64, k=2, width=40", "batch=64, k=4, width=40"}
    assert (first["hook"], first["seed"]) == ("residual-post.L1", 0)
    assert "variable" not in run("list", "records").out
    shown = " ".join(run("show", first["id"]).out.replace("│", " ").split())
    (record,) = run("show", first["id"], "--json").json
    digest = record["dictionary"]["sha256"][:12]
    for words in (
        "residual-post.L1, ",
        "contexts of 16 tokens",
        "topk, 40 latents of 16 entries",
        "1,472 tokens",
        digest,
    ):
        assert words in shown


def test_tables_hold_what_the_metrics_are_computed_from(cell):
    records_of(cell("run", *TOPK, "--json"))
    store = Store("mibench-records")
    (record,) = store.query()
    latents = store.table(record, "latents")
    assert len(latents) == 40
    contexts = store.table(record, "contexts")
    assert np.isclose(latents["active"].sum() / contexts["tokens"].sum(), record.metrics["l0"].value)


def test_the_latents_of_a_dictionary_come_back_in_itself_and_hardly_in_a_random_one(cell, run, tmp_path):
    for seed in (0, 1):
        save_dictionary(example("topk", d_in=30, d_sae=40, seed=seed), tmp_path / f"{seed}.safetensors")
    same = run("stability", "0.safetensors", "0.safetensors", "--json").json
    assert same["latents_shared_decoder"]["value"] == 1
    assert same["notes"] == ["0.safetensors, 0.safetensors are one dictionary, which agrees with itself"]
    other = run("stability", "0.safetensors", "1.safetensors", "--json").json
    assert abs(other["latents_similarity_decoder"]["value"] - other["latents_similarity_decoder"]["floor"]) < 0.05
    assert other["notes"] == []


def test_the_stability_of_a_method_is_that_of_its_seeds(run, network, monkeypatch, tmp_path):
    monkeypatch.setenv("MIBENCH_CACHE", str(tmp_path / "cache"))
    ground = ["--task", "sae-core", "--model", network[0], "--corpus", network[1], "--context", CONTEXT]
    words = ("--hook", "residual-post.L1", "--train-tokens", 1500, "--limit", 4, "--seeds", 2, "--json")
    found = run("stability", *TOPK, *ground, *words).json
    assert 0 <= found["latents_shared_decoder"]["value"] < 1


@pytest.mark.parametrize(
    "words",
    [
        ("--corpus", "nothing"),
        ("--hook", "residual-post.L99"),
        ("--hook", "nowhere.L1"),
        ("--convention", "mib"),
        ("--level", "node"),
        ("--against", "identity"),
    ],
)
def test_what_cannot_be_is_refused_without_a_traceback(run, network, words, monkeypatch, tmp_path):
    monkeypatch.setenv("MIBENCH_CACHE", str(tmp_path / "cache"))
    model, texts = network
    ground = ["--task", "sae-core", "--model", model, "--corpus", texts, "--context", CONTEXT, "--limit", 12]
    ran = run("run", "--method", "identity", *ground, *words)
    assert ran.status in {1, 2}
    assert "Traceback" not in ran.err
    assert "why" in ran.err.lower() or ":" in ran.err
