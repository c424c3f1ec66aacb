"""Opening a round: all faults in one run, or round.json as the last step."""

from __future__ import annotations

import json
import stat
from datetime import timedelta

import pytest
from opening_cases import BOARD, CIRCUITS, NOW, draft, model, opened, values

from mibench.core.errors import RoundError, StoreError, UsageError
from mibench.core.files import read_text
from mibench.intake.round import read_round
from mibench.shared_task.folder import RoundFolder
from mibench.shared_task.opening import model_folders, open_round, read_salt
from mibench.shared_task.reveal import verify
from mibench.shared_task.state import RoundState
from mibench.tasks.private.commit import check_commitment

VARIABLES = {"track": "variable", "tasks": ["ioi"], "models": ["tiny"], "heads": ["0.1"]}


def faults(folder, now=NOW):
    done = open_round(folder, {}, now)
    assert done.round is None
    assert not folder.round_file.exists()
    assert all(one.what and one.why and one.do for one in done.failures)
    return {one.what: f"{one.why} {one.do}" for one in done.failures}


def files(folder):
    return {path: path.read_bytes() for path in sorted(folder.path.rglob("*")) if path.is_file()}


def test_an_open_round_has_splits_commitments_versions_and_a_state(tmp_path):
    folder, own = opened(tmp_path, cells=[CIRCUITS, VARIABLES])
    assert read_round(folder.round_file) == own
    salt = read_salt(folder)
    for name in ("standings", "final"):
        check_commitment(folder.split(name), salt, own.commitments[name])
    assert own.commitments["standings"] != own.commitments["final"]
    assert (own.tasks, own.metrics) == ({"ioi": 1}, {"distance_absolute": 1})
    assert (set(own.models), own.opened) == ({"tiny"}, NOW)
    assert model_folders(folder) == {"tiny": tmp_path / "tiny"}
    assert RoundState(folder).entries() == []


def test_a_linear_target_needs_heads_that_are_not_a_submissions(tmp_path):
    without = {key: value for key, value in VARIABLES.items() if key != "heads"}
    told = faults(draft(tmp_path, cells=[CIRCUITS, without]))
    assert "fitted by swapping" in told["The task ioi needs a list of heads on tiny."]


def test_a_model_is_called_what_its_folder_is(tmp_path):
    other = {"model_folders": {"other": str(model(tmp_path / "tiny"))}}
    cells = [CIRCUITS | {"models": ["other"]}]
    told = faults(draft(tmp_path, cells=cells, private=other))
    assert "tiny" in told["The model 'other' has another name than its folder."]


def test_nothing_private_is_in_the_published_rules(tmp_path):
    folder, _ = opened(tmp_path)
    text = folder.round_file.read_text()
    assert folder.salt_file.read_text().strip() not in text
    assert str(tmp_path) not in text
    assert not {"private", "model_folders", "texts", "folders"} & set(json.loads(text))
    rows = [line for path in folder.private.rglob("*.jsonl") for line in path.read_text().splitlines()]
    assert rows
    assert not any(json.loads(line)["prompt"] in text for line in rows)


def test_what_is_private_is_for_its_owner_alone(tmp_path):
    folder, _ = opened(tmp_path)
    for path in (folder.private, folder.submissions, folder.records("standings").parent):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700, path
    for path in (folder.salt_file, folder.private / "organiser.json", folder.database):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_opening_an_open_round_says_so_and_changes_nothing(tmp_path):
    folder, own = opened(tmp_path)
    before = files(folder)
    folder.rules_file.write_text(read_text(folder.rules_file).replace("A demo", "Another"))
    before[folder.rules_file] = folder.rules_file.read_bytes()
    done = open_round(folder, {}, NOW + timedelta(days=1))
    assert (done.already, done.round) == (True, own)
    assert files(folder) == before


