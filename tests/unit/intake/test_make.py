"""Methods are run in a real sandbox, by a maker without torch: whatever they do, one submission is made or none."""

from __future__ import annotations

import time

import pytest
import yaml
from code_submissions import artifact_bytes, code_submission, light_maker, writing
from confined import running, within
from submission_cases import MODEL, TASK, scores, text_of

import mibench.intake.make as module
from mibench.artifacts.files import save_scores
from mibench.core.errors import ArtifactError, UsageError
from mibench.graph.graph import Graph
from mibench.intake.check import Asked, check_submission
from mibench.intake.make import Means, NotMadeError, make_submission
from mibench.intake.rules import Rules

MIB = 2**20


@pytest.fixture(autouse=True)
def _light(monkeypatch):
    monkeypatch.setattr(module, "MAKER", light_maker())


@pytest.fixture
def good(tmp_path):
    """Bytes of an artifact that passes."""
    return artifact_bytes(tmp_path)


@pytest.fixture
def made(tmp_path, backend):
    """Makes the artifacts of a method, in a folder beside it."""

    def make(text, *, twice=False, rules=None, entry=None, **limits):
        source = code_submission(tmp_path / "home", text, first=entry)
        means = Means(backend, Asked(rules=rules or Rules()), twice=twice, **{"seconds": 30, **limits})
        return make_submission(source, tmp_path / "out", means)

    return make


def ends(tmp_path, made, text, end, **limits):
    """A method that fails, and leaves nothing behind."""
    with pytest.raises(NotMadeError) as caught:
        made(text, **limits)
    assert caught.value.end == end, caught.value
    assert list((tmp_path / "out").iterdir()) == []
    return caught.value


def test_what_a_method_leaves_is_a_submission_like_any_other(tmp_path, made, good):
    source = code_submission(tmp_path / "other", writing(good))
    (tmp_path / "home").mkdir()
    done = made(writing(good), twice=True)
    assert done.reproduced is True
    report = check_submission(done.folder)
    assert report.passed, text_of(report)
    assert done.folder == tmp_path / "out" / "team__method@1"
    assert {one.name for one in (tmp_path / "out").iterdir()} == {"team__method@1"}
    values = yaml.safe_load((done.folder / "submission.yaml").read_text(encoding="utf-8"))
    assert values["made_from"] == done.made_from == check_submission(source).manifest_sha256
    assert "methods" not in values
    assert {entry["file"]: entry["sha256"] for entry in values["artifacts"]} == done.digests
    assert not list(done.folder.rglob("*.py"))


def test_parameters_and_documents_are_kept_and_nothing_is_overwritten(tmp_path, backend, good):
    source = code_submission(tmp_path / "home", writing(good), first={"parameters": {"alpha": 2}}, parameters={"b": 1})
    (source / "README.md").write_text("# Ours\n", encoding="utf-8")
    folder = make_submission(source, tmp_path / "out", Means(backend)).folder
    values = yaml.safe_load((folder / "submission.yaml").read_text(encoding="utf-8"))
    assert values["parameters"] == {"alpha": 2, "b": 1}
    assert (folder / "README.md").read_text(encoding="utf-8") == "# Ours\n"
    with pytest.raises(UsageError, match="is not overwritten"):
        make_submission(source, tmp_path / "out", Means(backend))
    with pytest.raises(UsageError, match="is not overwritten"):
        make_submission(source, source.parent, Means(backend))
    with pytest.raises(UsageError, match="nothing to make"):
        make_submission(folder, tmp_path / "third", Means(backend))


def test_other_bytes_the_second_time_are_not_reproduced(tmp_path, made, good):
    other = artifact_bytes(tmp_path, seed=1)
    text = f"OTHER = {other!r}\n" + writing(good, "global DATA\nDATA = OTHER if '/second/' in out else DATA")
    done = made(text, twice=True)
    assert done.reproduced is False
    # What was made first is what counts.
    assert (done.folder / "artifacts" / "0000.safetensors").read_bytes() == good


def test_equal_artifacts_are_one_file_for_all_their_tasks(made, good):
    done = made(writing(good, "open(out + '/0001.safetensors', 'wb').write(DATA)"), entry={"tasks": [TASK, "ioi"]})
    assert done.reproduced is None
    (listed,) = yaml.safe_load((done.folder / "submission.yaml").read_text(encoding="utf-8"))["artifacts"]
    assert (listed["tasks"], listed["models"]) == ([TASK, "ioi"], [MODEL])


def test_different_artifacts_are_different_files(tmp_path, made, good):
    other = artifact_bytes(tmp_path, seed=1)
    text = f"OTHER = {other!r}\n" + writing(good, "open(out + '/0001.safetensors', 'wb').write(OTHER)")
    done = made(text, entry={"tasks": [TASK, "ioi"]})
    listed = yaml.safe_load((done.folder / "submission.yaml").read_text(encoding="utf-8"))["artifacts"]
    assert [(one["tasks"], one["file"]) for one in listed] == [
        ([TASK], "artifacts/0000.safetensors"),
        (["ioi"], "artifacts/0001.safetensors"),
    ]


def test_a_file_that_changed_since_its_check_is_not_run(tmp_path, backend, good):
    source = code_submission(tmp_path / "home", writing(good))
    (source / "method.py").write_text("import sys; sys.exit(9)", encoding="utf-8")
    with pytest.raises(ArtifactError, match="is not the file that was handed in"):
        make_submission(source, tmp_path / "out", Means(backend))


