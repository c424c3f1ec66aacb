"""The workflows that check pull requests: no secret, no code of strangers, and commands that exist and work."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from submission_cases import FILE, NAME, good

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github" / "workflows"
CHECK, POST = FOLDER / "submission.yml", FOLDER / "submission-report.yml"
WORKFLOWS = sorted(FOLDER.glob("submission*.yml"))


def read(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def steps(path):
    (job,) = read(path)["jobs"].values()
    return job["steps"]


def script(path, name):
    return next(step for step in steps(path) if step.get("name") == name)


def shell(run, folder, **environment):
    """Run a step as GitHub does: bash that stops at the first failure."""
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    (folder / ".venv").mkdir(exist_ok=True)
    if not (folder / ".venv" / "bin").exists():
        (folder / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    path = f"{tools}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | environment
    command = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", run]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def git(folder, *words):
    who = {f"GIT_{role}_{what}": "a@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(
        ["git", "-C", str(folder), *words], check=True, capture_output=True, text=True, env=os.environ | who
    )
    return done.stdout.strip()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_there_is_no_secret_and_no_event_that_has_any(path):
    text = path.read_text(encoding="utf-8")
    assert "secrets." not in text
    assert "pull_request_target" not in text
    # PyYAML reads the key `on` as true.
    assert set(read(path)[True]) <= {"pull_request", "workflow_run"}


def test_the_check_can_only_read_and_the_post_can_only_comment():
    assert read(CHECK)["permissions"] == {"contents": "read"}
    assert read(POST)["permissions"] == {"actions": "read", "contents": "read", "pull-requests": "write"}
    for path in WORKFLOWS:
        assert all("permissions" not in job for job in read(path)["jobs"].values())


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_values_of_the_event_reach_scripts_by_their_environment_alone(path):
    for step in steps(path):
        assert "${{" not in step.get("run", "")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_only_known_actions_are_used_and_none_checks_out_the_head(path):
    used = [step["uses"] for step in steps(path) if "uses" in step]
    assert all(re.fullmatch(r"actions/[a-z-]+@(v\d+|[0-9a-f]{40})", name) for name in used)
    checkouts = [step for step in steps(path) if step.get("uses", "").startswith("actions/checkout@")]
    (checkout,) = checkouts
    assert checkout["with"]["persist-credentials"] is False
    assert checkout["with"].get("ref", "base.sha").strip("${} ").endswith("base.sha")


def test_one_workflow_follows_the_other():
    event = read(POST)[True]["workflow_run"]
    assert event["workflows"] == [read(CHECK)["name"]]
    names = [step["with"]["name"] for path in WORKFLOWS for step in steps(path) if "artifact@" in step.get("uses", "")]
    assert len(names) == 2
    assert len(set(names)) == 1


@pytest.fixture
def fork(tmp_path):
    """What the check finds: main checked out, and a pull request on the server."""
    server, here = tmp_path / "server", tmp_path / "here"
    server.mkdir()
    git(server, "init", "--quiet", "--initial-branch", "main")
    (server / ".gitignore").write_text("tools\n.venv\nsummary.md\nreport.json\n")
    git(server, "add", "--all")
    git(server, "commit", "--quiet", "-m", "first")
    git(tmp_path, "clone", "--quiet", str(server), "here")
    git(server, "checkout", "--quiet", "-b", "change")
    return server, here


def checked(fork, change):
    """Run the steps of the check on a pull request; its last step's outcome, summary and report."""
    server, here = fork
    base = git(server, "rev-parse", "main")
    change(server)
    git(server, "add", "--all")
    git(server, "commit", "--quiet", "-m", "change")
    head = git(server, "rev-parse", "change")
    git(server, "update-ref", "refs/pull/7/head", head)
    fetch = shell(script(CHECK, "Fetch the head, objects only")["run"], here, NUMBER="7")
    assert fetch.returncode == 0, fetch.stderr
    summary = here / "summary.md"
    step = script(CHECK, "Check what it adds")["run"]
    done = shell(step, here, BASE=base, HEAD=head, GITHUB_STEP_SUMMARY=str(summary))
    return done, summary.read_text(encoding="utf-8"), here / "report.json"