def test_all_faults_are_told_in_one_run(tmp_path):
    cells = [
        {"track": "circuit", "tasks": ["ioy", "planted-ioi"], "models": ["smolm2-135m", "tiny"]},
        CIRCUITS | {"tasks": ["mcqa", "mcqa"]},
        CIRCUITS | {"tasks": ["planted-ioi"]},
        VARIABLES | {"variables": ["output_tokens"]},
        {"track": "sae", "tasks": ["sae-core"], "hooks": ["residual.L1"]},
    ]
    boards = [
        BOARD | {"headline": "distance_absolut"},
        BOARD | {"name": "b", "headline": "normalised_iia"},
        BOARD | {"name": "c", "headline": "accuracy_full"},
        {"name": "s", "track": "sae", "headline": "probe_accuracy_k"},
        {"name": "t", "track": "sae", "headline": "scr_metric_threshold_10"},
    ]
    found = faults(
        draft(tmp_path, cells=cells, boards=boards, deadline="2026-03-02T11:00:00+00:00", organiser="FILL-IN")
    )
    told = {
        "The deadline 2026-03-02T11:00:00+00:00 has passed.": "It is 2026-03-02T12",
        "'organiser' is not filled in.": "FILL-IN",
        "There is no task 'ioy' in the track circuit.": "'ioi'",
        "The model 'smolm2-135m' is not known.": "'smollm2-135m'",
        "cells[1].tasks names mcqa twice.": "Remove one.",
        "cells[0] and cells[2] have the same cell.": "planted-ioi",
        "The task ioi has no variable 'output_tokens'.": "'output_token'",
        "cells[4] names no model.": "sae-core",
        "'residual.L1' is not the name of a hook point.": "cells[4]",
        "There is no metric 'distance_absolut' in the track circuit.": "'distance_absolute'",
        "The metric 'normalised_iia' is of the track variable, the board b of circuit.": "boards[1]",
        "Nothing is ranked by 'accuracy_full'.": "neither end",
        "The metric 'probe_accuracy_k' carries a number.": "probe_accuracy_k1",
        "Nothing is ranked by 'scr_metric_threshold_10'.": "fails audit",
    }
    for what, word in told.items():
        assert word in found[what], what
    # Planted tasks have public programs, which anyone can draw from: nothing of them can be private.
    assert any("planted-ioi" in what for what in set(found) - set(told))


def test_files_and_folders_that_are_not_there_are_named(tmp_path):
    private = {
        "model_folders": {"tiny": str(tmp_path / "no")},
        "texts": {"sotu": "no.txt"},
        "folders": {"mib/ioi": "no"},
    }
    found = faults(draft(tmp_path, private=private))
    assert set(found) >= {
        f"'private.{key}' names nothing that is here." for key in ("model_folders.tiny", "texts.sotu")
    }


def test_a_folder_that_is_no_model_is_a_fault(tmp_path):
    folder = draft(tmp_path)
    (tmp_path / "tiny" / "model.safetensors").unlink()
    assert any("has no weights" in what for what in faults(folder))


def test_generated_data_and_tasks_of_other_numbers_have_groups_and_boards_of_their_own(tmp_path):
    cells = [{"track": "sae", "tasks": ["sae-synthetic-toy", "sae-core"], "models": ["tiny"]}]
    board = {"name": "s", "track": "sae", "headline": "explained_variance_global"}
    found = faults(draft(tmp_path, cells=cells, boards=[board]))
    assert "cells[0] names a model or a hook for generated data." in found
    assert "The board s has no number for all its cells." in found


def test_a_round_may_take_methods(tmp_path):
    opened = open_round(draft(tmp_path, limits={"accepts_code": True}), {}, NOW)
    assert opened.failures == ()
    assert opened.round.rules().code


def test_models_can_be_given_on_the_command_line(tmp_path):
    folder = draft(tmp_path, private=None)
    assert "The model 'tiny' is not known." in faults(folder)
    assert open_round(folder, {"tiny": model(tmp_path / "tiny")}, NOW).round is not None
    assert model_folders(folder) == {"tiny": tmp_path / "tiny"}


def test_an_opening_that_was_cut_off_is_done_again(tmp_path, monkeypatch):
    folder = draft(tmp_path)

    def full(path, content):
        raise StoreError(f"{path} could not be written.", why="No space.", do="Free some.")

    with monkeypatch.context() as patch:
        patch.setattr("mibench.shared_task.opening.atomic_write", full)
        with pytest.raises(StoreError):
            open_round(folder, {}, NOW)
    assert not folder.round_file.exists()
    assert folder.split("final").is_dir()
    RoundState(folder).create()
    assert open_round(folder, {}, NOW).round is not None


def test_without_rules_or_salt_nothing_is_opened(tmp_path):
    with pytest.raises(UsageError):
        open_round(RoundFolder(tmp_path / "nowhere"), {}, NOW)
    folder = draft(tmp_path)
    for content in (None, "no hex", "00"):
        folder.salt_file.unlink(missing_ok=True)
        if content is not None:
            folder.salt_file.write_text(content)
        with pytest.raises(RoundError, match="has no salt"):
            open_round(folder, {}, NOW)
    assert not folder.round_file.exists()


def test_equal_salts_and_rules_give_equal_commitments(tmp_path):
    first, own = opened(tmp_path / "a") if (tmp_path / "a").mkdir() is None else (None, None)
    (tmp_path / "b").mkdir()
    second = draft(tmp_path / "b")
    second.salt_file.write_text(first.salt_file.read_text())
    assert open_round(second, {}, NOW).round.commitments == own.commitments
    assert verify(first.round_file, second.private)[0].fault == ""
    assert values(tmp_path)["name"] == own.name
