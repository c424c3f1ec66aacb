from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from mibench.core.errors import DataError, StoreError, UsageError
from mibench.core.specs import Track
from mibench.models.load import load_hf
from mibench.runner.cells.workbench import Workbench
from mibench.tasks.ioi.generate import RECIPE
from mibench.tasks.load import list_tasks, load_task
from mibench.tasks.private.commit import commitment, file_digests
from mibench.tasks.private.keys import SPLITS
from mibench.tasks.private.make import PrivateWish, make_splits, refused
from mibench.tasks.private.needs import needs
from mibench.tasks.private.overlay import overlay_in_use, use_overlay
from mibench.tasks.sae.dictionary_task import DICTIONARY_TASKS
from mibench.tasks.variable_task import list_variable_tasks

SALT = b"s" * 32
MODEL = Path(__file__).parents[3] / "golden" / "tiny_gpt2"
ROWS = 6
WISH = PrivateWish(((Track.CIRCUIT, "ioi"), (Track.VARIABLE, "ioi"), (Track.VARIABLE, "mcqa")), ROWS)


@pytest.fixture
def made(tmp_path):
    make_splits(WISH, SALT, tmp_path / "private")
    return tmp_path / "private"


def test_both_splits_are_written_with_their_digests_and_nothing_else(made):
    assert sorted(path.name for path in made.iterdir()) == ["final", "standings"]
    for split in SPLITS:
        files = {f"{name}/{file}" for name in ("ioi", "mcqa-interchange") for file in ("digests.json", "test.jsonl")}
        assert set(file_digests(made / split)) == files
        told = json.loads((made / split / "ioi" / "digests.json").read_text())
        assert told == {"rows": {"test": ROWS}, "sha256": {"test.jsonl": file_digests(made / split)["ioi/test.jsonl"]}}
        assert (made / split).stat().st_mode & 0o077 == 0


def test_a_wish_and_a_salt_fix_every_byte(made, tmp_path):
    make_splits(WISH, SALT, tmp_path / "again")
    make_splits(WISH, b"t" * 32, tmp_path / "other")
    for split in SPLITS:
        assert commitment(tmp_path / "again" / split, SALT) == commitment(made / split, SALT)
        assert file_digests(tmp_path / "other" / split) != file_digests(made / split)


def test_a_cell_has_another_task_digest_and_the_same_training_rows(made):
    class Words:
        bos_id = 0

        def encode(self, text):
            return [sum(map(ord, word)) % 50 for word in re.findall(r" ?\w+|[^\w ]", text)]

    hf = replace(load_hf(str(MODEL)), tokenizer=Words())

    def refs():
        bench = Workbench(hf)
        test, train, validation = (bench.examples("ioi", split, ROWS) for split in ("test", "train", "validation"))
        return bench.task_ref("ioi", test, train, validation)

    public = refs()
    found = {"public": public.digest}
    for split in SPLITS:
        use_overlay(made / split)
        private = refs()
        found[split] = private.digest
        assert private == public.model_copy(update={"digest": private.digest})
    assert len(set(found.values())) == 3


def test_the_splits_share_no_prompt_and_none_is_public(made):
    task = load_task("ioi")
    public = {pair.clean for split in task.splits for pair in task.pairs(split)}
    found = []
    for split in SPLITS:
        use_overlay(made / split)
        found.append({pair.clean for pair in task.pairs("test")})
    assert [len(one) for one in found] == [ROWS, ROWS]
    assert not found[0] & found[1]
    assert not (found[0] | found[1]) & public


def test_private_splits_are_made_once(made):
    before = commitment(made / "final", SALT)
    with pytest.raises(UsageError, match="already there"):
        make_splits(WISH, b"t" * 32, made)
    assert commitment(made / "final", SALT) == before


