"""What the README shows works as it stands there."""

from __future__ import annotations

import importlib
import json
import re
import shlex
from pathlib import Path

import click
import pytest

from mibench.artifacts.featurizers.files import load_featurizers
from mibench.cli.main import COMMANDS, main

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
GOLDEN = Path(__file__).parents[1] / "golden" / "tiny_gpt2"


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def _commands() -> list[str]:
    lines = [line.split("  #")[0].strip() for block in _blocks("") for line in block.splitlines()]
    return [line for line in lines if line.startswith("mibench ")]


@pytest.mark.parametrize("line", _commands())
def test_every_command_and_flag_of_the_readme_exists(line):
    words = shlex.split(line)[1:]
    assert words[0] in COMMANDS
    command = importlib.import_module(
        f"mibench.cli.{'list_' if words[0] == 'list' else words[0].replace('-', '_')}"
    ).command
    if isinstance(command, click.Group):
        command = command.commands[words[1]]
    known = {name for parameter in command.params for name in parameter.opts}
    flags = [word for word in words if word.startswith("-")]
    assert [flag for flag in flags if flag not in known] == []


def test_the_readme_shows_commands():
    assert len(_commands()) >= 6


def test_the_ten_line_method_runs_and_is_compared(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (block,) = _blocks("python")
    assert len(block.splitlines()) <= 11
    Path("my.py").write_text(block)
    pairs = str(GOLDEN / "pairs_A.jsonl")
    words = ["run", "--task", pairs, "--model", str(GOLDEN), "--method", "my.py:grad_norm", "--set", "power=2"]
    with pytest.raises(SystemExit) as stopped:
        main([*words, "--against", "eap", "--floor-draws", "1", "--out", "records", "--json"])
    assert not stopped.value.code
    (compared,) = json.loads(capsys.readouterr().out)["comparisons"]
    assert (compared["first"], compared["second"]) == ("grad-norm", "eap")
    # Squared magnitudes order the edges as the scores themselves do by magnitude.
    assert compared["differences"]["cmd"]["difference"] == 0


def test_the_cpu_index_of_the_makefile_is_the_one_that_the_readme_names():
    makefile = (Path(__file__).parents[2] / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"TORCH_INDEX=\"[^\"]+\"", makefile).group() in README


def test_the_featurizers_of_the_guide_are_written_and_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    guide = (Path(__file__).parents[2] / "docs" / "featurizers.md").read_text(encoding="utf-8")
    block, _ = re.findall(r"```python\n(.*?)```", guide, flags=re.DOTALL)
    exec(compile(block, "featurizers.md", "exec"), {})
    found = load_featurizers("mine.safetensors")
    assert (found.model, found.n_parameters) == ("smollm2-135m", 576 * 8)
