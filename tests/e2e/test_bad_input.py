"""Bad input: a message of one screen, the right exit status, and nothing written over."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

GOOD = {"clean": [5, 6, 7, 8], "counterfactual": [5, 9, 7, 8], "correct": 11, "incorrect": 12}
TEXT = {"clean": "a b", "counterfactual": "a c", "correct": " x", "incorrect": " y"}


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def write_task(path: Path, *rows: object) -> Path:
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return path


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--task", "ioj"], ["ioj", "Did you mean 'ioi'"]),
        (["--task", "nowhere.jsonl"], ["nowhere.jsonl", "no such file"]),
        (["--model", "smollm2"], ["smollm2", "Did you mean"]),
        (["--model", "no/such/folder"], ["no/such/folder"]),
        (["--method", "eapp"], ["eapp", "Did you mean 'eap'"]),
        (["--method", "nowhere.py:f"], ["nowhere.py"]),
        (["--against", "eapp"], ["eapp", "Did you mean 'eap'"]),
        (["--level", "edges"], ["edges"]),
        (["--level", "node"], ["node"]),
        (["--split", "tst"], ["tst"]),
        (["--ablation", "none"], ["none"]),
        (["--convention", "mibb"], ["mibb"]),
        (["--convention", "saebench"], ["saebench"]),
        (["--dtype", "float8"], ["float8"]),
        (["--device", "tpu:7"], ["tpu:7"]),
        (["--attention", "flash"], ["flash"]),
        (["--batch-size", "0"], ["batch_size", "greater than or equal to 1"]),
        (["--batch-size", "many"], ["batch-size"]),
        (["--limit", "0"], ["limit", "greater than or equal to 1"]),
        (["--train-limit", "-1"], ["train_limit"]),
        (["--seeds", "0"], ["seeds"]),
        (["--floor-draws", "-1"], ["floor_draws"]),
        (["--only", "good"], ["good"]),
        (["--set", "steps"], ["key=value"]),
        (["--set", "ablations=zero"], ["ablations", "Did you mean 'ablation'"]),
        (["--set", "variant=mine"], ["variant"]),
        (["--mehtod", "eap"], ["--method"]),
        (["--out", "a-file/records"], ["a-file"]),
    ],
)
def test_wrong_usage_is_status_2_and_writes_nothing(run, check_message, ground, tmp_path, flags, words):
    (tmp_path / "a-file").write_text("mine")
    base = dict(zip(*[iter([*ground("tiny_gpt2"), "--method", "eap", "--out", "records"])] * 2, strict=True))
    if flags[0] in base:
        del base[flags[0]]
    ran = run("run", *(word for pair in base.items() for word in pair), *flags)
    check_message(ran, 2, *words)
    assert snapshot(tmp_path) == {str(tmp_path / "a-file"): b"mine"}


def test_a_file_where_records_are_to_go_is_refused_before_anything_is_computed(run, check_message, ground, tmp_path):
    (tmp_path / "file").write_text("mine")
    check_message(run("run", *ground("tiny_gpt2"), "--method", "eap", "--out", "file"), 2, "file is a file")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("text", "status", "words"),
    [
        ("taks: ioi\nmethod: eap\n", 2, ["taks", "'task'"]),
        ("task: ioi\nmethod: eap\nlimit: many\n", 2, ["limit", "integer"]),
        ("task: ioi\nmethod: eap\nset: 5\n", 2, ["set", "dictionary"]),
        ("task: ioi\nmethod: [[eap]]\n", 2, ["method", "string"]),
        ("task: ioi\n", 2, ["No method"]),
        ("method: eap\n", 2, ["No task"]),
        ("task: [\n", 1, ["not YAML"]),
        ("task: !!python/object/apply:os.system [touch pwned]\n", 1, ["not YAML"]),
        ("limit: 2024-13-45\n", 1, ["not YAML"]),
        ("[" * 5000, 1, ["not YAML"]),
        ("- task\n", 1, ["not a mapping"]),
        ("", 1, ["not a mapping"]),
    ],
)  # fmt: skip
def test_a_run_file_that_cannot_be_used_says_why(run, check_message, tmp_path, text, status, words):
    (tmp_path / "run.yaml").write_text(text)
    check_message(run("run", "run.yaml"), status, *words)
    assert list(snapshot(tmp_path)) == [str(tmp_path / "run.yaml")]


def test_a_run_file_that_is_not_there(run, check_message):
    check_message(run("run", "nowhere.yaml"), 2, "nowhere.yaml")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], ["no pairs"]),
        (["{not json"], ["line 1", "not JSON"]),
        ([GOOD, "[1, 2]"], ["line 2", "not an object"]),
        ([GOOD | {"counterfactual": [5, 9, 7]}], ["same number"]),
        ([GOOD | {"clean": [5, 6, 7, 101]}], ["101"]),
        ([GOOD | {"correct": 101}], ["101"]),
        ([GOOD | {"incorrect": 11}], ["11"]),
        ([GOOD | {"correct": -1}], ["-1"]),
        ([{key: value for key, value in GOOD.items() if key != "incorrect"}], ["incorrect"]),
        ([TEXT], ["tokenizer"]),
        ([GOOD, TEXT], ["text"]),
        ([GOOD | {"id": "one"}, GOOD | {"id": "one"}], ["id"]),
        ([GOOD | {"metric": "mean"}], ["metric"]),
    ],
)
@pytest.mark.parametrize("command", ["run", "discover"])
def test_a_task_that_cannot_be_used_says_where_and_why(run, check_message, ground, tmp_path, rows, words, command):
    task = write_task(tmp_path / "task.jsonl", *rows)
    model = ground("tiny_gpt2")[:2]
    ran = run(command, *model, "--task", task, "--method", "eap", "--out", "out.json")
    check_message(ran, 2 if words == ["tokenizer"] else 1, *words)
    assert list(snapshot(tmp_path)) == [str(task)]


def broken_config(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def foreign_family(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["BertModel"], "model_type": "bert"}))


def cut_weights(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])


def no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


@pytest.mark.parametrize("damage", [broken_config, foreign_family, cut_weights, no_weights])
def test_a_model_that_cannot_be_used_is_told_once_not_for_every_job(run, check_message, ground, tiny, tmp_path, damage):
    folder = tiny("tiny_gpt2")
    damage(folder)
    ran = run("run", "--model", folder, *ground("tiny_gpt2")[2:], "--method", "eap", "--out", "records")
    check_message(ran, 1)
    assert ran.err.count("error:") == 1
    assert not (tmp_path / "records").exists()


def test_the_other_models_and_tasks_go_on(run, check_message, ground, records, tmp_path):
    model, _, task = ground("tiny_gpt2")[1:]
    bad = write_task(tmp_path / "bad.jsonl", GOOD | {"correct": 101})
    (tmp_path / "empty").mkdir()
    words = ["--model", model, "--model", "empty", "--model", "smollm3", "--task", task, "--task", bad]
    ran = run("run", *words, "--method", "eap", "--floor-draws", 1, "--out", "records", "--json")
    assert ran.status == 1
    assert len(ran.json["records"]) == len(records(tmp_path / "records")) == 2
    assert len(ran.json["problems"]) == 2 + 4 + 4
    text = run("run", *words, "--method", "eap", "--floor-draws", 1, "--out", "records")
    check_message(text, 1, "101", "config.json", "smollm3")
    assert "eap" in text.out


def test_discover_does_not_write_over_a_file(run, check_message, ground, tmp_path):
    (tmp_path / "scores.json").write_text("mine")
    words = ["discover", *ground("tiny_gpt2"), "--method", "eap", "--out", "scores.json"]
    check_message(run(*words), 2, "not overwritten", "--overwrite")
    assert (tmp_path / "scores.json").read_text() == "mine"
    assert run(*words, "--overwrite").status == 0
    assert "edges" in json.loads((tmp_path / "scores.json").read_text())


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--method", "eap", "--method", "random", "--out", "a.json"], ["one method", "2 are given"]),
        (["--out", "a.json"], ["one method", "0 are given"]),
        (["--method", "eap", "--out", "a.xyz"], ["a.xyz"]),
        (["--method", "eap", "--out", "file/a.json"], ["is a file"]),
        (["--method", "eap", "--seeds", "3", "--out", "a.json"], ["--seed"]),
        (["--method", "random", "--seed", "-1", "--out", "a.json"], ["-1"]),
        (["--method", "eap"], ["--out"]),
    ],
)
def test_discover_refuses_wrong_usage(run, check_message, ground, tmp_path, flags, words):
    (tmp_path / "file").write_text("mine")
    check_message(run("discover", *ground("tiny_gpt2"), *flags), 2, *words)
    assert snapshot(tmp_path) == {str(tmp_path / "file"): b"mine"}


def test_a_full_disk_is_told_and_what_was_there_stays(run, check_message, ground, records, tmp_path, monkeypatch):
    words = ["run", *ground("tiny_gpt2"), "--method", "eap", "--floor-draws", 2, "--out", "records"]
    assert run(*words).status == 0
    before = snapshot(tmp_path / "records")

    def full(self, *_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(Path, "write_bytes", full)
        check_message(run(*words, "--only", "all"), 1, "could not be written", "No space left")
        told = run(*words, "--only", "all", "--json")
    assert "No space left" in told.json["error"]["why"]
    assert snapshot(tmp_path / "records") == before
    assert run(*words).status == 0
    shutil.rmtree(tmp_path / "records")


def test_errors_are_json_too_where_json_is_asked_for(run, ground):
    ran = run("run", *ground("tiny_gpt2"), "--method", "eapp", "--json")
    assert ran.status == 2
    assert set(ran.json["error"]) == {"what", "why", "do"}
    assert "eapp" in ran.err


def test_a_process_of_its_own_has_the_same_exit_status_and_message(shell, check_message, ground, tmp_path):
    (tmp_path / "my.py").write_text("def f(view):\n    raise ValueError('a reason')\n")
    ran = shell("run", *ground("tiny_gpt2"), "--method", "my.py:f", "--floor-draws", 0)
    check_message(ran, 1, "ValueError", "a reason")
