from __future__ import annotations

from pathlib import Path

import click
import pytest
import yaml

from mibench.cli.main import COMMANDS
from mibench.cli.options import given, parameters
from mibench.cli.run import command
from mibench.core.errors import DataError, UsageError
from mibench.core.specs import Ablation, Convention, Level
from mibench.runner.settings import RunSettings, read_run_file, run_settings

OF_THE_COMMAND_ITSELF = {"run_file", "dry_run", "as_json"}
SOME = {
    "task": ["a", "b"], "model": ["m"], "method": ["x"], "against": ["y", "z"], "set": {"steps": 5},
    "level": "node", "split": "test", "limit": 3, "train_limit": 4, "seeds": 2, "convention": "mib",
    "ablation": "zero", "device": "cuda", "dtype": "float64", "attention": "eager", "batch_size": 7,
    "floor_draws": 1, "only": "all", "out": "there", "executor": "serial",
    "cells": [{"task": "a", "model": "m", "limit": 9}, {"task": "b", "model": "m"}], "extras": ["minimality"],
    "padded": True, "batch_tokens": 99, "variable": ["u", "v+w"], "component": "head", "position": ["last"],
    "layer": [3, 4], "heads": ["7.3"], "hook": ["residual-post.L3"], "corpus": "text.txt", "context": 64, "bos": True,
    "train_tokens": 900, "storage": "none", "sweep": {"topk": [{"k": 2}]}, "artifact": ["a.safetensors"],
    "baseline": "published", "workers": 3, "devices": ["cpu", "meta"], "scheduler": {"partition": "gpu"},
    "time_limit": 9.5, "tiny": True,
}  # fmt: skip

WORDS = {"set": "steps=5", "scheduler": "partition=gpu"}


def options() -> dict[str, click.Parameter]:
    return {str(one.name).rstrip("_"): one for one in command.params}


def test_every_flag_is_a_key_of_the_run_file_and_the_other_way_round():
    assert set(options()) - OF_THE_COMMAND_ITSELF == set(RunSettings.model_fields)


@pytest.mark.parametrize("name", RunSettings.model_fields)
def test_a_flag_is_the_key_with_hyphens(name):
    assert f"--{name.replace('_', '-')}" in options()[name].opts


@pytest.mark.parametrize("name", RunSettings.model_fields)
def test_the_help_of_a_flag_tells_the_default_of_the_key(name):
    default = RunSettings.model_fields[name].get_default(call_default_factory=True)
    text = str(getattr(options()[name], "help", ""))
    if isinstance(default, str | int | Path) and name != "model":
        assert f"[default: {getattr(default, 'value', default)}]" in text


def test_lists_may_repeat_and_choices_are_the_same_in_both():
    listed = {name for name, field in RunSettings.model_fields.items() if str(field.annotation).startswith("list")}
    assert {name for name, one in options().items() if getattr(one, "multiple", False)} == listed | {"set", "scheduler"}
    for name, values in (("level", Level), ("ablation", Ablation), ("convention", Convention)):
        assert list(options()[name].type.choices) == [value.value for value in values]


def test_all_flags_and_a_file_of_all_keys_give_the_same_settings(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump({key.replace("_", "-"): value for key, value in SOME.items()}))
    from_file = run_settings(read_run_file(file))
    words = []
    for key, value in SOME.items():
        for one in value if isinstance(value, list) else [value]:
            words += [f"--{key.replace('_', '-')}", *([] if one is True else [WORDS.get(key, str(one))])]
    context = command.make_context("run", words)
    flags = {key: value for key, value in context.params.items() if key not in OF_THE_COMMAND_ITSELF}
    assert run_settings(given(flags)) == from_file
    assert set(SOME) == set(RunSettings.model_fields)


def test_flags_that_are_not_given_leave_the_file_alone():
    context = command.make_context("run", [])
    assert given({key: value for key, value in context.params.items() if key not in OF_THE_COMMAND_ITSELF}) == {}


def test_parameters_are_split_at_the_first_equals_sign():
    assert parameters(["a=b=c", "x.y= 3 "]) == {"a": "b=c", "x.y": 3}


