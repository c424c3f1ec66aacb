from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest
from offset_pieces import OffsetPieces
from toy_variables import CAUSAL, ROWS, row, task

from mibench.core.errors import DataError, UsageError
from mibench.tasks.checker import forced
from mibench.tasks.interchange import LinearTarget
from mibench.tasks.positions import last, regex
from mibench.tasks.task import LeftOut
from mibench.tasks.variable_task import (
    LeftOutOfSet,
    Linear,
    VariableTask,
    list_variable_tasks,
    load_variable_task,
    variable_task,
)

VOCAB = 1000


def encoded(found, variable="a", limit=None, encoder=None, vocab=VOCAB, **options):
    return found.encoded("test", limit, variable, encoder or OffsetPieces(), vocab, **options)


def texts(ids, encoder):
    names = {number: piece for piece, number in encoder.ids.items()} | {0: "<bos>"}
    return [names[number] for number in ids]


def test_a_row_becomes_tokens_with_the_answers_of_base_source_and_interchange():
    encoder = OffsetPieces()
    found = encoded(task(ROWS[:1]), encoder=encoder).rows[0]
    assert texts(found.base, encoder) == ["<bos>", "So", " ", "1", "+", "2", "="]
    assert texts(found.source, encoder) == ["<bos>", "So", " ", "4", "+", "3", "="]
    assert [texts(ids, encoder) for ids in found.accepted] == [["6"]]
    assert texts(found.label, encoder) == ["6"]
    assert [texts(ids, encoder) for ids in found.base_accepted] == [["3"]]
    assert [texts(ids, encoder) for ids in found.source_accepted] == [["7"]]
    assert (found.expected, found.base_expected, found.source_expected) == ("6", "3", "7")
    assert (found.base_value, found.source_value) == ("1", "4")
    assert found.group == {"word": "So"}


def test_positions_are_token_indices_in_base_and_source():
    found = encoded(task(ROWS[:1])).rows[0]
    assert found.base_positions == {"last": (6,), "a": (3,), "word": (1,)}
    assert found.source_positions == found.base_positions


def test_positions_follow_the_source_where_it_is_longer():
    rows = [row("both", (1, 2), (4, 3), words=("So", "So that is"))]
    found = encoded(task(rows), positions=("last", "a")).rows[0]
    assert (found.base_positions, found.source_positions) == ({"last": (6,), "a": (3,)}, {"last": (8,), "a": (5,)})


def test_rows_are_labelled_for_the_variable_of_the_cell():
    labels = {name: encoded(task(ROWS[:1]), name).rows[0].expected for name in ("a", "b", "sum", "a+b")}
    assert labels == {"a": "6", "b": "4", "sum": "7", "a+b": "7"}
    joint = encoded(task(ROWS[:1]), "a+b").rows[0]
    assert (joint.base_value, joint.source_value) == ("1+2", "4+3")


def test_cause_rows_are_those_whose_answer_the_interchange_changes():
    found = {name: [one.cause for one in encoded(task(), name).rows if one.set == "first"] for name in ("a", "b")}
    assert found["b"] == [False, False, False]
    assert all(found["a"])


def test_a_row_can_be_left_out_for_one_variable_and_not_for_another():
    # 9 + 2 is not one digit: of set "first", row 1 has no answer after an interchange on a.
    reason = "the interchange has no answer that can be written"
    assert encoded(task(), "a").left_out == {("first", reason): 1}
    assert [one.id for one in encoded(task(), "a").rows if one.set == "first"] == ["0", "2"]
    assert encoded(task(), "b").left_out == {}


def test_a_source_without_an_answer_is_not_asked():
    found = encoded(task([row("both", (1, 2), (4, 8))]), "a").rows[0]
    assert found.source_accepted == ()
    assert found.expected == "6"


def test_a_limit_counts_the_usable_rows_of_each_set():
    found = encoded(task(), "a", limit=2)
    assert [(one.set, one.id) for one in found.rows] == [
        ("both", "0"),
        ("first", "0"),
        ("both", "1"),
        ("first", "2"),
    ]
    assert [(one.set, one.id) for one in task().rows("test", 2)] == [(one.set, one.id) for one in ROWS[:4]]


