"""The draft of a round: valid, full of questions, and with a secret that nobody else reads."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opening_cases import values

from mibench.core.errors import StoreError, UsageError
from mibench.intake.manifest import FILL_IN
from mibench.intake.round import Board, CellGroup, Limits, RoundRules, Scoring
from mibench.intake.strict_yaml import load_strict
from mibench.shared_task.draft import write_draft, write_secret
from mibench.shared_task.folder import RoundFolder
from mibench.shared_task.rule_faults import rule_faults
from mibench.shared_task.rules import read_rules

NOW = datetime(2030, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path):
    write_draft(tmp_path / "ROUND", "demo", NOW)
    return RoundFolder(tmp_path / "ROUND")


def filled(folder, **changes):
    """Fill the draft in."""
    text = folder.rules_file.read_text()
    own = {"deadline": '"2030-05-01T23:59:00+02:00"'} | changes
    for key, value in own.items():
        text = text.replace(f"{key}: {FILL_IN}", f"{key}: {value}")
    folder.rules_file.write_text(text.replace(FILL_IN, "something"))


def test_private_things_are_for_their_owner_alone(folder):
    assert stat.S_IMODE(folder.private.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.salt_file.stat().st_mode) == 0o600
    assert len(bytes.fromhex(folder.salt_file.read_text())) == 32


def test_two_rounds_have_two_salts(folder, tmp_path):
    write_draft(tmp_path / "other", "demo", NOW)
    assert RoundFolder(tmp_path / "other").salt_file.read_text() != folder.salt_file.read_text()


def test_every_question_is_a_fault_until_it_is_answered(folder):
    found = read_rules(folder.rules_file)
    assert [one.what for one in found.failures] == [
        f"'{key}' is not filled in." for key in ("title", "organiser", "contact", "deadline", "cells[0].models[0]")
    ]
    assert all(one.why and one.do for one in found.failures)


def test_filled_in_it_holds_the_rules_with_their_defaults(folder):
    filled(folder)
    found = read_rules(folder.rules_file)
    assert not found.failures
    assert (found.rules.limits, found.rules.scoring) == (Limits(), Scoring())
    assert found.rules.name == "demo"
    assert found.rules.opens == NOW


def test_the_draft_shows_every_key_that_has_a_default(folder):
    values = load_strict(folder.rules_file.read_text(), "round.yaml")
    assert set(values) == {*RoundRules.model_fields, "private"} - {"page"}
    assert set(values["limits"]) == set(Limits.model_fields)
    assert set(values["scoring"]) == set(Scoring.model_fields)


@pytest.mark.parametrize("name", ["round.yaml", "round.json", "private", "state.sqlite"])
def test_nothing_is_overwritten(tmp_path, name):
    place = tmp_path / "ROUND"
    place.mkdir()
    (place / name).write_text("mine")
    with pytest.raises(UsageError, match="not overwritten"):
        write_draft(place, "demo", NOW)
    assert [path.name for path in place.iterdir()] == [name]
    assert (place / name).read_text() == "mine"


def test_a_folder_that_cannot_be_made_and_a_name_that_cannot_be_used_are_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises((StoreError, UsageError)):
        write_draft(tmp_path / "file" / "ROUND", "demo", NOW)
    with pytest.raises(UsageError, match="cannot be used"):
        write_draft(tmp_path / "ROUND", "../demo", NOW)
    assert not (tmp_path / "ROUND").exists()


def test_a_secret_takes_no_other_files_place(tmp_path):
    (tmp_path / "salt").write_text("mine")
    with pytest.raises(FileExistsError):
        write_secret(tmp_path / "salt", "other")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a: &x 1\nb: *x\n", "round.yaml cannot be used."),
        ("!!python/object:os.system {}", "round.yaml cannot be used."),
        ("title: a\ntitle: b\n", "round.yaml cannot be used."),
        ("- a\n", "round.yaml has no rules."),
        ("title: a\nprize: 1\n", "'prize' is no key of the rules."),
        ("limits: {second: 10}\n", "'limits.second' is no key of the rules."),
        ("limits: {seconds: 1}\n", "'limits.seconds' does not fit."),
        ("deadline: 2030-05-01T23:59:00\n", "'deadline' does not fit."),
        ("private: {model_folder: {}}\n", "'private.model_folder' is no key of the rules."),
        ("cells: []\n", "'cells' does not fit."),
        ("boards: [{name: b, track: circuit, headline: cpr, aggregate: sum}]\n", "'boards[0].aggregate' does not fit."),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, text, what):
    (tmp_path / "round.yaml").write_text(text)
    found = read_rules(tmp_path / "round.yaml")
    assert what in [one.what for one in found.failures]
    assert all(one.why and one.do for one in found.failures)


def test_a_list_with_a_wrong_part_is_not_called_too_short(tmp_path):
    (tmp_path / "round.yaml").write_text("cells: [{track: circuit, tasks: [ioi], level: edgy}]\n")
    told = [one.what for one in read_rules(tmp_path / "round.yaml").failures]
    assert "'cells[0].level' does not fit." in told
    assert "'cells' does not fit." not in told


def test_paths_begin_where_the_rules_are(folder):
    text = folder.rules_file.read_text()
    folder.rules_file.write_text(text.replace("model_folders: {}", "model_folders: {a: ../a, b: /b}"))
    found = read_rules(folder.rules_file).private.model_folders
    assert {name: str(path) for name, path in found.items()} == {"a": str(folder.path.parent / "a"), "b": "/b"}


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["ioi", "sae", "circuit"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
PLACES = [(key,) for key in (*RoundRules.model_fields, "private")]
PLACES += [("cells", 0, key) for key in CellGroup.model_fields] + [("boards", 0, key) for key in Board.model_fields]
PLACES += [("limits", key) for key in Limits.model_fields] + [("private", "texts"), ("cells", 0), ("boards", 0)]


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.sampled_from(PLACES), value=JSON)
def test_whatever_stands_in_a_place_the_faults_are_told(tmp_path, place, value):
    own = json.loads(json.dumps(values(tmp_path)))
    own["limits"] = {}
    inside = own
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = value
    path = tmp_path / "round.yaml"
    path.write_text(json.dumps(own), encoding="utf-8")
    found = read_rules(path)
    told = [*found.failures, *rule_faults(found.rules, found.private, NOW)]
    assert all(one.what and one.why and one.do for one in told)
    assert told or RoundRules.model_validate(found.rules.model_dump()) == found.rules
