"""Every command by which CONTRIBUTING has one take part works as it stands there."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from round_cases import write_round

from mibench.cli.main import main
from mibench.cli.submit import command as submit

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
SECTION = TEXT.split("## Add something")[0]
BLOCKS = re.findall(r"```\n(.*?)```", SECTION, flags=re.DOTALL)
FOLDER = "submissions/my-team__my-method@1"


def called(line):
    with pytest.raises(SystemExit) as stop:
        main(shlex.split(line)[1:])
    return stop.value.code


def git(*words):
    who = {f"GIT_{role}_{what}": "a@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    subprocess.run(["git", *words], check=True, capture_output=True, env=os.environ | who)


@pytest.fixture
def ran(tmp_path, monkeypatch, capsys):
    """All commands in their order, in a new repository; what each printed."""
    monkeypatch.chdir(tmp_path)
    git("init", "--quiet", "--initial-branch", "main")
    git("commit", "--quiet", "--allow-empty", "-m", "first")
    write_round(Path("round.json"))
    printed = {}
    for line in "".join(BLOCKS).splitlines():
        if line.startswith("git "):
            git(*shlex.split(line)[1:])
            continue
        assert called(line) in (0, None), capsys.readouterr()
        printed[line] = capsys.readouterr().out
    return printed


def test_the_commands_work_in_their_order(ran):
    assert len(ran) == 6
    assert {line.split()[0] for line in ran} == {"mibench"}
    said = {" ".join(line.split()[1:3]): out for line, out in ran.items()}
    (digest,) = set(re.findall(r"sha256 ([0-9a-f]{64})", "".join(ran.values())))
    assert "note:" not in said["submit pack"]
    assert f"manifest: sha256 {digest}" in said["submit changed"]
    assert "note: 1 artifact is sealed" in said["submit changed"]
    smoked = next(out for line, out in ran.items() if "--smoke" in line)
    assert "passed" in smoked
    assert "note:" not in smoked


def test_a_change_after_publishing_is_told(ran, capsys):
    path = Path(FOLDER) / "submission.yaml"
    path.write_text(path.read_text(encoding="utf-8") + "# another word\n", encoding="utf-8")
    assert called(f"mibench submit check my-submission.zip --sealed {path} --json") == 1
    (failure,) = json.loads(capsys.readouterr().out)["failures"]
    assert failure["what"] == "The manifest is not the published one."


def test_every_flag_of_submit_that_documents_name_exists():
    texts = [TEXT, (ROOT / "submissions" / "README.md").read_text(encoding="utf-8")]
    lines = [line.split("  #")[0] for text in texts for line in re.findall(r"^mibench submit .*", text, re.MULTILINE)]
    assert len(lines) >= 9
    for line in lines:
        words = shlex.split(line)[2:]
        known = {name for one in submit.commands[words[0]].params for name in one.opts}
        assert [word for word in words if word.startswith("-") and word not in known] == []