def test_no_row_is_asked_for_after_the_limit():
    def rows(split, encoder):
        yield from ROWS[:2]
        raise RuntimeError("read on")

    assert len(task(rows).rows("test", 1)) == 2


def test_the_origins_are_the_rows_before_they_became_tokens():
    found = encoded(task(), "a", limit=2)
    assert [(one.set, one.id) for one in found.origins] == [(one.set, one.id) for one in found.rows]
    assert found.origins[0] is ROWS[0]


def test_rows_that_the_source_leaves_out_are_counted_for_their_set_or_for_all():
    rows = [LeftOut("bad"), LeftOutOfSet("worse", "both"), *ROWS]
    assert encoded(task(rows), "b").left_out == {("", "bad"): 1, ("both", "worse"): 1}


def test_all_answers_that_can_be_written_are_accepted_once_and_the_first_one_is_the_label():
    encoder = OffsetPieces()
    checker = forced(lambda output: (output, " many", output, "0"))
    found = encoded(task(ROWS[:1], checker=checker), encoder=encoder).rows[0]
    assert [texts(ids, encoder) for ids in found.accepted] == [["6"], [" many"], ["0"]]
    assert texts(found.label, encoder) == ["6"]


def unfinished():
    """A row whose prompts end with a digit."""
    one = row("both", (1, 2), (4, 3))
    return replace(one, base_prompt=one.base_prompt[:-1], source_prompt=one.source_prompt[:-1])


def test_an_answer_that_would_join_the_prompt_leaves_the_row_out():
    # With two digits a token, "1+2" and an answer "6" would be read as "1+26".
    with pytest.raises(DataError, match=r"both: an answer that does not follow its prompt as tokens of its own \(1\)"):
        encoded(task([unfinished()]), encoder=OffsetPieces(2))
    assert len(encoded(task([unfinished()]), encoder=OffsetPieces(1)).rows) == 1


def test_answers_after_the_first_are_dropped_where_they_would_join_the_prompt():
    encoder = OffsetPieces(2)
    found = encoded(task([unfinished()], checker=forced(lambda output: (" six", "6"))), encoder=encoder).rows[0]
    assert [texts(ids, encoder) for ids in found.accepted] == [[" six"]]


def test_rows_that_lack_a_position_are_left_out_only_if_it_is_asked_for():
    positions = (last(), regex("seven", "7"))
    both = [row("both", (7, 1), (7, 2)), row("both", (1, 1), (7, 2), id_="1")]
    assert encoded(task(both, positions=positions), "b").left_out == {("both", "no position 'seven'"): 1}
    assert encoded(task(both, positions=positions), "b", positions=("last",)).left_out == {}


def test_a_position_has_as_many_tokens_in_the_source_as_in_the_base():
    rows = [row("both", (1, 2), (4, 3), words=("So", "So")), row("both", (1, 2), (4, 3), words=("So", "So!"), id_="1")]
    positions = (regex("word", r"\A[^ ]+", which="all"),)
    found = encoded(task(rows, positions=positions))
    assert [one.id for one in found.rows] == ["0"]
    assert found.left_out == {("both", "position 'word' has another number of tokens in the source"): 1}


def test_positions_are_found_by_their_name_or_an_alias():
    assert task().position("last_token").name == "last"
    assert task().position("first_word").name == "word"
    assert set(encoded(task(), "b", positions=("last_token",)).rows[0].base_positions) == {"last"}
    with pytest.raises(UsageError, match="Unknown position 'lost'"):
        encoded(task(), positions=("lost",))


def test_a_linear_target_has_two_tokens_and_the_signs_after_the_interchange_and_of_the_whole_source():
    linear = Linear(
        tokens=lambda one: (str(one.base["a"]), str(one.base["b"])),
        signs=lambda setting: (float(setting["a"]), float(setting["b"])),
    )
    encoder = OffsetPieces()
    found = encoded(task(ROWS[:1], linear=linear), "a", encoder=encoder).rows[0]
    assert found.target == LinearTarget((encoder.ids["1"], encoder.ids["2"]), (4.0, 2.0), (4.0, 3.0))
    same = Linear(tokens=lambda one: ("1", "1"), signs=lambda setting: (1.0,))
    with pytest.raises(DataError, match="answers that begin with the same token"):
        encoded(task(ROWS[:1], linear=same))


