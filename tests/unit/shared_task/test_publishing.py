"""What is published of a round, and when; and that nothing private is in it."""

from __future__ import annotations

import json
import re

import pytest
from opening_cases import NOW, Clock, light, opened, passes, score, scored

from mibench.core.errors import RoundError, StoreError
from mibench.shared_task.contenders import contenders
from mibench.shared_task.publishing import Reveal, publish
from mibench.shared_task.state import RoundState

ENTRIES = {"a__m@1": 0.3, "b__m@1": 0.6, "b__m@2": None, "c__m@1": "waits"}


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def folder(tmp_path):
    return opened(tmp_path)[0]


def bytes_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def standings(folder, split="standings"):
    return json.loads((folder.public / split / "standings.json").read_text())["boards"][0]


def secrets_of(folder):
    """Everything that must not get out: the salt, and what the rows say."""
    rows = [line for path in folder.private.rglob("*.jsonl") for line in path.read_text().splitlines()]
    return [folder.salt_file.read_text().strip(), *(json.loads(line)["prompt"] for line in rows)]


def test_standings_tables_and_a_front_page_are_published(folder, tmp_path, clock):
    state, _ = scored(folder, tmp_path, ENTRIES, clock)
    done = publish(folder, state, NOW)
    assert (done.splits, done.waiting, done.revealed) == (("standings",), 0, False)
    assert {"README.md", "index.html", "round.json", "standings/standings.md"} <= set(bytes_of(folder.public))
    found = standings(folder)
    assert [(row["team"], row["place"]) for row in found["entries"]] == [("a", 1), ("b", 2), ("b", None)]
    assert found["entries"][2]["why_unranked"].startswith("Scoring crashed")
    assert (folder.public / "round.json").read_bytes() == folder.round_file.read_bytes()


def test_the_front_page_says_what_when_how_many_and_how_to_check(folder, tmp_path, clock):
    state, _ = scored(folder, tmp_path, ENTRIES, clock)
    publish(folder, state, NOW)
    for name in ("README.md", "index.html"):
        text = re.sub(r"<[^>]*>|[`\\]", "", (folder.public / name).read_text())
        assert "Standings: scored while the round runs" in text
        assert "2026-03-02T12:00:00+00:00" in text
        assert "4 (1 CHECKED, 1 FAILED, 2 SCORED)" in text
        assert "ioi 1" in text
        assert "distance_absolute 1" in text
        assert "mibench shared-task verify round.json reveal" in text
        assert state.audit()[-1].hash in text


def test_the_tables_have_a_row_for_each_entry_by_its_whole_name(folder, tmp_path, clock):
    state, _ = scored(folder, tmp_path, ENTRIES, clock)
    publish(folder, state, NOW)
    text = (folder.public / "standings" / "leaderboard" / "leaderboard.md").read_text()
    assert re.findall(r"([abc]/m@\d) ", text) == ["a/m@1", "b/m@1"]


def test_nothing_private_is_published(folder, tmp_path, clock):
    state, keys = scored(folder, tmp_path, ENTRIES, clock)
    publish(folder, state, NOW)
    content = b"".join(bytes_of(folder.public).values()).decode(errors="replace")
    hidden = [*secrets_of(folder), *keys.values(), str(tmp_path)]
    assert len(hidden) > 8
    assert [word for word in hidden if word in content] == []
    assert not list(folder.public.rglob("*.parquet"))


def test_equal_states_give_equal_bytes(folder, tmp_path, clock):
    state, _ = scored(folder, tmp_path, ENTRIES, clock)
    publish(folder, state, NOW)
    before = bytes_of(folder.public)
    publish(folder, RoundState(folder), NOW)
    assert bytes_of(folder.public) == before


def test_a_superseded_version_is_on_the_page_without_a_rank(folder, tmp_path, clock):
    state, keys = scored(folder, tmp_path, {"a__m@1": 0.3}, clock)
    entry, _ = state.hand_in(light(tmp_path / "in", "a__m@2", supersedes="1"), keys["a"], passes)
    score(folder, state, entry, "standings", 0.5)
    publish(folder, state, NOW)
    found = standings(folder)
    assert [(row["version"], row["place"]) for row in found["entries"]] == [("2", 1)]
    assert [row["why_unranked"] for row in found["shown_only"]] == ["superseded by version 2"]
    text = (folder.public / "standings" / "leaderboard" / "leaderboard.md").read_text()
    assert "on the superseded board: shown, not ranked" in text


