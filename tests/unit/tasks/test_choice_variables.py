from __future__ import annotations

import pytest
from offset_pieces import OffsetPieces

from mibench.tasks.causal.identifiability import NOTHING, check_separated, separations
from mibench.tasks.choice_variables import SETS
from mibench.tasks.interchange_rows import Family, to_rows
from mibench.tasks.mcqa.copy_colours import copy_colours
from mibench.tasks.mcqa.copy_colours import parse as parse_colours
from mibench.tasks.mib.arc_easy_variables import multiple_choice
from mibench.tasks.mib.arc_easy_variables import parse as parse_arc
from mibench.tasks.positions import located
from mibench.tasks.task import LeftOut
from mibench.tasks.variable_task import load_variable_task

QUESTION = "Coconuts are brown. What color are coconuts?"
COLOURS = ("red", "orange", "brown", "purple")


def record(labels="ABCD", texts=COLOURS, key=2, question=QUESTION):
    lines = [f"{label}. {text}" for label, text in zip(labels, texts, strict=True)]
    prompt = "\n".join([f"Question: {question}", *lines, "Answer:"])
    return {"prompt": prompt, "choices": {"label": list(labels), "text": list(texts)}, "answerKey": key}


MOVED = ("brown", "red", "orange", "purple")


def whole(**base):
    sources = {
        "answerPosition": record(texts=MOVED, key=0),
        "randomLetter": record("WQZK"),
        "answerPosition_randomLetter": record("MTRE", MOVED, 0),
    }
    return record(**base) | {f"{name}_counterfactual": one for name, one in sources.items()}


def rows(row, parse=parse_colours, causal=None):
    return list(to_rows([parse(row, "here")], causal or copy_colours()))


def outputs(variable):
    causal = copy_colours()
    return {one.set: causal.interchange_on(variable, one.base, one.source)["raw_output"] for one in rows(whole())}


def test_the_pointer_takes_the_place_and_keeps_the_bases_labels():
    assert outputs("answer_pointer") == {
        "answerPosition": " A",
        "randomLetter": " C",
        "answerPosition_randomLetter": " A",
    }


def test_the_answer_takes_the_sources_label_whether_the_base_has_it_or_not():
    assert outputs("answer") == {"answerPosition": " A", "randomLetter": " Z", "answerPosition_randomLetter": " M"}


@pytest.mark.parametrize("name", ["mcqa", "mib/mcqa", "mib/arc-easy"])
def test_which_sets_tell_place_and_label_apart(name, hub):
    task = load_variable_task(name)
    found = separations(task.causal, task.rows("test"), task.variables)
    shares = {(one.set, one.first, one.second): one.share for one in found}
    pair = ("answer_pointer", "answer")
    assert [shares[(one, *pair)] for one in SETS] == [0.0, 1.0, 1.0]
    # The place stays in randomLetter: doing nothing is right in every row, and the rows are controls.
    assert [shares[one, "answer_pointer", NOTHING] for one in SETS] == [1.0, 0.0, 1.0]
    assert [shares[one, "answer", NOTHING] for one in SETS] == [1.0, 1.0, 1.0]
    for variable in task.variables:
        check_separated(task, variable, task.rows("test"))


def words(row, name, parse=parse_colours, task="mcqa"):
    (family,) = [parse(row, "here")]
    assert isinstance(family, Family)
    encoder = OffsetPieces()
    position = load_variable_task(task).position(name)
    pieces = ["<bos>", *encoder.pattern.findall(family.base.prompt)]
    places = located(position, family.base.inputs, family.base.prompt, encoder)
    return [(place, pieces[place]) for place in places]


def test_labels_are_found_by_the_lines_of_the_prompt():
    first = words(whole(), "symbol0")[0][0]
    assert [words(whole(), f"symbol{place}")[0][1] for place in range(4)] == list("ABCD")
    assert words(whole(), "question_end") == [(first - 2, "?")]
    assert words(whole(), "last")[0][1] == ":"
    assert words(whole(), "last_token") == words(whole(), "last")