def sealed(server):
    folder = good(server / "submissions")
    (folder / FILE).unlink()


def test_the_check_runs_as_it_stands(fork):
    done, summary, report = checked(fork, sealed)
    assert done.returncode == 0, done.stderr
    assert summary.startswith("### Submission check: passed\n")
    (one,) = json.loads(report.read_text(encoding="utf-8"))
    assert (one["name"], one["passed"]) == (NAME, True)
    assert not (fork[1] / "submissions").exists()


def test_the_check_fails_and_still_leaves_its_report(fork):
    def change(server):
        sealed(server)
        (server / "conftest.py").write_text("raise SystemExit('run')\n")

    done, summary, report = checked(fork, change)
    assert done.returncode == 1
    assert "It changes conftest.py." in summary
    assert json.loads(report.read_text(encoding="utf-8"))[0]["passed"] is False


GH = """#!{python}
import json, os, sys
with open("calls.jsonl", "a") as stream:
    stream.write(json.dumps(sys.argv[1:]) + "\\n")
if any(word.endswith("/pulls") for word in sys.argv):
    print(os.environ["FOUND"], end="")
elif "--paginate" in sys.argv:
    print(os.environ["COMMENT"], end="")
"""


def posted(tmp_path, report, found="7\n", comment=""):
    """Run the steps of the post with a stand-in for gh; its calls, and the comment."""
    here = tmp_path / "here"
    (here / "tools").mkdir(parents=True)
    (here / "report").mkdir()
    (here / "report" / "report.json").write_text(report, encoding="utf-8")
    (here / "tools" / "gh").write_text(GH.format(python=sys.executable))
    (here / "tools" / "gh").chmod(0o755)
    write = script(POST, "Write the comment")["run"].splitlines()
    assert write[0].startswith("python -m pip install")
    done = shell(write[1], here, RUNNER_TEMP=str(here))
    if done.returncode:
        return done, [], ""
    event = {"REPO": "us/mibench", "OWNER": "them", "BRANCH": "$(touch hacked)", "SHA": "f" * 40}
    own = {"RUNNER_TEMP": str(here), "FOUND": found, "COMMENT": comment}
    done = shell(script(POST, "Post it")["run"], here, **event, **own)
    assert not (here / "hacked").exists()
    calls = [json.loads(line) for line in (here / "calls.jsonl").read_text().splitlines()]
    return done, calls, (here / "comment.md").read_text(encoding="utf-8")


REPORT = json.dumps(
    [
        {
            "name": "team__method@1 ```` @everyone <img src=x>",
            "passed": True,
            "failures": [],
            "notes": [],
            "files": 1,
            "bytes": 1,
            "read": 0,
            "manifest_sha256": None,
        }
    ]
)


def test_a_comment_is_posted(tmp_path):
    done, calls, text = posted(tmp_path, REPORT)
    assert done.returncode == 0, done.stderr
    assert "head=them:$(touch hacked)" in calls[0]
    assert calls[-1][:4] == ["api", "--silent", "--method", "POST"]
    assert calls[-1][4] == "repos/us/mibench/issues/7/comments"
    assert "<img" not in text
    assert text.count("````") == 2


def test_the_comment_of_an_earlier_run_is_updated(tmp_path):
    _, calls, _ = posted(tmp_path, REPORT, comment="41\n42\n")
    assert calls[-1][:5] == ["api", "--silent", "--method", "PATCH", "repos/us/mibench/issues/comments/41"]


def test_nothing_is_posted_where_the_pull_request_is_gone(tmp_path):
    done, calls, _ = posted(tmp_path, REPORT, found="")
    assert (done.returncode, len(calls)) == (0, 1)


@pytest.mark.parametrize("report", ["{", "[3]", '{"name": "n"}', "[" * 100_000])
def test_a_report_that_is_none_is_refused(tmp_path, report):
    done, calls, _ = posted(tmp_path, report)
    assert done.returncode != 0
    assert calls == []
    assert "Traceback" not in done.stderr


def test_the_comment_is_found_by_how_reports_begin():
    from mibench.intake.report_text import markdown

    begins = re.search(r'startswith\("([^"]+)"\)', script(POST, "Post it")["run"]).group(1)
    assert markdown([]).startswith(begins)