def test_a_withdrawn_entry_loses_its_rank_and_its_number(folder, tmp_path, clock):
    state, keys = scored(folder, tmp_path, {"a__m@1": 0.3125, "b__m@1": 0.6}, clock)
    publish(folder, state, NOW)
    state.withdraw(1, keys["a"])
    publish(folder, state, NOW)
    assert [row["team"] for row in standings(folder)["entries"]] == ["b"]
    for path in folder.public.rglob("*"):
        assert path.is_dir() or "0.3125" not in path.read_text(), path


def test_final_results_wait_for_closing_and_for_the_last_score(folder, tmp_path, clock):
    state, keys = scored(folder, tmp_path, {"a__m@1": 0.3, "b__m@1": 0.6}, clock)
    state.nominate(1, keys["a"])
    state.nominate(2, keys["b"])
    assert publish(folder, state, NOW).splits == ("standings",)
    state.close("all are done")
    assert (publish(folder, state, NOW).splits, publish(folder, state, NOW).waiting) == (("standings",), 2)
    score(folder, state, state.entry(1), "final", 0.9)
    assert publish(folder, state, NOW).waiting == 1
    assert not (folder.public / "final").exists()
    score(folder, state, state.entry(2), "final", 0.2)
    assert publish(folder, state, NOW).splits == ("final", "standings")
    assert [row["team"] for row in standings(folder, "final")["entries"]] == ["b", "a"]
    assert [row["team"] for row in standings(folder)["entries"]] == ["a", "b"]
    assert "Closed on" in (folder.public / "README.md").read_text()
    assert (folder.public / "audit.jsonl").read_text().count("\n") == len(state.audit())


def test_words_of_the_rules_do_not_act_on_the_front_page(tmp_path, clock):
    folder, _ = opened(tmp_path, title="<script>alert(1)</script>", organiser="[x](javascript:y)")
    publish(folder, RoundState(folder, clock), NOW)
    for path in folder.public.rglob("*"):
        assert path.is_dir() or path.name == "round.json" or "<script>" not in path.read_text(), path
    assert "[x](javascript" not in (folder.public / "README.md").read_text()


def test_without_entries_there_is_a_page_too(folder, clock):
    publish(folder, RoundState(folder, clock), NOW)
    assert standings(folder)["entries"] == []
    assert "There are no entries yet." in (folder.public / "standings" / "standings.md").read_text()


def test_splits_are_revealed_after_closing_and_after_the_last_score(folder, tmp_path, clock):
    state, keys = scored(folder, tmp_path, {"a__m@1": 0.3}, clock)
    state.nominate(1, keys["a"])
    for reveal in (Reveal(wanted=True), Reveal(wanted=True, unscored=True)):
        with pytest.raises(RoundError, match="not closed"):
            publish(folder, state, NOW, reveal)
    state.close("all are done")
    with pytest.raises(RoundError, match="not revealed"):
        publish(folder, state, NOW, Reveal(wanted=True))
    assert not (folder.public / "reveal").exists()
    assert publish(folder, state, NOW, Reveal(wanted=True, unscored=True)).revealed
    assert "are in reveal/" in (folder.public / "README.md").read_text()
    assert publish(folder, state, NOW).revealed


def test_a_broken_record_stops_the_publication_with_its_name(folder, tmp_path, clock):
    state, _ = scored(folder, tmp_path, {"a__m@1": 0.3}, clock)
    (path,) = folder.records("standings").rglob("*.json")
    path.write_text(path.read_text().replace("a/m@1", "b/m@1"))
    with pytest.raises(StoreError, match="is not the record of its cell"):
        publish(folder, state, NOW)


def test_entries_that_never_passed_or_still_wait_are_no_contenders(folder, tmp_path, clock):
    state, _ = scored(folder, tmp_path, ENTRIES, clock)
    found = contenders(folder, state.entries(), "standings")
    assert [(one.label, one.status, len(one.records)) for one in found] == [
        ("a/m@1", "scored", 1),
        ("b/m@1", "scored", 1),
        ("b/m@2", "failed", 0),
    ]
    assert contenders(folder, state.entries(), "final") == []