def test_a_letter_of_its_own_in_the_question_is_no_label():
    row = whole(question="A crow, B or C, are brown. What color is D?\nA. no\nB. choices")
    assert words(row, "correct_symbol", parse_arc, "mib/arc-easy") == words(row, "symbol2", parse_arc, "mib/arc-easy")
    place, piece = words(row, "correct_symbol", parse_arc, "mib/arc-easy")[0]
    assert piece == "C"
    naive = OffsetPieces().pattern.findall(row["prompt"]).index(" C") + 1
    assert place > naive


def test_the_oracle_is_the_label_that_the_causal_model_calls_right():
    for key in range(4):
        texts = [colour for colour in COLOURS if colour != "brown"]
        texts.insert(key, "brown")
        row = whole(texts=texts, key=key)
        assert words(row, "correct_symbol") == words(row, f"symbol{key}")
        ((place, piece),) = words(row, "correct_symbol_period")
        assert (place - 1, piece) == (words(row, "correct_symbol")[0][0], ".")


@pytest.mark.parametrize("name", ["mcqa", "mib/mcqa", "mib/arc-easy"])
def test_positions_that_read_the_gold_answer_say_so(name):
    oracles = {one.name for one in load_variable_task(name).parts.positions if one.oracle}
    free = {one.name for one in load_variable_task(name).parts.positions} - oracles
    assert oracles == {"correct_symbol"} | ({"correct_symbol_period"} if name != "mib/arc-easy" else set())
    assert free == {"last", "question_end", "symbol0", "symbol1", "symbol2", "symbol3"}


@pytest.mark.parametrize(
    ("base", "reason"),
    [
        ({"labels": "ABC", "texts": COLOURS[:3]}, "another number of choices"),
        ({"labels": "ABCDE", "texts": (*COLOURS, "blue")}, "another number of choices"),
        ({"question": "What color are coconuts?"}, "a question that does not tell the answer"),
        ({"texts": ("red", "brown", "brown", "pink")}, "a question that does not tell the answer"),
        ({"key": 1}, "the causal model disagrees with the recorded answer"),
    ],
)
def test_rows_that_the_causal_model_does_not_describe_are_left_out(base, reason):
    assert [one.reason for one in rows(whole(**base)) if isinstance(one, LeftOut)] == [reason]


def test_a_prompt_whose_lines_are_not_its_choices_is_left_out():
    row = whole()
    row["choices"]["label"] = list("ABCE")
    (found,) = rows(row)
    assert found == LeftOut("labels that do not stand before their choices")


def test_a_set_without_a_counterfactual_is_left_out_for_that_set_only():
    row = whole()
    row["randomLetter_counterfactual"] = None
    found = rows(row)
    assert [type(one).__name__ for one in found] == ["InterchangeRow", "LeftOutOfSet", "InterchangeRow"]
    assert (found[1].set, found[1].reason) == ("randomLetter", "no counterfactual")


def test_arc_says_which_choice_is_right_and_nothing_about_why():
    found = rows(whole(question="Which one?", key=1), parse_arc, multiple_choice())
    assert found[0].base == {"answerKey": 1, "symbol0": "A", "symbol1": "B", "symbol2": "C", "symbol3": "D"}
    assert multiple_choice().run(found[0].base)["raw_output"] == " B"


def test_integer_labels_are_read_as_text():
    row = whole(labels="1234")
    row["choices"]["label"] = [1, 2, 3, 4]
    assert rows(row)[0].base["symbol2"] == "3"


@pytest.fixture
def hub(monkeypatch):
    from mibench.tasks.shipped import data_folder

    for name in ("MCQA", "ARC_EASY"):
        monkeypatch.setenv(f"MIBENCH_MIB_{name}", str(data_folder("mcqa-interchange")))