def test_a_token_outside_the_vocabulary_is_an_error_and_not_a_row_left_out():
    with pytest.raises(DataError, match="vocabulary ends at 2"):
        encoded(task(), vocab=3)


def test_digests_are_of_the_rows_and_nothing_else():
    assert task().digest("test") == task().digest("train") == task(positions=(last(),)).digest("test")
    assert task().digest("test") != task(ROWS[::-1]).digest("test")
    assert task().digest("test", 1) != task().digest("test")
    found = encoded(task(), "a")
    assert found.digest == encoded(task(), "a").digest
    assert found.digest != encoded(task(), "b").digest
    assert json.loads(json.dumps([asdict(one) for one in found.rows]))[0]["set"] == "both"


def test_unknown_names_and_impossible_limits_are_wrong_usage():
    with pytest.raises(UsageError, match="Unknown split"):
        task().rows("tests")
    with pytest.raises(UsageError, match="limit of 0"):
        task().rows("test", 0)
    with pytest.raises(UsageError, match="Unknown variable of 'toy' 'word'"):
        encoded(task(), "word")
    with pytest.raises(UsageError, match="Unknown variable of 'toy'"):
        encoded(task(), "a+c")
    with pytest.raises(UsageError, match="names a variable twice"):
        encoded(task(), "a+a")


def test_a_split_without_rows_is_an_error():
    with pytest.raises(DataError, match="The split is empty"):
        task([]).rows("test")
    with pytest.raises(DataError, match="all sets: bad"):
        task([LeftOut("bad")]).rows("test")


def test_sizes_are_numbers_or_fractions_of_the_width():
    found = task(sizes={"a": "d/2", "b": 4, "sum": "d/8"})
    assert [found.size(name, 64) for name in ("a", "b", "sum", "b+sum", "a+b")] == [32, 4, 8, 8, 32]
    assert found.size("b", 2) == 2
    assert found.size("sum", 4) == 1
    assert task().size("a", 64) == 16
    for wrong in ("half", "d/0", "d/-2", "2d"):
        with pytest.raises(DataError, match="no size of a subspace"):
            task(sizes={"a": wrong}).size("a", 64)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"positions": ()}, "missing"),
        ({"positions": (last(), last())}, "a name of its own"),
        ({"positions": (last(), regex("last_token", "x"))}, "a name of its own"),
        ({"sets": ()}, "no counterfactual set"),
    ],
)
def test_parts_that_do_not_fit_are_refused_when_the_task_is_made(changes, why):
    with pytest.raises(DataError, match=why):
        task(**changes)


def test_variables_must_be_the_causal_models():
    with pytest.raises(DataError, match="Its variables are carry"):
        VariableTask("toy", 1, ("carry",), "Nobody 2026", "MIT", task().parts)


def test_the_decorator_makes_a_task_of_a_function_of_parts():
    @variable_task(name="x", version=3, variables=("a",), citation="c", licence="l", notes="n")
    def made():
        """First line.

        More.
        """
        return task().parts

    assert isinstance(made, VariableTask)
    assert (made.name, made.version, made.variables, made.description, made.notes) == (
        "x",
        3,
        ("a",),
        "First line.",
        "n",
    )
    assert made.causal is CAUSAL


def test_tasks_are_listed_without_being_imported_and_found_by_name():
    names = [component.name for component in list_variable_tasks()]
    assert {"mcqa", "mib/mcqa", "mib/arc-easy", "mib/arithmetic-addition", "arithmetic-digit"} <= set(names)
    assert names == sorted(names)
    assert load_variable_task("mcqa").name == "mcqa"
    with pytest.raises(UsageError, match="Did you mean 'mcqa'"):
        load_variable_task("mcq")
