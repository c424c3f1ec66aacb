"""What runs inside the sandbox, here without one: methods of each track on small grounds make what passes the check."""

from __future__ import annotations

import pytest
import yaml
from code_submissions import HONEST, code_entry, code_submission
from evaluation_cases import NoSandbox
from submission_cases import MODEL, TASK, text_of

import mibench.intake.make as module
from mibench.intake.check import Asked, check_submission
from mibench.intake.make import Means, make_submission
from mibench.intake.make_artifacts import main
from mibench.intake.make_plan import plan_of
from mibench.intake.manifest import CodeEntry
from mibench.intake.rules import Rules
from mibench.sandbox.run import Outcome

DECORATED = """
from mibench.methods.method import method
{imports}


@method(track="{track}", name="ours", version=1, needs=("train", "randomness"), levels=())
def found(view{more}):
    return {call}
"""
VARIABLE = DECORATED.format(
    imports="from mibench.methods.variable.random_subspace import random_subspace",
    track="variable",
    more=", k: int = 2",
    call="random_subspace.function(view, k=k)",
)
SAE = DECORATED.format(
    imports="from mibench.methods.sae.random_dictionary import random_dictionary",
    track="sae",
    more="",
    call="random_dictionary.function(view, width=32, k=4)",
)
NO_LEVEL = {"level": None}
CASES = {
    "circuit": (HONEST, {"level": "node", "parameters": {"power": 2}}),
    "variable": (VARIABLE, NO_LEVEL | {"track": "variable", "variable": "query", "seed": 3, "parameters": {"k": 3}}),
    "sae": (SAE, NO_LEVEL | {"track": "sae", "tasks": ["sae-synthetic-toy"], "models": [], "seed": 1}),
}


@pytest.fixture
def _here(monkeypatch):
    """Run the maker in this process."""

    def run(command, confinement, backend):
        assert command[:-2] == [*module.MAKER]
        status = main(command[-2:])
        return Outcome("done" if status == 0 else "failed", status, 0.1, 5, "")

    monkeypatch.setattr(module, "run_confined", run)


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize("track", ["circuit", "sae", pytest.param("variable", marks=pytest.mark.slow)])
def test_methods_of_each_track_make_the_same_artifacts_twice(tmp_path, track):
    text, entry = CASES[track]
    source = code_submission(tmp_path / "home", text, first=entry, tracks=[track])
    report = check_submission(source, Asked(rules=Rules(code=True)))
    assert report.passed, text_of(report)
    made = make_submission(source, tmp_path / "out", Means(NoSandbox(), twice=True))
    assert made.reproduced is True
    report = check_submission(made.folder)
    assert report.passed, text_of(report)
    assert report.n_read == 1
    (listed,) = yaml.safe_load((made.folder / "submission.yaml").read_text(encoding="utf-8"))["artifacts"]
    assert {key: listed.get(key) for key in entry if key != "parameters"} == {
        key: value for key, value in entry.items() if key != "parameters"
    }


def plan(tmp_path, text, **changes):
    folder = code_submission(tmp_path / "home", text, first=changes)
    values = code_entry(text, **changes)
    path = tmp_path / "plan.json"
    path.write_text(plan_of(CodeEntry(**values), folder, {}, "float32").model_dump_json(), encoding="utf-8")
    (tmp_path / "out").mkdir()
    return [str(path), str(tmp_path / "out")]


def test_a_plan_has_each_task_on_each_model(tmp_path):
    entry = CodeEntry(**code_entry(HONEST, tasks=[TASK, "ioi"], models=[MODEL, "tiny"]))
    found = plan_of(entry, tmp_path, {"tiny": tmp_path / "m"}, "bfloat16")
    assert [(one.task, one.model, one.file) for one in found.steps] == [
        (TASK, MODEL, "0000.safetensors"),
        (TASK, str(tmp_path / "m"), "0001.safetensors"),
        ("ioi", MODEL, "0002.safetensors"),
        ("ioi", str(tmp_path / "m"), "0003.safetensors"),
    ]
    assert (found.method, found.dtype) == (f"{tmp_path}/method.py:found", "bfloat16")


@pytest.mark.parametrize(
    ("text", "changes", "word"),
    [
        ("def found(view):\n    raise ValueError('boom')\n", {}, "boom"),
        ("def found(view):\n    raise SystemExit(0)\n", {}, "found"),
        ("raise SystemExit(0)\ndef found(view):\n    pass\n", {}, "cannot be imported"),
        ("def found(view):\n    return 7\n", {}, "found"),
        (HONEST, {"parameters": {"powr": 2}}, "powr"),
        (HONEST, {"function": "fund"}, "has no function 'fund'"),
    ],
)
def test_what_goes_wrong_is_said_and_nothing_is_left(tmp_path, capsys, text, changes, word):
    words = plan(tmp_path, text, **changes)
    assert main(words) != 0
    assert word in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []
