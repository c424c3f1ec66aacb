"""Methods that are handed in as code: refused unless they are asked for, and read as text alone."""

from __future__ import annotations

import sys
import time
from dataclasses import replace

import pytest
import yaml
from code_submissions import HONEST, code_entry, code_submission
from round_cases import write_round
from submission_cases import change, failed, good, text_of, write_manifest

from mibench.intake.check import Asked, check_submission
from mibench.intake.draft import read_draft
from mibench.intake.manifest import MAX_CODE_BYTES, Submission
from mibench.intake.pack import pack_submission
from mibench.intake.round import read_round
from mibench.intake.rules import Rules

TRUSTED = Asked(rules=Rules(code=True))


def refused(folder, *words):
    return failed(folder, *words, asked=TRUSTED)


def test_code_is_refused_unless_it_is_asked_for(tmp_path):
    folder = code_submission(tmp_path)
    (one,) = check_submission(folder).failures
    assert one.what == "This submission holds code."
    assert "found in method.py" in one.why
    assert "mibench submit make" in one.do
    report = check_submission(folder, TRUSTED)
    assert report.passed, text_of(report)
    assert (report.n_files, report.n_read) == (2, 0)


def test_methods_are_not_scored_on_validation_rows(tmp_path):
    (note,) = check_submission(code_submission(tmp_path), replace(TRUSTED, smoke=3)).notes
    assert note.startswith("Nothing was scored: artifacts are made of methods first")


def test_a_round_decides_whether_it_takes_code(tmp_path):
    folder = code_submission(tmp_path / "home")
    for accepts in (False, True):
        own = read_round(write_round(tmp_path / f"{accepts}.json", limits={"accepts_code": accepts}))
        report = check_submission(folder, Asked(rules=own.rules(), round=own))
        assert report.passed is accepts, text_of(report)


@pytest.mark.parametrize(
    "text",
    [
        "import sys\nsys.exit(3)\ndef found(view):\n    pass\n",
        "def found(view):\n    " + "(" * 100_000 + "\n",
        "def found(view):\n    return " + "-" * 900_000 + "1\n",
        "def found(\n",
    ],
    ids=["acts", "nests", "deep", "broken"],
)
def test_code_is_not_run_nor_parsed(tmp_path, text):
    begun = time.monotonic()
    report = check_submission(code_submission(tmp_path, text), TRUSTED)
    assert report.passed, text_of(report)
    assert time.monotonic() - begun < 2
    assert not any("method" in name for name in sys.modules if name.startswith("mibench_user"))


def test_a_file_is_what_the_manifest_says(tmp_path):
    folder = code_submission(tmp_path)
    (folder / "method.py").write_text(HONEST + "# more\n", encoding="utf-8")
    found = {one.do for one in refused(folder, "is not the file that was listed").failures}
    assert found == {f"Correct methods[0].{key}, or restore the file." for key in ("bytes", "sha256")}
    (folder / "method.py").unlink()
    refused(folder, "There is no file method.py.")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("# def found(view)\nfoun = 1\n", "has no function found"),
        ("async def found(view):\n    pass\n", "has no function found"),
        (HONEST + "# \u202e\n", "U+202E"),
        (HONEST + "\x00", "U+0000"),
        (HONEST + "\x1b]0;x\x07", "U+001B"),
    ],
)
def test_the_text_has_the_function_and_nothing_that_hides(tmp_path, text, word):
    refused(code_submission(tmp_path, text), word)


def test_text_that_is_no_utf_8_or_too_long_is_refused(tmp_path):
    folder = code_submission(tmp_path / "a")
    content = HONEST.encode() + b"\xff"
    (folder / "method.py").write_bytes(content)
    refused(folder, "cannot be read as text")
    folder = code_submission(tmp_path / "b", "#" * MAX_CODE_BYTES + HONEST)
    refused(folder, "'methods[0].bytes' does not fit.")
    assert "method.py cannot be read" not in text_of(check_submission(folder))


@pytest.mark.parametrize(
    ("first", "word"),
    [
        ({"file": "../method.py"}, "'methods[0].file' does not fit."),
        ({"file": "method.sh"}, "'methods[0]' does not fit."),
        ({"function": "found; x"}, "'methods[0].function' does not fit."),
        ({"function": "found.__globals__"}, "'methods[0].function' does not fit."),
        ({"level": None}, "'methods[0]' does not fit."),
        ({"budget": 0.5}, "'methods[0].budget' is no key of a manifest."),
        ({"tasks": ["ioy"]}, "There is no task 'ioy'"),
        ({"models": ["nobody/nothing"]}, "nobody/nothing"),
    ],
)
def test_entries_of_methods_are_checked_as_those_of_artifacts(tmp_path, first, word):
    refused(code_submission(tmp_path, first=first), word)


def test_a_cell_is_made_once_and_a_file_may_have_several_methods(tmp_path):
    text = HONEST + HONEST.replace("found", "other")
    both = [code_entry(text), code_entry(text, function="other", seed=1)]
    folder = code_submission(tmp_path / "a", text, methods=both)
    report = check_submission(folder, TRUSTED)
    assert report.passed, text_of(report)
    both[1].pop("seed")
    folder = code_submission(tmp_path / "b", text, methods=both)
    refused(folder, "methods[0] and methods[1] are for the same cell.")


def test_a_submission_holds_artifacts_or_methods(tmp_path):
    folder = good(tmp_path / "a")
    values = yaml.safe_load((folder / "submission.yaml").read_text(encoding="utf-8"))
    write_manifest(folder, values | {"methods": [code_entry(HONEST)]})
    (folder / "method.py").write_text(HONEST, encoding="utf-8")
    refused(folder, "It has artifacts and methods")
    assert "This submission holds code." in text_of(check_submission(folder))
    neither = good(tmp_path / "b")
    write_manifest(neither, values | {"artifacts": []})
    refused(neither, "'artifacts' is empty.")
    write_manifest(neither, values | {"artifacts": [], "licence": 7})
    assert {"'artifacts' is missing.", "'licence' does not fit."} <= {one.what for one in refused(neither).failures}


def test_what_artifacts_were_made_from_can_be_said(tmp_path):
    folder = good(tmp_path)
    change(folder, made_from="0" * 64)
    assert check_submission(folder).passed
    change(folder, made_from="yes")
    failed(folder, "'made_from' does not fit.")


def test_every_method_that_is_wrong_is_told_and_the_others_are_kept():
    draft = read_draft(yaml.safe_dump({"methods": [code_entry(HONEST), 7, code_entry(HONEST, bytes=0)]}))
    assert list(draft.methods) == [0]
    assert {"'methods[1]' does not fit.", "'methods[2].bytes' does not fit."} <= {one.what for one in draft.failures}
    assert "methods" in Submission.model_fields
    assert draft.listed == {"method.py"}


def test_code_is_packed_and_found_again(tmp_path):
    report = pack_submission(code_submission(tmp_path), tmp_path / "a.zip", TRUSTED)
    assert report.passed
    assert check_submission(tmp_path / "a.zip", TRUSTED).passed
    assert not check_submission(tmp_path / "a.zip").passed
