"""Standings: ranks in every cell, places by their mean, and a word for everyone who has none."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from standing_cases import BOARD, CIRCUITS, cell, contender, failed, number, record, rules, with_values

from mibench.core.specs import Track
from mibench.shared_task.standings import make_standings
from mibench.shared_task.standings_text import standings_json, standings_markdown


def board(entries, own=None, split="standings", place=0):
    return make_standings(own or rules(), split, entries).boards[place]


def places(found):
    return {row.entry.label: (row.place, row.mean_rank) for row in found.rows}


def whys(found):
    return {row.entry.label: row.why for row in (*found.rows, *found.below) if row.why}


def test_the_place_is_by_the_mean_of_the_ranks_over_all_cells():
    entries = [with_values(1, "a", ioi=0.9, mcqa=0.5), with_values(2, "b", ioi=0.8, mcqa=0.9)]
    entries += [with_values(3, "c", ioi=0.1, mcqa=0.7)]
    found = board(entries)
    assert places(found) == {"b/m@1": (1, 1.5), "a/m@1": (2, 2.0), "c/m@1": (3, 2.5)}
    assert [[one.rank.position for one in row.cells] for row in found.rows] == [[2, 1], [1, 3], [3, 2]]


def test_equal_means_share_a_place_and_the_next_one_counts_them():
    entries = [with_values(1, "a", ioi=0.9, mcqa=0.5), with_values(2, "b", ioi=0.8, mcqa=0.9)]
    entries += [with_values(3, "c", ioi=0.1, mcqa=0.1), with_values(4, "d", ioi=0.5, mcqa=0.8)]
    swapped = with_values(2, "b", ioi=0.5, mcqa=0.9)
    assert places(board([entries[0], swapped])) == {"a/m@1": (1, 1.5), "b/m@1": (1, 1.5)}
    assert [row.place for row in board([entries[0], swapped, entries[2]]).rows] == [1, 1, 3]


def test_numbers_that_cannot_be_told_apart_share_a_rank():
    entries = [
        with_values(1, "a", ioi=0.9, mcqa=number(0.55, 0.2)),
        with_values(2, "b", ioi=0.8, mcqa=number(0.5, 0.2)),
    ]
    found = board(entries)
    assert places(found) == {"a/m@1": (1, 1.0), "b/m@1": (2, 1.5)}
    assert [row.cells[1].rank.group for row in found.rows] == ["a", "a"]
    assert "tied with a/m@1" in found.rows[1].cells[1].rank.why


def test_of_a_metric_that_is_better_low_the_lowest_is_first():
    own = rules(cells=[CIRCUITS | {"tasks": ["ioi"]}], boards=[BOARD | {"headline": "cmd"}])
    entries = [with_values(1, "a", metric="cmd", ioi=0.9), with_values(2, "b", metric="cmd", ioi=0.2)]
    assert places(board(entries, own)) == {"b/m@1": (1, 1.0), "a/m@1": (2, 2.0)}


def test_an_entry_without_a_cell_is_shown_with_the_reason_and_moves_nobodys_rank():
    entries = [with_values(1, "a", ioi=0.9), with_values(2, "b", ioi=0.8, mcqa=0.9)]
    found = board(entries)
    assert places(found) == {"b/m@1": (1, 1.0), "a/m@1": (None, None)}
    assert whys(found) == {"a/m@1": "1 of 2 cells have no rank: mcqa · edge on m: nothing was handed in for it"}
    shown = found.rows[1].cells[0]
    assert (shown.value.value, shown.rank.position) == (0.9, None)
    assert shown.rank.why == "it lacks other cells of the board"


def test_more_entries_of_a_team_move_nobodys_rank():
    first, second = with_values(1, "a", ioi=0.9, mcqa=0.5), with_values(2, "b", ioi=0.5, mcqa=0.9)
    alone = places(board([first, second]))
    more = [with_values(n, "b", version=str(n), ioi=0.3, mcqa=0.7) for n in (3, 4)]
    partial = [with_values(n, "b", version=str(n), mcqa=0.7) for n in (5, 6)]
    found = board([first, second, *partial])
    assert {name: places(found)[name] for name in alone} == alone
    found = board([first, *more, replace(second, id=7)])
    assert {name: places(found)[name] for name in alone} == alone
    assert whys(found)["b/m@3"] == "b/m@1 is ranked, its team's last entry that has all cells"


def test_bad_entries_do_not_blur_the_difference_of_two_good_ones():
    good = [with_values(1, "a", ioi=number(0.6, 0.05), mcqa=0.5), with_values(2, "b", ioi=number(0.5, 0.05), mcqa=0.5)]
    junk = [with_values(n, "b", version=str(n), ioi=number(0.1, 0.2)) for n in (3, 4, 5)]
    assert {name: place for name, place in places(board(good + junk)).items() if place[0]} == places(board(good))


def test_a_seed_that_could_not_be_scored_is_not_left_out_of_a_mean():
    records = [record(cell("a/m@1", seed=seed), auroc=0.9) for seed in (0, 1)]
    own = rules(cells=[CIRCUITS | {"tasks": ["ioi"]}])
    whole = contender(1, "a", records, promised={(Track.CIRCUIT, "ioi", "m", "edge"): 2})
    assert places(board([whole], own)) == {"a/m@1": (1, 1.0)}
    lacking = replace(whole, promised={(Track.CIRCUIT, "ioi", "m", "edge"): 3})
    (row,) = board([lacking], own).rows
    assert row.place is None
    assert "1 of 3 artifacts for it could not be scored" in row.why


def test_a_failed_cell_a_missing_number_and_a_failed_entry_are_not_ranked():
    broken = contender(1, "a", [record(cell("a/m@1"), auroc=0.9), failed(cell("a/m@1", "mcqa"))])
    gone = number(0.5).model_copy(
        update=dict.fromkeys(("value", "ci_low", "ci_high", "ci_source")) | {"reason": "chance"}
    )
    empty = with_values(2, "b", ioi=0.8, mcqa=gone)
    crashed = contender(3, "c", status="failed", reason="Scoring took longer than 60 seconds.")
    whole = with_values(4, "d", ioi=0.1, mcqa=0.1)
    found = board([broken, empty, crashed, whole])
    assert [row.entry.team for row in found.rows if row.place] == ["d"]
    told = whys(found)
    assert "mcqa · edge on m: failed: It gave no numbers." in told["a/m@1"]
    assert told["b/m@1"].endswith("mcqa · edge on m: chance")
    assert told["c/m@1"] == "Scoring took longer than 60 seconds."


def test_records_of_another_version_or_model_are_not_ranked():
    old = number(0.9).model_copy(update={"version": 2})
    other = contender(2, "b", [record(cell("b/m@1", digest="f" * 64), auroc=0.5)])
    task = contender(3, "c", [record(cell("c/m@1", version=2), auroc=0.5)])
    found = board([with_values(1, "a", ioi=old), other, task], rules(cells=[CIRCUITS | {"tasks": ["ioi"]}]))
    told = whys(found)
    assert "has version 2 of auroc, ranked is version 1" in told["a/m@1"]
    assert "another model" in told["b/m@1"]
    assert "version 2 of the task" in told["c/m@1"]


def test_a_model_of_a_folder_is_known_by_its_digest():
    entry = contender(1, "a", [record(cell("a/m@1", model="local:tiny"), auroc=0.9)])
    assert places(board([entry], rules(cells=[CIRCUITS | {"tasks": ["ioi"]}]))) == {"a/m@1": (1, 1.0)}


def test_a_superseded_version_is_shown_below_and_takes_no_rank_from_anybody():
    first, other = with_values(1, "a", ioi=0.9, mcqa=0.9), with_values(2, "b", ioi=0.8, mcqa=0.8)
    later = replace(with_values(3, "a", version="2", ioi=0.5, mcqa=0.5), supersedes=1)
    found = board([first, other, later])
    assert places(found) == {"b/m@1": (1, 1.0), "a/m@2": (2, 2.0)}
    (below,) = found.below
    assert (below.why, below.place, below.cells[0].value.value) == ("superseded by version 2", None, 0.9)


def test_a_version_stays_until_the_next_one_is_scored_and_cannot_be_superseded_by_an_older_one():
    first = replace(with_values(1, "a", ioi=0.9, mcqa=0.9), supersedes=2)
    later = contender(2, "a", version="2", supersedes=1, status="failed", reason="Scoring crashed.")
    assert places(board([first, later])) == {"a/m@1": (1, 1.0), "a/m@2": (None, None)}


def test_on_the_final_split_what_was_nominated_is_ranked_whichever_version_it_is():
    first, later = with_values(1, "a", ioi=0.9, mcqa=0.9), with_values(2, "a", version="2", ioi=0.5, mcqa=0.5)
    found = board([first, replace(later, supersedes=1)], split="final")
    assert places(found) == {"a/m@1": (1, 1.0), "a/m@2": (2, 2.0)}


def test_of_a_withdrawn_entry_no_number_is_shown():
    gone = replace(with_values(1, "a", ioi=0.9, mcqa=0.9), status="withdrawn")
    found = board([gone, with_values(2, "b", ioi=0.8, mcqa=0.8)])
    assert places(found) == {"b/m@1": (1, 1.0)}
    assert [one.value for one in found.below[0].cells] == [None, None]
    assert "0.9" not in standings_json(make_standings(rules(), "standings", [gone])).decode()


def test_code_has_a_board_of_its_own():
    ran = {"method_ref": {"artifact_digest": None, "code_digest": "c" * 64}}
    code = contender(2, "b", [record(cell("b/m@1", task, **ran), auroc=0.99) for task in ("ioi", "mcqa")])
    found = make_standings(rules(), "standings", [with_values(1, "a", ioi=0.5, mcqa=0.5), code])
    assert [one.name for one in found.boards] == ["circuits", "circuits (code)"]
    assert [places(one) for one in found.boards] == [{"a/m@1": (1, 1.0)}, {"b/m@1": (1, 1.0)}]


def test_seeds_of_a_cell_are_one_number_and_several_artifacts_are_none():
    own = rules(cells=[CIRCUITS | {"tasks": ["ioi"]}])
    seeds = [record(cell("a/m@1", seed=seed), auroc=0.4 + 0.1 * seed) for seed in (0, 1, 2)]
    twice = [record(cell("b/m@1", artifact=name), auroc=0.9) for name in "xy"]
    found = board([contender(1, "a", seeds), contender(2, "b", twice)], own)
    value = found.rows[0].cells[0].value
    assert (round(value.value, 9), value.ci_source) == (0.5, "seeds")
    assert places(found) == {"a/m@1": (1, 1.0), "b/m@1": (None, None)}
    assert "2 artifacts are for it" in whys(found)["b/m@1"]


def test_two_teams_with_the_same_file_are_two_rows():
    entries = [with_values(1, "a", ioi=0.5, mcqa=0.5), with_values(2, "b", ioi=0.5, mcqa=0.5)]
    same = [replace(one, records=entries[0].records) for one in entries]
    assert places(board(same)) == {"a/m@1": (1, 1.0), "b/m@1": (1, 1.0)}


def test_variables_that_are_not_listed_are_all_of_the_task():
    group = {"track": "variable", "tasks": ["ioi"], "models": ["m"]}
    own = rules(cells=[group], boards=[{"name": "v", "track": "variable", "headline": "normalised_iia"}])
    entry = contender(
        1, "a", [record(cell("a/m@1", track=Track.VARIABLE, variable="output_token"), normalised_iia=0.5)]
    )
    found = board([replace(entry, tracks=frozenset({Track.VARIABLE}))], own)
    assert [one.part for one in found.cells] == ["output_position", "output_token"]
    assert "output_position on m: nothing was handed in" in whys(found)["a/m@1"]


def test_dictionaries_are_ranked_one_by_one_by_their_own_intervals():
    group = {"track": "sae", "tasks": ["sae-core"], "models": ["m"], "hooks": ["residual-post.L1"]}
    metric = "explained_variance_global"
    own = rules(cells=[group], boards=[{"name": "s", "track": "sae", "headline": metric}])

    def entry(n, team, value, hook="residual-post.L1"):
        where = cell(f"{team}/m@1", "sae-core", track=Track.SAE, hook=hook)
        return contender(n, team, [record(where, **{metric: value})], tracks=(Track.SAE,))

    found = make_standings(own, "standings", [entry(1, "a", 0.7), entry(2, "b", 0.9), entry(3, "c", 0.8, "mlp-out.L1")])
    assert places(found.boards[0]) == {"b/m@1": (1, 1.0), "a/m@1": (2, 2.0), "c/m@1": (None, None)}
    assert "not paired" in found.boards[0].rows[1].cells[0].rank.why
    assert "one by one" in standings_markdown(found).decode()


def test_what_is_not_above_its_floor_is_said():
    low, high = number(0.5, 0.1, floor=0.45), number(0.9, 0.1, floor=0.45)
    own = rules(cells=[CIRCUITS | {"tasks": ["ioi"]}])
    found = make_standings(own, "standings", [with_values(1, "a", ioi=high), with_values(2, "b", ioi=low)])
    assert [row.cells[0].above_floor for row in found.boards[0].rows] == [True, False]
    text = standings_markdown(found).decode()
    assert "0.500 [0.400, 0.600] (2b, at floor)" in text
    assert text.count(", at floor") == 1


def test_equal_records_give_equal_bytes_in_any_order():
    entries = [with_values(n, team, ioi=0.1 * n, mcqa=0.3) for n, team in enumerate("abcd", start=1)]
    one, other = (make_standings(rules(), "standings", found) for found in (entries, entries[::-1]))
    assert standings_json(one) == standings_json(other)
    assert standings_markdown(one) == standings_markdown(other)
    values = json.loads(standings_json(one))
    assert values["schema_version"] == 1
    assert [row["place"] for row in values["boards"][0]["entries"]] == [1, 2, 3, 4]


def test_names_of_strangers_do_not_act_on_the_page():
    own = rules(title="<script>[a](b)")
    assert "<script>" not in standings_markdown(make_standings(own, "standings", [])).decode()


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(*[st.integers(0, 10**6)] * 2), min_size=1, max_size=6))
def test_places_are_those_of_the_naive_reference(values):
    """Without ties, a rank is one more than the number of better values, and a place likewise of mean ranks."""
    firsts, seconds = (dict.fromkeys(column) for column in zip(*values, strict=True))
    if len(firsts) < len(values) or len(seconds) < len(values):
        values = [(i, -i) for i, _ in enumerate(values)]
    entries = [
        with_values(n, f"t{n}", ioi=number(float(x), 1e-9), mcqa=number(float(y), 1e-9))
        for n, (x, y) in enumerate(values, start=1)
    ]
    ranks = [[1 + sum(other[k] > own[k] for other in values) for k in (0, 1)] for own in values]
    means = [sum(both) / 2 for both in ranks]
    wanted = {f"t{n}/m@1": (1 + sum(other < mean for other in means), mean) for n, mean in enumerate(means, start=1)}
    assert places(board(entries)) == wanted