@pytest.mark.parametrize("texts", [["steps"], ["=5"], ["steps=5", "steps=6"], ["steps=5", "steps =6"]])
def test_parameters_that_cannot_be_used_are_refused(texts):
    with pytest.raises(UsageError):
        parameters(texts)


def test_one_name_may_stand_for_a_list():
    assert run_settings({"task": "ioi", "method": "eap"}).task == ["ioi"]


def test_the_train_limit_is_the_limit_unless_it_is_given():
    assert run_settings({"task": "ioi", "limit": 5}).train_examples == 5
    assert run_settings({"task": "ioi", "limit": 5, "train_limit": 2}).train_examples == 2
    assert run_settings({"task": "ioi"}).train_examples is None


def test_the_shipped_run_files_are_found_by_their_names():
    assert run_settings(read_run_file("demo")).methods == ["random", "eap", "eap-ig-inputs"]
    assert len(run_settings(read_run_file("mib_circuit")).cells) == 13


TINY = Path(__file__).parents[2] / "golden" / "tiny_gpt2"
CELLS = f"""
method: eap
floor_draws: 0
out: records
cells:
  - {{task: "{TINY}/pairs_A.jsonl", model: "{TINY}", limit: 4, by_method: {{eap: {{train-limit: 3}}}}}}
  - {{task: "{TINY}/pairs_A.jsonl", model: interpbench, limit: 4}}
"""


@pytest.fixture
def of_cells(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.yaml").write_text(CELLS)
    return ["run", "run.yaml"]


def test_a_dry_run_tells_what_each_cell_needs_and_what_would_be_skipped(run, of_cells, tmp_path):
    ran = run(*of_cells, "--dry-run")
    assert ran.status == 0
    assert "2 cells" in ran.out
    assert "2 jobs" in ran.out
    assert "would be skipped" in ran.out
    assert "not been converted here" in " ".join(ran.err.split())
    first, second = run(*of_cells, "--dry-run", "--json").json["jobs"]
    assert (first["skip"], first["weights"], first["examples"], first["training"]) == (
        None, "folder", "first 4", "first 3",
    )  # fmt: skip
    assert "converted" in second["skip"]["why"]
    assert [path.name for path in tmp_path.iterdir()] == ["run.yaml"]


def test_a_run_of_cells_skips_what_cannot_be_had_and_says_why(run, of_cells):
    ran = run(*of_cells)
    assert ran.status == 0
    assert "interpbench: skipped" in ran.err
    assert "skipped: eap" in ran.err
    assert "not been converted here" in " ".join(ran.err.split())
    assert run(*of_cells, "--model", "interpbench").status == 1


def test_flags_go_over_what_cells_say_and_choose_among_them(run, of_cells):
    words = ["--limit", 2, "--train-limit", 5, "--model", TINY, "--dry-run", "--json"]
    (row,) = run(*of_cells, *words).json["jobs"]
    assert (row["examples"], row["training"]) == ("first 2", "first 5")
    assert run(*of_cells, "--model", "gpt2").status == 2


def test_cells_may_be_given_as_flags(run, of_cells):
    one = f"{{task: {TINY}/pairs_A.jsonl, model: {TINY}, train_limit: 2}}"
    (row,) = run("run", "--cell", one, "--method", "eap", "--floor-draws", 0, "--dry-run", "--json").json["jobs"]
    assert (row["model"], row["training"]) == (str(TINY), "first 2")
    for wrong in ("{task: ioi}", "ioi", "["):
        assert run("run", "--cell", wrong, "--method", "eap").status == 2


def test_extras_may_be_asked_for_by_a_flag(run, of_cells):
    ran = run(*of_cells, "--model", TINY, "--extra", "minimality", "--json")
    assert "minimality" in ran.json["records"][0]["tables"]


def test_a_model_that_was_loaded_in_two_ways_is_named_with_them(run, of_cells):
    words = ["--method", "eap", "--floor-draws", 0, "--dtype", "float64"]
    cells = [f"{{task: {TINY}/pairs_A.jsonl, model: {TINY}, attention: {kernel}}}" for kernel in ("eager", "sdpa")]
    ran = run("run", "--cell", cells[0], "--cell", cells[1], *words)
    assert ran.status == 0
    assert "local:tiny_gpt2, float64, eager" in ran.out
    assert "local:tiny_gpt2, float64, sdpa" in ran.out


def test_a_run_without_a_task_says_how_to_give_one(run):
    ran = run("run", "--method", "eap")
    assert ran.status == 2
    assert "--task" in ran.err


@pytest.mark.parametrize("name", ["run", "discover", "score"])
def test_the_help_starts_with_a_line_and_ends_with_an_example(run, name):
    text = run(name, "--help")
    assert text.status == 0
    assert f"mibench {name}" in text.out.split("Example:")[1]
    assert name in COMMANDS


@pytest.mark.parametrize("text", ["5", "0.5", "true", "null", "[1, 2]", "zero", "'5'", "1e-3", "0x10"])
def test_a_parameter_means_the_same_as_a_flag_and_in_a_file(tmp_path, text):
    file = tmp_path / "run.yaml"
    file.write_text(f"set:\n  k: {text}\n")
    assert parameters([f"k={text}"]) == read_run_file(file)["set"]


@pytest.mark.parametrize("text", ["", "[", "a: b: c", "2024-13-45", "2024-01-02", "@x"])
def test_a_parameter_that_is_no_value_is_a_text(text):
    assert parameters([f"k={text}"]) == {"k": text}


@pytest.mark.parametrize("key", ["limit", "train-limit", "seeds", "batch_size", "floor_draws"])
@pytest.mark.parametrize("value", ["yes", "2.0", "'2'"])
def test_counts_of_a_run_file_are_whole_numbers_only(tmp_path, key, value):
    file = tmp_path / "run.yaml"
    file.write_text(f"task: ioi\n{key}: {value}\n")
    with pytest.raises(UsageError, match="does not fit"):
        run_settings(read_run_file(file))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("limit: 1\nlimit: 2\n", "'limit' stands twice"),
        ("train-limit: 1\ntrain_limit: 2\n", "one key"),
        ("set: {k: 1, k: 2}\n", "'k' stands twice"),
    ],
)
def test_a_run_file_that_says_a_thing_twice_is_refused(tmp_path, text, word):
    file = tmp_path / "run.yaml"
    file.write_text(text)
    with pytest.raises(DataError) as caught:
        read_run_file(file)
    assert word in caught.value.why


