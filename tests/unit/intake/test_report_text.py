from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mibench.core.errors import DataError
from mibench.intake.failures import Failure, Report
from mibench.intake.report_text import MAX_MARKDOWN, markdown, report_of, values_of

ODD = "````\n<img src=x onerror=alert(1)> @everyone #1 ![a](http://x) [b](http://y) <!-- \u202e \x1b[31m </details>"


def block_of(text):
    """What is inside the one code block, and everything else."""
    before, inside, after = text.split("````")
    assert inside.startswith("text\n")
    return inside.removeprefix("text\n"), before + after


def test_a_report_is_a_heading_and_a_code_block():
    failure = Failure("It is wrong.", "Because.", "Mend it.", "a.safetensors", 3)
    text = markdown([Report("team__m@1", (failure,), ("a note",), 2, 1000, 1, "f" * 64)])
    inside, outside = block_of(text)
    assert outside.startswith("### Submission check: 1 of 1 did not pass\n")
    assert (
        inside.splitlines()
        == [
            "team__m@1: 1 failure; 2 files, 0.00 MB, 1 artifacts read.",
            f"manifest: sha256 {'f' * 64}",
            "1. It is wrong. (a.safetensors, artifacts[3])",
            "   why: Because.",
            "   do:  Mend it.",
            "note: a note",
            "",
        ][:-1]
    )


def test_no_report_is_a_heading_alone():
    assert markdown([]) == "### Submission check: nothing to check\n"


@pytest.mark.parametrize("where", ["name", "what", "why", "do", "file", "note"])
def test_nothing_leaves_the_code_block(where):
    parts = dict.fromkeys(("what", "why", "do", "file"), "fine") | (
        {where: ODD} if where in {"what", "why", "do", "file"} else {}
    )
    report = Report(ODD if where == "name" else "n", (Failure(**parts),), (ODD if where == "note" else "n",))
    inside, outside = block_of(markdown([report]))
    assert not re.search(r"[<>@#!\[\]]", outside.replace("### Submission", ""))
    assert not re.search(r"[<>`\x1b\u202e]", inside)


@settings(deadline=None, max_examples=50)
@given(st.text(), st.text(), st.integers(0, 300))
def test_any_text_is_safe_and_short_enough(one, other, n):
    failures = tuple(Failure(one * 50, other * 50, one, other, index) for index in range(n))
    text = markdown([Report(one, failures, (other,))])
    assert len(text) <= MAX_MARKDOWN
    assert text.count("````") == 2
    assert text.count("`") - text.count("````") * 4 == 2  # the one command of our own
    assert all(char.isprintable() or char == "\n" for char in text)


def test_a_long_report_says_that_it_is_cut():
    failures = tuple(Failure("word " * 40, "why " * 40, "do", None, index) for index in range(400))
    text = markdown([Report("n", failures)])
    assert MAX_MARKDOWN - 2000 < len(text) <= MAX_MARKDOWN
    assert "… (cut; run the check at home to see all)\n````\n" in text


def test_a_report_comes_back_from_its_values():
    report = Report("n", (Failure("a", "b", "c", "d", 1), Failure("a", "b", "c")), ("x",), 1, 2, 3, "f" * 64)
    assert report_of(json.loads(json.dumps(values_of(report)))) == report
    assert report_of(values_of(Report("n"))) == Report("n")


@pytest.mark.parametrize(
    "change",
    [
        {"failures": 3},
        {"failures": [{"what": "a"}]},
        {"failures": ["text"]},
        {"notes": None},
        {"files": -1},
        {"files": True},
        {"bytes": 2**70},
        {"passed": False},
        {"name": ...},
    ],
)
def test_values_that_are_no_report_are_refused(change):
    values = {k: v for k, v in (values_of(Report("n")) | change).items() if v is not ...}
    with pytest.raises(DataError):
        report_of(values)
    with pytest.raises(DataError):
        report_of([values])


def test_posting_needs_click_and_nothing_else(tmp_path):
    """The workflow that posts installs no more than that."""
    (tmp_path / "r.json").write_text(json.dumps([values_of(Report("n"))]), encoding="utf-8")
    code = (
        "import sys\n"
        "for name in ('numpy', 'pydantic', 'torch', 'yaml', 'rich', 'pandas', 'scipy', 'transformers'):\n"
        "    sys.modules[name] = None\n"
        "from mibench.cli.main import main\n"
        "main(['submit', 'comment', 'r.json'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("### Submission check: passed\n")