def test_what_a_killed_process_left_is_put_aside(tmp_path):
    (tmp_path / ".making" / "standings" / "ioi").mkdir(parents=True)
    (tmp_path / ".making" / "standings" / "ioi" / "test.jsonl").write_text("{")
    make_splits(WISH, SALT, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["final", "standings"]


@pytest.mark.parametrize("rows", [0, -1])
def test_no_rows_and_a_short_salt_are_refused_and_nothing_is_written(tmp_path, rows):
    with pytest.raises(UsageError, match="not possible"):
        make_splits(replace(WISH, rows=rows), SALT, tmp_path)
    with pytest.raises(DataError, match="too short"):
        make_splits(WISH, b"short", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="could not be written"):
        make_splits(WISH, SALT, tmp_path / "file" / "private")


def test_the_overlay_in_use_is_the_same_after(made, tmp_path):
    use_overlay(made / "final")
    make_splits(WISH, SALT, tmp_path / "again")
    assert overlay_in_use() == made / "final"
    assert commitment(tmp_path / "again" / "final", SALT) == commitment(made / "final", SALT)


def test_text_and_hub_rows_are_private_too(toy, held_back, tmp_path):
    hub = tmp_path / "hub"
    hub.mkdir()
    rows = [json.dumps(row) for row in RECIPE.rows("test", 560)[500:]]
    (hub / "test.jsonl").write_text("\n".join(rows))
    tasks = ((Track.SAE, "sae-core"), (Track.CIRCUIT, "mib/ioi"), (Track.VARIABLE, "mib/ioi"))
    wish = PrivateWish(tasks, 5, texts={"toy": held_back}, folders={"mib/ioi": hub})
    assert refused(wish) == []
    make_splits(wish, SALT, tmp_path / "private")
    use_overlay(tmp_path / "private" / "final")
    assert len(load_task("mib/ioi").pairs("test")) == 5
    assert all("Secret" in one.text for one in toy.documents("test"))


def test_every_fault_is_listed(toy, held_back, tmp_path):
    (held_back / "leak.txt").write_text(next(toy.documents("train")).text)
    tasks = (
        *((Track.CIRCUIT, name) for name in ("ioi", "planted-ioi", "nothing")),
        (Track.VARIABLE, "mib/ravel"),
        *((Track.SAE, name) for name in ("sae-absorption", "sae-synthetic", "sae-core")),
    )
    wish = PrivateWish(tasks, ROWS, texts={"toy": held_back})
    faults = refused(wish)
    assert [fault.what for fault in faults] == [
        "The task 'planted-ioi' cannot be private.",
        "Unknown task 'nothing'.",
        "The task 'sae-absorption' cannot be private.",
        "The task 'sae-synthetic' cannot be private.",
        "The task 'mib/ravel' has no private rows.",
        "leak.txt is not private.",
    ]
    assert "a salted one" in faults[3].why
    with pytest.raises(DataError, match="planted-ioi"):
        make_splits(wish, SALT, tmp_path / "private")
    assert not (tmp_path / "private").exists()


def test_tasks_on_text_need_text():
    assert [fault.what for fault in refused(PrivateWish(((Track.SAE, "sae-core"),), 5))] == ["No text is held back."]


def test_rows_that_a_task_cannot_read_are_found_before_anything_is_there(tmp_path):
    hub = tmp_path / "hub"
    hub.mkdir()
    (hub / "test.jsonl").write_text("".join(f'{{"prompt": "row {number}"}}\n' for number in range(40)))
    wish = PrivateWish(((Track.CIRCUIT, "mib/ioi"),), 3, folders={"mib/ioi": hub})
    with pytest.raises(DataError, match="metadata"):
        make_splits(wish, SALT, tmp_path / "private")
    assert list((tmp_path / "private").iterdir()) == []


def test_every_task_is_private_or_says_why_not():
    known = {
        Track.CIRCUIT: [one.name for one in list_tasks()],
        Track.VARIABLE: [one.name for one in list_variable_tasks()],
        Track.SAE: DICTIONARY_TASKS.names(),
    }
    private = {(track, task) for track, tasks in known.items() for task in tasks if not _refused(track, task)}
    assert {task for track, task in private if track is Track.SAE} == {
        "sae-causal", "sae-core", "sae-explainability", "sae-probing", "sae-scr", "sae-tpp",
    }  # fmt: skip
    own = {(track, task) for track, task in private if track is not Track.SAE and not task.startswith("mib/")}
    assert own == {(track, task) for track, tasks in make_known(known).items() for task in tasks}


def make_known(known):
    """Tasks on generated sets: all but those of models whose mechanism is known."""
    own = {}
    for track in (Track.CIRCUIT, Track.VARIABLE):
        own[track] = [name for name in known[track] if not name.startswith(("mib/", "planted-", "siit-"))]
    return own


def _refused(track, task):
    try:
        needs(track, task)
    except DataError as error:
        return f"'{task}' cannot be private" in error.what and bool(error.why)
    return False


def test_a_dictionary_task_needs_what_it_reads():
    assert [need.name for need in needs(Track.SAE, "sae-scr")] == ["reviews", "bios"]
    assert [(need.kind, need.name) for need in needs(Track.SAE, "sae-causal")] == [("generated", "ravel")]
    assert len(needs(Track.SAE, "sae-probing")) == 8


@pytest.mark.slow
def test_all_tasks_together_are_made_and_read(toy, held_back, tmp_path):
    tasks = [(Track.SAE, name) for name in ("sae-causal", "sae-core", "sae-probing", "sae-tpp")]
    for track, listed in ((Track.CIRCUIT, list_tasks()), (Track.VARIABLE, list_variable_tasks())):
        tasks += [(track, one.name) for one in listed if not one.name.startswith(("mib/", "planted-", "siit-"))]
    make_splits(PrivateWish(tuple(tasks), 60, texts={"toy": held_back}), SALT, tmp_path / "private")
    assert len(file_digests(tmp_path / "private" / "final")) == 13 + 8 + 12