def test_the_file_name_of_a_shipped_run_gets_a_hint(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        read_run_file("demo.yaml")
    assert caught.value.do == "mibench run demo"


LONG = "x" * 300


@pytest.mark.parametrize(
    "words",
    [
        ["run", "--task", LONG, "--method", "eap"],
        ["run", "--task", f"{LONG}.jsonl", "--method", "eap"],
        ["run", f"{LONG}.yaml"],
        ["run", "--task", "ioi", "--method", "eap", "--out", LONG],
        ["run", "--task", "ioi", "--method", f"{LONG}.py:f"],
        ["run", "--task", "ioi", "--model", LONG, "--method", "eap", "--out", "records"],
        ["run", "--task", "ioi", "--model", "~nobody-of-this-name/m", "--method", "eap", "--out", "records"],
        ["discover", "--task", "ioi", "--model", "gpt2", "--method", "eap", "--out", f"{LONG}.json"],
        ["score", f"{LONG}.json", "--task", "ioi"],
        ["convert", f"{LONG}.json", "b.json"],
        ["show", LONG],
        ["show", "abcd", "--records", LONG],
        ["compare", LONG],
        ["leaderboard", "build", "--out", LONG],
        ["leaderboard", "build", LONG],
        ["tasks", "export", "-T", "ioi", "-M", "~nobody-of-this-name/m", "--out", "a.jsonl"],
        ["tasks", "export", "-T", "ioi", "-M", "gpt2", "--out", f"{LONG}.jsonl"],
    ],
)  # fmt: skip
def test_a_name_that_no_file_can_have_is_wrong_usage(run, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    ran = run(*words)
    assert ran.status == 2
    assert "why:" in ran.err
    assert not list(tmp_path.iterdir())


def test_a_run_file_with_a_null_in_a_name_is_wrong_usage(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text('task: ioi\nout: "a\\0b"\n')
    with pytest.raises(UsageError, match="name of a file"):
        run_settings(read_run_file(file))
