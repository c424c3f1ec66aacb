from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from offset_pieces import OffsetPieces

from mibench.core.errors import DataError
from mibench.tasks.causal.identifiability import check_separated, separations
from mibench.tasks.ioi.causal import LINEAR, SETS, causal_model, inputs, interchanges, parse_prompts
from mibench.tasks.ioi.generate import RECIPE
from mibench.tasks.ioi.words import TEMPLATES
from mibench.tasks.mib.ioi import DATA
from mibench.tasks.mib.ioi_variables import accepts
from mibench.tasks.positions import located
from mibench.tasks.shipped import data_folder
from mibench.tasks.variable_task import load_variable_task

TEMPLATE = "At the {place} {name_A} and {name_B} met, and {name_C} gave a {object} to"
VARIABLES = ("output_position", "output_token")


def prompt(first, second, third, template=TEMPLATE):
    return template.format(name_A=first, name_B=second, name_C=third, place="old zoo", object="pen")


def whole(first="Mary", second="John"):
    """A row whose first clause has ``first`` and ``second``, and whose second repeats Mary."""
    other = {"Mary": "John", "John": "Mary"}
    sources = {
        "s1_io_flip": prompt(second, first, "Mary"),
        "s2_io_flip": prompt(first, second, other["Mary"]),
        "s1_ioi_flip_s2_ioi_flip": prompt(second, first, other["Mary"]),
    }
    row = {"template": TEMPLATE, "prompt": prompt(first, second, "Mary")}
    return row | {f"{name}_counterfactual": {"prompt": text} for name, text in sources.items()}


def rows(row, encoder=None):
    return list(interchanges([parse_prompts(row, "here")], encoder))


@pytest.fixture(params=["ioi", "mib/ioi"])
def task(request, monkeypatch):
    monkeypatch.setenv(DATA.local_copy, str(data_folder("ioi")))
    return load_variable_task(request.param)


ORDERS = pytest.mark.parametrize("order", [("Mary", "John"), ("John", "Mary")], ids=["S first", "IO first"])
SIGNALS = {"s1_io_flip": (-1, 1), "s2_io_flip": (-1, -1), "s1_ioi_flip_s2_ioi_flip": (1, -1)}
"""Signals of position and token when both are taken from the source."""


@ORDERS
def test_the_position_is_read_off_the_text_in_either_order(order):
    found = causal_model("here").run(rows(whole(*order))[0].base)
    assert found["output_position"] == order.index("John")
    assert found["output_token"] == "John"
    assert found["outcome"] == ("John", 1.0, 1.0)


@ORDERS
@pytest.mark.parametrize("name", SETS)
def test_each_set_has_the_signals_that_its_name_says(order, name):
    causal = causal_model("here")
    row = next(row for row in rows(whole(*order)) if row.set == name)
    position, token = SIGNALS[name]
    both = causal.interchange(row.base, dict.fromkeys(VARIABLES, row.source))
    assert LINEAR.signs(both) == (position, token)
    assert LINEAR.signs(causal.interchange_on("output_position", row.base, row.source)) == (position, 1)
    assert LINEAR.signs(causal.interchange_on("output_token", row.base, row.source)) == (1, token)
    assert LINEAR.signs(causal.run(row.source)) == (1, 1)


@ORDERS
def test_the_target_compares_the_bases_receiver_with_its_repeated_name(order):
    assert {LINEAR.tokens(row) for row in rows(whole(*order))} == {(" John", " Mary")}


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_all_shipped_rows_have_known_signals_and_both_orders(split, task):
    found = task.rows(split)
    assert len(found) == 3 * RECIPE.rows_of[split]
    orders = Counter(task.parts.group(row)["order"] for row in found)
    assert orders == {"ABBA": len(found) / 2, "BABA": len(found) / 2}
    for row in found:
        both = task.causal.interchange(row.base, dict.fromkeys(VARIABLES, row.source))
        assert LINEAR.signs(both) == SIGNALS[row.set]


def test_the_causal_models_answer_is_the_data_sets(task):
    for row, shipped in zip(task.rows("test")[::3], RECIPE.rows("test"), strict=True):
        assert task.causal.run(row.base)["raw_output"] == shipped["metadata"]["indirect_object"]
        assert LINEAR.tokens(row) == (
            f" {shipped['metadata']['indirect_object']}",
            f" {shipped['metadata']['subject']}",
        )
        assert task.causal.run(row.base)["output_position"] == shipped["answerKey"]


