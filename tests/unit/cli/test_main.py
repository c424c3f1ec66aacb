from __future__ import annotations

import re
import subprocess
import sys
import time

import pytest

from mibench.cli.main import COMMANDS
from mibench.core.errors import UsageError

HEAVY = ("torch", "transformers", "datasets", "pandas", "pyarrow", "matplotlib")


def imported_by(*words: str) -> set[str]:
    """Top-level modules that a command imports in a process of its own."""
    code = (
        "import sys, mibench.cli.main as m\n"
        "try:\n    m.main(sys.argv[1:])\nexcept SystemExit as stop:\n    assert not stop.code\n"
        "print('LOADED', *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("LOADED ")[2].split())


@pytest.mark.parametrize("words", [["--help"], ["list"], ["list", "methods"], ["list", "models", "--json"]])
def test_help_and_list_import_nothing_heavy(words):
    assert not imported_by(*words) & set(HEAVY)


@pytest.mark.parametrize("name", ["list", "show", "compare", "convert", "tasks", "models", "doctor"])
def test_the_help_of_a_command_imports_nothing_heavy(name):
    assert not imported_by(name, "--help") & set(HEAVY)


def test_help_comes_at_once_and_names_every_command(shell):
    start = time.perf_counter()
    help_text = shell("--help")
    seconds = time.perf_counter() - start
    assert help_text.status == 0
    assert all(name in help_text.out for name in COMMANDS)
    assert seconds < 2, "a loaded machine may take a second; importing torch takes longer"


@pytest.mark.parametrize(
    "words",
    [["list"], ["show"], ["compare"], ["convert"], ["tasks", "show"], ["tasks", "export"], ["models", "pull"],
     ["doctor"]],
)  # fmt: skip
def test_every_command_helps_with_an_example(run, words):
    help_text = run(*words, "--help")
    assert help_text.status == 0
    assert f"mibench {' '.join(words)}" in help_text.out.split("Example:")[1]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["lits"], "'list'"),
        (["doktor"], "'doctor'"),
        (["list", "methds"], "'methods'"),
        (["list", "--jsn"], "--json"),
        (["tasks", "show", "ioj"], "'ioi'"),
        (["models", "pull", "smolm2-135m"], "'smollm2-135m'"),
        (["models", "pul"], "'pull'"),
        (["tasks", "show", "ioi", "--split", "tst"], "'test'"),
    ],
)
def test_a_name_that_is_almost_right_gets_a_hint_and_status_2(shell, words, hint):
    ran = shell(*words)
    assert ran.status == 2
    assert re.search(r"did you mean", ran.err, re.IGNORECASE)
    assert hint in ran.err
    assert_one_screen(ran)


@pytest.mark.parametrize(
    "words",
    [
        ["show", "nothing.json"],
        ["show", "abcdef"],
        ["list", "records", "--records", "nowhere"],
        ["compare", "nowhere"],
        ["convert", "nothing.pt", "out.safetensors"],
        ["convert", "nothing.xyz", "out.json"],
        ["tasks", "show", "nothing.jsonl"],
        ["tasks", "export", "-T", "ioi", "-M", "no-such-model", "--out", "x.jsonl"],
        ["models", "pull", "smollm2-135m", "--from", "nothing.whl"],
        ["show"],
        [],
    ],
)
def test_wrong_usage_is_status_2_one_screen_and_writes_nothing(shell, tmp_path, words):
    ran = shell(*words, MIBENCH_CACHE=str(tmp_path / "cache"))
    assert ran.status == 2
    assert_one_screen(ran)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def assert_one_screen(ran):
    assert "Traceback" not in ran.out + ran.err
    assert ran.out == ""
    assert 0 < len(ran.err.splitlines()) <= 32


def test_an_error_has_three_parts_and_no_escape_sequences(run, monkeypatch):
    def fail(_):
        raise UsageError("It \x1b[31mbroke.", why="Because " * 400, do="Mend it.")

    monkeypatch.setattr("mibench.cli.find.open_store", fail)
    ran = run("list", "records")
    assert ran.status == 2
    assert "\x1b[31mbroke" not in ran.err
    assert "why:" in ran.err
    assert "do:   Mend it." in ran.err
    assert len(ran.err.splitlines()) <= 24


def test_the_client_of_the_hub_says_nothing_of_its_own_below_errors():
    code = (
        "import logging, mibench.cli.main as m\n"
        "try:\n    m.main(['--version'])\nexcept SystemExit:\n    pass\n"
        "import huggingface_hub.file_download\nprint(logging.getLogger('huggingface_hub').level == logging.ERROR)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "True"


def test_a_reader_that_leaves_early_gets_no_complaint():
    code = (
        "import subprocess, sys\n"
        "p = subprocess.Popen([sys.executable, '-m', 'mibench', 'list', 'metrics'], stdout=subprocess.PIPE, "
        "stderr=subprocess.PIPE)\np.stdout.close()\nsys.stdout.write(p.stderr.read().decode())\n"
        "sys.exit(p.wait())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
