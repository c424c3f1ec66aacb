"""`mibench run`: the same numbers whenever and however often, and records that say how they came about."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

import pytest

from mibench.records.encode import stable_bytes
from mibench.records.store import Store
from mibench.runner.cells.work import TOLERANCE

METHODS = ["--method", "eap", "--method", "eap-ig-inputs", "--set", "steps=3"]
SPREAD = "def spread(view, *, power: float = 1.0):\n    return view.scores(abs(view.attribute()) ** power)\n"


def measured(record):
    """The metrics that have a number; what was not asked for has none."""
    found = {name: metric for name, metric in record.metrics.items() if metric.value is not None}
    assert {"cmd", "distance_absolute", "accuracy_area_signed", "kl_area_absolute"} <= set(found)
    return found


def files(folder: Path) -> dict[str, bytes]:
    """All files but records and logs, by their place."""
    found = [path for path in folder.rglob("*") if path.is_file() and path.suffix not in {".json", ".jsonl"}]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@pytest.mark.parametrize("name", ["tiny_gpt2", "tiny_llama"])
def test_the_same_command_twice_gives_the_same_bytes(run, shell, ground, records, tmp_path, name):
    words = ["run", *ground(name, "B"), *METHODS, "--split", "test", "--floor-draws", 2]
    assert run(*words, "--out", tmp_path / "one").status == 0
    again = shell if name == "tiny_gpt2" else run
    assert again(*words, "--out", tmp_path / "two").status == 0
    one, two = records(tmp_path / "one"), records(tmp_path / "two")
    assert len(one) == 4
    assert {key: stable_bytes(value) for key, value in one.items()} == {
        key: stable_bytes(value) for key, value in two.items()
    }
    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert len(files(tmp_path / "one")) == 3 * 4


@pytest.mark.parametrize("which", ["A", "B"])
def test_the_batch_size_moves_numbers_within_the_declared_tolerance_and_no_name(run, ground, records, tmp_path, which):
    sizes = (1, 5, 25)
    for size in sizes:
        words = [*ground("tiny_llama", which), *METHODS, "--batch-size", size, "--floor-draws", 1]
        assert run("run", *words, "--out", tmp_path / str(size)).status == 0
    first, *others = [records(tmp_path / str(size)) for size in sizes]
    for size, other in zip(sizes[1:], others, strict=True):
        assert list(other) == list(first)
        for key, record in first.items():
            assert other[key].volatile.provenance.batch_size == size
            assert record.volatile.provenance.tolerance == TOLERANCE
            for name, metric in measured(record).items():
                limit = TOLERANCE * max(1.0, abs(metric.value))
                assert abs(other[key].metrics[name].value - metric.value) <= limit


def test_a_parameter_as_text_or_number_or_default_names_one_cell(run, ground, records, tmp_path):
    (tmp_path / "run.yaml").write_text("method: eap-ig-inputs\nset: {steps: 5}\nfloor-draws: 0\nout: records\n")
    words = ["run", *ground("tiny_gpt2"), "--method", "eap-ig-inputs", "--floor-draws", 0, "--out", "records"]
    assert run(*words, "--set", "steps=5", "--set", "ablation=counterfactual").status == 0
    assert "from the store" in run(*words).err
    assert "from the store" in run("run", "run.yaml", *ground("tiny_gpt2")).err
    assert len(records(tmp_path / "records")) == 1


def test_set_adds_to_the_parameters_of_the_run_file(run, ground, records, tmp_path):
    (tmp_path / "run.yaml").write_text("method: eap-ig-inputs\nset: {steps: 5, rule: right}\nfloor_draws: 0\n")
    assert run("run", "run.yaml", *ground("tiny_gpt2"), "--set", "steps=2").status == 0
    (record,) = records(tmp_path / "mibench-records").values()
    assert (record.cell.method.params["steps"], record.cell.method.params["rule"]) == (2, "right")


def test_the_floor_is_the_mean_of_the_random_records_of_the_same_ground(run, ground, records, tmp_path):
    for which in ("A", "B"):
        assert run("run", *ground("tiny_gpt2", which), *METHODS, "--out", "records").status == 0
    found = list(records(tmp_path / "records").values())
    for own in (record for record in found if record.cell.method.name != "random"):
        draws = [r for r in found if r.cell.method.name == "random" and r.cell.task.name == own.cell.task.name]
        assert [draw.cell.method.seed is not None for draw in draws] == [True] * 5
        for name, metric in measured(own).items():
            assert metric.floor == pytest.approx(fmean(draw.metrics[name].value for draw in draws), abs=1e-12)
        assert all(metric.floor is None for draw in draws for metric in draw.metrics.values())


def test_the_floor_does_not_depend_on_what_else_the_store_holds(run, ground, records, tmp_path):
    (tmp_path / "my.py").write_text("def random(view):\n    return view.scores(view.attribute())\n")
    fresh, used = tmp_path / "fresh", tmp_path / "used"
    run("run", *ground("tiny_gpt2"), "--method", "random", "--seeds", 7, "--out", used)
    run("run", *ground("tiny_gpt2"), "--method", "my.py:random", "--out", used)
    for out in (fresh, used):
        run("run", *ground("tiny_gpt2"), "--method", "eap", "--out", out)
    for key, record in records(fresh).items():
        assert stable_bytes(record) == stable_bytes(records(used)[key])
    run("run", *ground("tiny_gpt2"), "--method", "eap", "--floor-draws", 0, "--only", "all", "--out", used)
    (record,) = [record for record in records(used).values() if record.cell.method.name == "eap"]
    assert record.metrics["distance_absolute"].floor == 0.75


def test_a_good_record_is_used_again_unless_all_are_asked_for(run, ground, tmp_path):
    words = ["run", *ground("tiny_gpt2"), "--method", "eap", "--floor-draws", 1, "--out", "records"]
    assert "from the store" not in run(*words).err
    again = run(*words)
    assert again.err.count("from the store, made 20") == 2
    assert "eap" in again.out
    assert [record["reused"] for record in run(*words, "--json").json["records"]] == [True, True]
    assert "from the store" not in run(*words, "--only", "all").err


def test_only_failed_runs_what_failed_and_nothing_that_is_missing(run, ground, records, tmp_path):
    script = tmp_path / "my.py"
    script.write_text("import os\ndef f(view):\n    if not os.path.exists('fixed'):\n        raise ValueError('no')\n"
                      "    return view.scores(view.attribute())\n")  # fmt: skip
    words = ["run", *ground("tiny_gpt2"), "--method", "my.py:f", "--floor-draws", 0, "--out", "records"]
    nothing = run(*words, "--only", "failed")
    assert (nothing.status, records(tmp_path / "records")) == (0, {})
    assert "no failed cell" in nothing.out
    assert run(*words).status == 1
    Path("fixed").touch()
    with_another = [*words, "--method", "eap", "--only", "failed"]
    assert run(*with_another).status == 0
    (record,) = records(tmp_path / "records").values()
    assert (record.cell.method.name, record.status) == ("f", "ok")
    assert run(*with_another).status == 0


def test_each_look_at_test_is_counted_and_a_repeat_is_none(run, ground, records, tmp_path):
    words = ["run", *ground("tiny_gpt2"), "--method", "eap-ig-inputs", "--floor-draws", 0, "--out", "records"]
    for steps in (1, 2, 2, 3):
        run(*words, "--split", "test", "--set", f"steps={steps}", "--only", "all")
    run(*words)
    looks = {r.cell.method.params["steps"]: r.looks_at_test for r in records(tmp_path / "records").values()
             if r.cell.task.split == "test"}  # fmt: skip
    assert looks == {1: 1, 2: 2, 3: 3}
    assert [r.looks_at_test for r in records(tmp_path / "records").values() if r.cell.task.split != "test"] == [None]


@pytest.mark.parametrize("against", [["--against", "eap,random"], ["--against", "eap", "--against", "random"]])
def test_against_runs_what_was_not_run_and_prints_paired_differences(run, ground, tmp_path, against):
    (tmp_path / "my.py").write_text(SPREAD)
    words = ["run", *ground("tiny_llama", "B"), "--method", "my.py:spread", "--set", "power=2", "--floor-draws", 1]
    ran = run(*words, *against, "--out", "records", "--json")
    assert ran.status == 0, ran.err
    assert {(one["first"], one["second"]) for one in ran.json["comparisons"]} == {
        ("spread", "eap"),
        ("spread", "random"),
    }
    text = run(*words, *against, "--out", "records").out
    assert "spread − eap" in text
    assert "distance_absolute" in text


def test_a_method_with_the_name_of_what_it_is_compared_with_is_told_apart(run, ground, tmp_path):
    (tmp_path / "my.py").write_text("def eap(view):\n    return view.scores(-view.attribute())\n")
    words = ["run", *ground("tiny_gpt2"), "--method", "my.py:eap", "--against", "eap", "--floor-draws", 0]
    (compared,) = run(*words, "--json").json["comparisons"]
    assert compared["differences"]["cpr"]["difference"] != 0


def test_a_changed_file_is_a_new_cell(run, ground, records, tmp_path):
    words = ["run", *ground("tiny_gpt2"), "--method", "my.py:spread", "--floor-draws", 0, "--out", "records"]
    for text in (SPREAD, SPREAD, SPREAD.replace("abs", "-abs")):
        (tmp_path / "my.py").write_text(text)
        assert run(*words).status == 0
    assert len(records(tmp_path / "records")) == 2


def test_the_artifact_of_a_record_scores_as_the_record_says(run, ground, records, tmp_path):
    assert run("run", *ground("tiny_llama"), *METHODS, "--floor-draws", 0, "--out", "records").status == 0
    for record in records(tmp_path / "records").values():
        file = Store(tmp_path / "records").artifact(record)
        ran = run("score", file, *ground("tiny_llama"), "--floor-draws", 0, "--out", "again", "--json")
        (again,) = ran.json["records"]
        assert again["cell"]["method"]["name"] == record.cell.method.name
        assert again["cell"]["method"]["params"] == record.cell.method.params
        assert again["metrics"]["cmd"]["value"] == record.metrics["cmd"].value


def test_score_compares_files_with_methods(run, ground, tmp_path):
    run("discover", *ground("tiny_gpt2"), "--method", "random", "--out", "a.json", "--seed", 1)
    run("discover", *ground("tiny_gpt2"), "--method", "random", "--out", "b.safetensors", "--seed", 2)
    (tmp_path / "meta.yaml").write_text("version: 3\nparams: {depth: 2}\nseed: 1\n")
    ran = run("score", "a.json", "b.safetensors", *ground("tiny_gpt2"), "--against", "eap", "--meta", "meta.yaml",
              "--floor-draws", 1, "--out", "records", "--json")  # fmt: skip
    assert ran.status == 0, ran.err
    assert [(one["first"], one["second"]) for one in ran.json["comparisons"]] == [("a", "eap"), ("random", "eap")]
    last = ran.json["records"][-1]["cell"]["method"]
    assert (last["version"], last["params"], last["seed"]) == (3, {"depth": 2}, 1)


def test_a_command_of_another_environment_is_a_method(run, ground, records, tmp_path):
    import sys

    (tmp_path / "finder.py").write_text(
        "import json, sys, random\n"
        "pairs = [json.loads(line) for line in open(sys.argv[1])]\n"
        "assert len(pairs) == 8 and len(pairs[0]['clean']) == 10\n"
        "shape = json.load(open(sys.argv[3]))\n"
        "for edge in shape['edges'].values():\n    edge['score'] = random.random()\n"
        "json.dump(shape, open(sys.argv[2], 'w'))\n"
    )
    run("discover", *ground("tiny_gpt2"), "--method", "eap", "--out", "like.json")
    command = f"cmd: {sys.executable} finder.py {{pairs}} {{out}} like.json"
    ran = run("run", *ground("tiny_gpt2"), "--method", command, "--against", "eap", "--floor-draws", 0, "--json")
    assert ran.status == 0, ran.out + ran.err
    found = {one["cell"]["method"]["name"]: one for one in ran.json["records"]}
    assert set(found) == {"cmd-finder", "eap"}
    assert found["cmd-finder"]["volatile"]["cost"]["seconds"] > 0


def test_dry_run_lists_the_jobs_and_writes_nothing(run, ground, tmp_path):
    words = ["run", *ground("tiny_gpt2"), *METHODS, "--floor-draws", 2, "--out", "records", "--dry-run"]
    rows = run(*words, "--json").json["jobs"]
    assert [(row["method"], row["why"]) for row in rows] == [
        ("random", "floor"), ("random", "floor"), ("eap", "asked for"), ("eap-ig-inputs", "asked for"),
    ]  # fmt: skip
    assert "4 jobs" in run(*words).out
    assert not list(tmp_path.iterdir())
    assert run("run", "--task", "ioj", "--method", "eap", "--dry-run").status == 2


@pytest.mark.parametrize("terminal", ["", "1"])
def test_progress_goes_to_standard_error_and_names_with_brackets_do_no_harm(
    run, ground, tmp_path, monkeypatch, terminal
):
    monkeypatch.setenv("FORCE_COLOR", terminal)
    words = ground("tiny_gpt2")
    task = tmp_path / "[" / "bold] set.jsonl"
    task.parent.mkdir()
    task.write_bytes(Path(words[3]).read_bytes())
    ran = run("run", *words[:2], "--task", task, "--method", "eap", "--floor-draws", 0)
    assert ran.status == 0, ran.err
    assert "[1/1] eap" in ran.err
    assert "[1/1] eap" not in ran.out