REACHES = """
import os, socket
found = []
for path in ("/etc/passwd", "/etc/shadow", os.path.expanduser("~root/.ssh"), SECRET, os.path.dirname(SECRET)):
    try:
        found.append(os.listdir(path) if os.path.isdir(path) else open(path).read())
    except OSError:
        pass
for family, address in ((socket.AF_INET, ("1.1.1.1", 53)), (socket.AF_INET, ("127.0.0.1", 22))):
    try:
        one = socket.socket(family)
        one.settimeout(0.5)
        one.connect(address)
        found.append(address)
    except OSError:
        pass
for place in (os.path.dirname(SECRET), plan["method"].rpartition("/")[0], "/usr/lib", "/etc"):
    try:
        open(place + "/written", "w").write("x")
        found.append(place)
    except OSError:
        pass
found += [name for name in os.environ if "SECRET" in name]
assert not found, found
"""


def test_nothing_of_the_machine_can_be_read_written_or_reached(tmp_path, made, good, monkeypatch):
    monkeypatch.setenv("TEAM_SECRET", "x")
    secret = tmp_path / "private" / "rows.jsonl"
    secret.parent.mkdir()
    secret.write_text("PRIVATE", encoding="utf-8")
    done = made(f"SECRET = {str(secret)!r}\n" + writing(good, REACHES))
    assert check_submission(done.folder).passed
    assert [one.name for one in secret.parent.iterdir()] == ["rows.jsonl"]
    assert not (tmp_path / "home" / "team__method@1" / "written").exists()


def test_what_it_starts_ends_with_it(tmp_path, made, good):
    daemon = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(60)
    os._exit(0)
"""
    done = made(writing(good, daemon))
    assert check_submission(done.folder).passed
    assert within(5, lambda: not running(str(tmp_path / "out")))


@pytest.mark.parametrize(
    ("before", "end", "limits"),
    [
        ("import time\ntime.sleep(60)", "timeout", {"seconds": 1.5}),
        ("import os\nos.kill(os.getpid(), 9)", "failed", {}),
        ("raise SystemExit(5)", "failed", {}),
        ("room = bytearray(400 * 2**20)", "memory", {"memory_bytes": 150 * MIB}),
        ("open(out + '/big', 'wb').write(bytes(9 * 2**20))", "files", {"rules": Rules(total_bytes=4 * MIB)}),
    ],
)
def test_limits_are_kept(tmp_path, made, good, before, end, limits):
    begun = time.monotonic()
    error = ends(tmp_path, made, writing(good, before), end, **limits)
    assert time.monotonic() - begun < 20
    assert "found in method.py" in error.why


INSTEAD = {
    "nothing": ("pass", "artifact"),
    "link": ("__import__('os').symlink('/etc/passwd', F)", "artifact"),
    "link to itself": ("__import__('os').symlink(F, F)", "artifact"),
    "folder": ("__import__('os').mkdir(F)", "artifact"),
    "sparse": ("open(F, 'wb').truncate(60 * 2**20)", "artifact"),
    "empty": ("open(F, 'wb')", "invalid"),
    "pickle": ("__import__('pickle').dump([1], open(F, 'wb'))", "invalid"),
    "script": ("open(F, 'w').write('#!/bin/sh\\nrm -rf /\\n')", "invalid"),
    "header bomb": ("open(F, 'wb').write((2**40).to_bytes(8, 'little') + b'{' * 100)", "invalid"),
    "fake records": ("open(F, 'w').write('{\"metrics\": {\"cpr\": 1}}')", "invalid"),
    "other model": ("open(F, 'wb').write(OTHER)", "invalid"),
}


@pytest.mark.parametrize("name", INSTEAD)
def test_what_is_no_artifact_is_none(tmp_path, made, name):
    statement, end = INSTEAD[name]
    save_scores(scores(Graph(3, 2, False), 16), tmp_path / "other.safetensors")
    other = (tmp_path / "other.safetensors").read_bytes()
    text = f"OTHER = {other!r}\n\n\ndef found(out, plan):\n    F = out + '/0000.safetensors'\n    {statement}\n"
    ends(tmp_path, made, text, end)


def test_other_files_are_left_and_names_lead_nowhere(tmp_path, made, good):
    before = """
import os
for name in ("submission.yaml", "README.md", "..safetensors", "records.json"):
    open(out + "/" + name, "w").write("x")
os.makedirs(out + "/a/b/c")
os.symlink("/", out + "/root")
"""
    done = made(writing(good, before))
    names = {path.relative_to(done.folder).as_posix() for path in done.folder.rglob("*") if path.is_file()}
    assert names == {"submission.yaml", "artifacts/0000.safetensors"}
    assert [one.name for one in (tmp_path / "out").iterdir()] == ["team__method@1"]


def test_what_it_prints_cannot_steer_a_terminal(tmp_path, made):
    text = "def found(out, plan):\n    print('\\x1b]0;own\\x07' + 'A' * 100_000)\n    raise SystemExit(3)\n"
    error = ends(tmp_path, made, text, "failed")
    assert error.exit_code == 3
    assert len(error.tail) <= 4096
    assert "\x1b" not in error.tail