def test_every_variable_is_told_from_the_other_and_from_nothing(task):
    found = task.rows("test", 20)
    for variable in VARIABLES:
        check_separated(task, variable, found)
    shares = {(one.set, one.first, one.second): one.share for one in separations(task.causal, found, VARIABLES)}
    assert shares["s1_io_flip", "output_position", "output_token"] == 1
    assert shares["s1_io_flip", "output_token", "nothing"] == 0
    assert shares["s1_ioi_flip_s2_ioi_flip", "output_position", "nothing"] == 0


def test_rows_are_encoded_with_targets_of_the_interchange_and_of_everything(task):
    encoder = OffsetPieces()
    encoded = task.encoded("test", 4, "output_token", encoder, 10_000)
    assert encoded.left_out == {}
    for row in encoded.rows:
        position, token = SIGNALS[row.set]
        assert row.target.signs == (1, token)
        assert row.target.source_signs == (position, token)
        assert row.cause == (token == -1)
        assert row.base_accepted == ((row.target.tokens[0],),)
        assert len(row.base) == len(row.source) == len(row.base_positions["all"])


@pytest.mark.parametrize("template", TEMPLATES)
@given(
    names=st.lists(st.sampled_from(["Mary", "Will", "O'Neil", "Jean-Luc", "Ann"]), min_size=2, max_size=2, unique=True)
)
def test_inputs_are_what_the_sentence_was_made_of(template, names):
    first, second = names
    for third in names:
        found = inputs(template, prompt(first, second, third, template))
        assert found == {"template": template, "name_A": first, "name_B": second, "name_C": third}


@pytest.mark.parametrize(
    "text",
    [
        prompt("Mary", "John", "Ann"),
        prompt("Mary", "Mary", "Mary"),
        prompt("Mary", "John Ann", "Mary"),
        prompt("Mary", "John", "Mary") + " Ann",
        "Something else",
    ],
)
def test_other_sentences_have_no_inputs(text):
    assert inputs(TEMPLATE, text) is None
    assert [one.reason for one in rows(whole() | {"prompt": text})] == ["a prompt that is not of its template"]


def test_a_template_without_its_slots_has_no_inputs():
    assert inputs("{name_A} and {name_B} met", "Mary and John met") is None


def test_a_counterfactual_with_other_names_is_left_out_of_its_set_only():
    broken = whole() | {
        "s2_io_flip_counterfactual": {"prompt": prompt("Ann", "John", "Ann")},
        SETS[2] + "_counterfactual": None,
    }
    found = {one.set: getattr(one, "reason", "used") for one in rows(broken)}
    assert found == {
        "s1_io_flip": "used",
        "s2_io_flip": "a counterfactual that is not of its row's template and names",
        "s1_ioi_flip_s2_ioi_flip": "no counterfactual",
    }


def test_names_of_several_tokens_are_left_out():
    class Halves(OffsetPieces):
        def encode(self, text):
            ids = super().encode(text)
            return [*ids, 1] if "John" in text else ids

    assert [one.reason for one in rows(whole(), Halves())] == ["a name of several tokens"]
    assert len(rows(whole(), OffsetPieces())) == 3


@pytest.mark.parametrize("missing", ["template", "prompt"])
def test_a_row_in_another_schema_is_refused(missing):
    with pytest.raises(DataError, match=missing):
        parse_prompts(whole() | {missing: None}, "here")


def test_positions_are_places_in_the_sentence_and_none_reads_the_answer(task):
    row = next(row for row in rows(whole("John", "Mary")) if row.set == "s1_io_flip")
    encoder = OffsetPieces()
    pieces = encoder.pattern.findall(row.base_prompt)
    found = {one.name: located(one, row.base, row.base_prompt, encoder) for one in task.parts.positions}
    assert [pieces[found[name][0] - 1] for name in ("first_name", "second_name", "third_name")] == [
        " John",
        " Mary",
        " Mary",
    ]
    assert found["last"] == (len(pieces),)
    assert found["all"] == tuple(range(len(pieces) + 1))
    assert not any(one.oracle for one in task.parts.positions)


def test_mibs_filter_looks_for_the_name_in_what_is_written():
    assert accepts(" Mary", ("Mary", 1.0, 1.0))
    assert not accepts(" Mar", ("Mary", 1.0, 1.0))


def test_heads_are_those_of_known_models_and_training_is_mibs(task):
    parts = task.parts
    assert parts.heads["gpt2"] == ((7, 3), (7, 9), (8, 6), (8, 10))
    assert (parts.training.epochs, parts.training.lr) == (2, 1.0)
    assert [task.size(name, 64) for name in VARIABLES] == [32, 32]
