from __future__ import annotations

import hashlib
import json
import shutil

import pytest

from mibench.core.errors import DataError, UsageError
from mibench.tasks.corpora.load import load_corpus
from mibench.tasks.load import load_task
from mibench.tasks.mib.hub import HubData
from mibench.tasks.private.overlay import forget_on_change, overlay_file, overlay_in_use, use_overlay
from mibench.tasks.probing.shipped import crossed_texts
from mibench.tasks.shipped import data_folder
from mibench.tasks.variable_task import load_variable_task

HUB = HubData("mib/toy-set", "mib-bench/toy", "0" * 40, like="ioi")


def put(overlay, name, content):
    """Write a private file with its digest."""
    path = overlay / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    known = path.parent / "digests.json"
    found = json.loads(known.read_text())["sha256"] if known.exists() else {}
    known.write_text(json.dumps({"sha256": found | {path.name: hashlib.sha256(content.encode()).hexdigest()}}))
    return path


def last_rows(name, n):
    return "".join(f"{line}\n" for line in (data_folder(name) / "test.jsonl").read_text().splitlines()[-n:])


@pytest.fixture
def overlay(tmp_path):
    folder = tmp_path / "standings"
    put(folder, "ioi/test.jsonl", last_rows("ioi", 7))
    return folder


def test_it_is_off_by_default_and_is_switched_off_again(overlay):
    public = load_task("ioi").digest("test", 7)
    assert overlay_in_use() is overlay_file("ioi", "test.jsonl") is None
    use_overlay(overlay)
    assert overlay_in_use() == overlay
    assert overlay_file("ioi", "test.jsonl") == overlay / "ioi" / "test.jsonl"
    assert load_task("ioi").digest("test", 7) != public
    use_overlay(None)
    assert load_task("ioi").digest("test", 7) == public


@pytest.mark.parametrize("load", [load_task, load_variable_task])
def test_the_test_split_alone_is_replaced(overlay, load):
    task = load("ioi")
    before = {split: task.digest(split) for split in task.splits}
    use_overlay(overlay)
    after = {split: task.digest(split) for split in task.splits}
    assert [split for split in task.splits if before[split] != after[split]] == ["test"]


def test_private_rows_are_the_ones_in_the_file(overlay):
    use_overlay(overlay)
    wanted = [json.loads(line)["prompt"] for line in (overlay / "ioi" / "test.jsonl").read_text().splitlines()]
    assert [pair.clean for pair in load_task("ioi").pairs("test")] == wanted


def test_a_set_that_the_split_does_not_hold_is_refused_rather_than_read_in_public(overlay):
    use_overlay(overlay)
    with pytest.raises(DataError, match=r"no private data for mcqa/test\.jsonl"):
        load_task("mcqa").pairs("test")
    assert load_task("mcqa").pairs("train", 3)


def test_a_relative_overlay_stays_where_it_was(overlay, monkeypatch):
    monkeypatch.chdir(overlay.parent)
    use_overlay(overlay.relative_to(overlay.parent))
    monkeypatch.chdir("/")
    assert len(load_task("ioi").pairs("test")) == 7


def test_what_is_no_folder_is_refused_and_the_overlay_before_stays(overlay, tmp_path):
    use_overlay(overlay)
    for place in (tmp_path / "nothing", overlay / "ioi" / "test.jsonl"):
        with pytest.raises(UsageError, match="no private split"):
            use_overlay(place)
    assert overlay_in_use() == overlay


@pytest.mark.parametrize("change", ["row", "digests", "unnamed", "link"])
def test_files_that_are_not_as_their_digests_say_are_refused(overlay, tmp_path, change):
    path, digests = overlay / "ioi" / "test.jsonl", overlay / "ioi" / "digests.json"
    if change == "row":
        path.write_text(path.read_text().replace("the", "teh", 1))
    elif change == "digests":
        digests.write_text("[" * 100_000)
    elif change == "unnamed":
        digests.write_text('{"sha256": {}}')
    else:
        other = shutil.copyfile(data_folder("ioi") / "train.jsonl", tmp_path / "train.jsonl")
        path.unlink()
        path.symlink_to(other)
    use_overlay(overlay)
    with pytest.raises(DataError, match=r"digests|not the file|cannot be used"):
        load_task("ioi").pairs("test")


@pytest.mark.parametrize(
    "parts", [("..", "ioi", "test.jsonl"), ("ioi/test.jsonl",), ("", "x"), ("/etc", "passwd"), (".x",)]
)
def test_places_outside_the_overlay_are_not_there(overlay, parts):
    use_overlay(overlay / "ioi")
    with pytest.raises(DataError, match="no private data"):
        overlay_file(*parts)


def test_private_rows_of_a_hub_task_go_before_a_local_copy(overlay, tmp_path, monkeypatch):
    for split in ("train", "test"):
        (tmp_path / f"{split}.jsonl").write_text('{"x": "public"}\n')
    monkeypatch.setenv(HUB.local_copy, str(tmp_path))
    put(overlay, "mib/toy-set/test.jsonl", '{"x": "private"}\n')

    def read(split):
        return HUB.rows(split, read_x)

    def read_x(row, where):
        return row["x"]

    assert read("test") == ("public",)
    use_overlay(overlay)
    assert (read("train"), read("test")) == (("public",), ("private",))
    (overlay / "mib" / "toy-set" / "test.jsonl").write_text('{"x": "other"}\n')
    use_overlay(overlay)
    with pytest.raises(DataError, match="not the file"):
        read("test")


def test_private_text_takes_the_place_of_test_documents_in_its_order(overlay, toy):
    put(overlay, "corpora/toy.jsonl", '{"text": "b"}\n{"text": "a"}\n')
    before = [one.text for one in load_corpus("toy").documents("train")]
    assert "b" not in [one.text for one in load_corpus("toy").documents("test")]
    use_overlay(overlay)
    assert [one.text for one in load_corpus("toy").documents("test")] == ["b", "a"]
    assert [one.text for one in load_corpus("toy").documents("train")] == before


def test_a_corpus_of_the_users_own_has_no_private_text(overlay, toy, tmp_path):
    path = tmp_path / "own.jsonl"
    path.write_text("".join(json.dumps({"text": f"line {number}"}) + "\n" for number in range(5)))
    use_overlay(overlay)
    with pytest.raises(DataError, match=r"no private data for corpora/own\.jsonl"):
        list(load_corpus(str(path)).documents("test"))


def test_labelled_texts_come_from_the_overlay(overlay):
    put(overlay, "sae-probing/people.jsonl", '{"text": "x", "group": "people-0", "field": "musician"}\n')
    public = crossed_texts("people")
    use_overlay(overlay)
    assert [one.text for one in crossed_texts("people")] == ["x"]
    with pytest.raises(DataError, match="no private data for sae-probing/nouns"):
        crossed_texts("nouns")
    use_overlay(None)
    assert crossed_texts("people") == public


def test_caches_that_ask_for_it_are_emptied(overlay):
    calls = []
    forget_on_change(lambda: calls.append(1))
    use_overlay(overlay)
    use_overlay(None)
    assert calls == [1, 1]
