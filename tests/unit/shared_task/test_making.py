"""Methods in a round: their artifacts are made in a real sandbox by a light maker; the scorer pretends."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import get_args

import evaluation_cases
import pytest
from code_submissions import artifact_bytes, code_submission, light_maker, writing
from evaluation_cases import prepare
from open_rounds import START, open_round, submission

import mibench.intake.make as module
from mibench.core.errors import SandboxError, StoreError
from mibench.intake.check import Asked, check_submission
from mibench.intake.make import End, NotMadeError
from mibench.intake.round import Limits, read_round
from mibench.records.store import Store
from mibench.sandbox.run import Outcome
from mibench.shared_task import making
from mibench.shared_task.closing import close_round
from mibench.shared_task.contenders import contenders
from mibench.shared_task.drive import Pace, evaluate
from mibench.shared_task.made import MADE, holds_methods, is_ready, made_folder
from mibench.shared_task.publishing import publish
from mibench.shared_task.reasons import reason_of_making
from mibench.shared_task.standings import make_standings
from mibench.shared_task.standings_text import standings_json, standings_markdown
from mibench.shared_task.states import State

WORKER = (sys.executable, str(Path(evaluation_cases.__file__)))


@pytest.fixture(autouse=True)
def _light(monkeypatch):
    monkeypatch.setattr(module, "MAKER", light_maker())


@pytest.fixture
def state(tmp_path):
    found = open_round(tmp_path, valid_per_week=100, accepts_code=True, seconds=10, memory_bytes=256 * 2**20)
    prepare(found.folder)
    return found


@pytest.fixture
def key(state):
    return state.register("team", "a@example.org")


@pytest.fixture
def good(tmp_path):
    return artifact_bytes(tmp_path)


@pytest.fixture
def hand_in(state, tmp_path, key):
    """Hands in a method as the next version."""
    rules = read_round(state.folder.round_file)

    def put(text, *, description="good"):
        number = len(state.entries()) + 1
        source = code_submission(tmp_path / f"home{number}", text, f"team__method@{number}", description=description)
        entry, report = state.hand_in(
            source, key, lambda path: check_submission(path, Asked(rules=rules.rules(), round=rules))
        )
        assert report.passed, report.failures
        return entry

    return put


@pytest.fixture
def run(state, backend):
    """Evaluates the standings."""

    def go(*, trust_code=True, split="standings"):
        return evaluate(state.folder, split, 1, backend, Pace(worker=WORKER, poll=0.02, trust_code=trust_code))

    return go


def test_methods_wait_until_code_is_trusted(state, hand_in, run, good, tmp_path, key):
    hand_in(writing(good))
    other = submission(tmp_path / "artifacts", "2", description="good")
    state.hand_in(other, key, lambda path: check_submission(path, Asked()))
    report = run(trust_code=False)
    assert (report.scored, report.unmade, report.failed) == ([2], [1], {})
    assert (state.entry(1).state, made_folder(state.folder, state.entry(1))) == (State.CHECKED, None)
    report = run()
    assert (report.scored, report.unmade) == ([1], [])
    state.check_audit()


def test_what_is_scored_is_what_the_method_made(state, hand_in, run, good):
    entry = hand_in(writing(good))
    assert holds_methods(state.folder, entry)
    assert not is_ready(state.folder, entry)
    assert run().scored == [1]
    made = made_folder(state.folder, entry)
    facts = json.loads((made.parent / "made.json").read_text(encoding="utf-8"))
    assert facts["reproduced"] is True
    assert facts["made_from"] == state.report(1).manifest_sha256
    assert {one.name for one in made.parent.iterdir()} == {"made.json", "team__method@1"}
    assert {one.name for one in made.parent.parent.iterdir()} == {"team__method@1", "report.json", MADE}
    (record,) = Store(state.folder.records("standings")).query()
    assert (record.cell.method.name, record.cell.method.code_digest) == ("team/method@1", None)
    assert record.cell.method.artifact_digest is not None
    assert (state.folder.private / "logs" / "000001-made.txt").read_text(encoding="utf-8") == "made\n\n"


REASONS = {
    "print('PRIVATE'); raise SystemExit(7)": "A method of it crashed with exit status 7.",
    "raise ValueError('PRIVATE')": "A method of it crashed with exit status 1.",
    "room = bytearray(800 * 2**20)": "A method of it took more than 268435456 bytes of memory.",
    "import os; os._exit(0)": "A method of it left no artifact, or one that is no plain file within the limits.",
    "import os; os.symlink('/etc/passwd', out + '/0000.safetensors'); os._exit(0)": "A method of it left no artifact, "
    "or one that is no plain file within the limits.",
    "DATA = b'x'; open(out + '/0000.safetensors', 'wb').write(DATA); import os; os._exit(0)": "What its methods made "
    "does not pass the check of artifacts.",
}


def test_methods_that_fail_say_why_in_fixed_words_and_stop_no_other(state, hand_in, run, good):
    for before in REASONS:
        hand_in(writing(good, before))
    hand_in(writing(good))
    report = run()
    assert report.failed == dict(enumerate(REASONS.values(), start=1))
    assert report.scored == [len(REASONS) + 1]
    for number in report.failed:
        entry = state.entry(number)
        assert (entry.state, entry.reason) == (State.FAILED, report.failed[number])
        assert {one.name for one in state.folder.submission(number).iterdir()} == {entry.folder_name, "report.json"}
    assert "PRIVATE" in (state.folder.private / "logs" / "000002-made.txt").read_text(encoding="utf-8")
    assert all("PRIVATE" not in str(line) for line in state.audit())
    state.check_audit()
    assert run().failed == {}


def test_every_end_of_a_making_has_its_sentence():
    limits = Limits(seconds=10)
    reasons = [reason_of_making(NotMadeError(end, "PRIVATE"), limits) for end in get_args(End)]
    assert len(set(reasons)) == len(reasons)
    assert "Its methods took longer than 10 seconds." in reasons
    assert not any("PRIVATE" in reason for reason in reasons)


def test_what_was_made_is_not_made_again_after_a_kill(state, hand_in, backend, run, good):
    entry = hand_in(writing(good))
    broken = Pace(worker=(sys.executable, "-c", "raise SystemExit(1)"), poll=0.02, trust_code=True)
    with pytest.raises(SandboxError):
        evaluate(state.folder, "standings", 1, backend, broken)
    assert state.entry(1).state is State.RUNNING
    made = made_folder(state.folder, entry)
    before = {path: path.stat().st_mtime_ns for path in made.rglob("*")}
    # It is there, so that no code has to be trusted to score it.
    assert run(trust_code=False).scored == [1]
    assert {path: path.stat().st_mtime_ns for path in made.rglob("*")} == before


def test_what_a_killed_making_left_is_removed(state, hand_in, run, good):
    entry = hand_in(writing(good))
    left = state.folder.submission(entry.id) / ".making-0123"
    shutil.copytree(state.folder.submission(entry.id) / entry.folder_name, left / entry.folder_name)
    assert made_folder(state.folder, entry) is None
    assert run().scored == [1]
    assert not left.exists()


def test_methods_that_are_killed_are_tried_again(state, hand_in, run, good, monkeypatch):
    hand_in(writing(good, "import os; os.kill(os.getpid(), 9)"))
    hand_in(writing(good))
    tries = []

    def counted(source, parent, means):
        tries.append(source.name)
        if source.name.endswith("@2") and len(tries) < 5:
            raise NotMadeError("failed", "It was killed.", outcome=Outcome("failed", -9, 1.0, 5, ""))
        return module.make_submission(source, parent, means)

    monkeypatch.setattr(making, "make_submission", counted)
    report = run()
    assert (report.scored, report.failed) == ([2], {1: "A method of it crashed with exit status -9."})
    assert tries == ["team__method@1"] * 3 + ["team__method@2"] * 2


def test_a_file_that_was_changed_by_others_is_not_run(state, hand_in, run, good):
    entry = hand_in(writing(good))
    (state.folder.submission(1) / entry.folder_name / "method.py").write_text("x", encoding="utf-8")
    assert run().failed == {1: "Its files are not those that were handed in."}


def test_reproduced_methods_are_ranked_with_artifacts_and_others_by_themselves(state, hand_in, run, good, tmp_path):
    other = artifact_bytes(tmp_path, seed=1)
    hand_in(writing(good))
    hand_in(f"OTHER = {other!r}\n" + writing(good, "global DATA\nDATA = OTHER if '/second/' in out else DATA"))
    hand_in(writing(good, "raise SystemExit(3)"))
    run()
    found = contenders(state.folder, state.entries(), "standings")
    assert [one.made for one in found] == [True, False, False]
    assert [one.kinds for one in found] == [("artifact", "code"), ("code",), ("code",)]
    standings = make_standings(read_round(state.folder.round_file), "standings", found)
    rows = {one.name: [row.entry.id for row in one.rows] for one in standings.boards}
    assert rows == {"circuits": [1], "circuits (code)": [2, 1, 3]}
    values = json.loads(standings_json(standings))
    first = values["boards"][0]["entries"][0]
    assert (first["handed_in"], first["reproduced"]) == ("code", True)
    assert "(code, reproduced)" in standings_markdown(standings).decode()
    publish(state.folder, state, START)
    page = (state.folder.public / "standings" / "standings.md").read_text(encoding="utf-8")
    assert page.index("## circuits\n") < page.index("(code, reproduced)") < page.index("## circuits (code)")
    assert "A method of it crashed with exit status 3." in page
    (state.folder.submission(1) / MADE / "made.json").write_text("{}", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be used"):
        contenders(state.folder, state.entries(), "standings")


def test_the_final_scores_what_was_made_and_the_archive_keeps_it(state, hand_in, run, good, key):
    hand_in(writing(good))
    run()
    state.nominate(1, key)
    done = close_round(state.folder, state, "enough")
    kept = {path.relative_to(done.archive).as_posix() for path in done.archive.rglob("*") if path.is_file()}
    own = "submissions/000001"
    assert {
        f"{own}/made/made.json",
        f"{own}/made/team__method@1/artifacts/0000.safetensors",
        f"{own}/team__method@1/method.py",
    } <= kept
    assert run(trust_code=False, split="final").scored == [1]
