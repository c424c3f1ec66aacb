from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mibench.core.errors import DataError
from mibench.tasks.generate import split_of, to_jsonl
from mibench.tasks.greater_than.generate import RECIPE as GREATER_THAN
from mibench.tasks.mcqa.generate import RECIPE as MCQA
from mibench.tasks.private import generated
from mibench.tasks.private.generated import GENERATORS, private_rows, prompts, public_prompts
from mibench.tasks.private.keys import SPLITS
from mibench.tasks.ravel.generate import cities
from mibench.tasks.shipped import data_folder

SALT = b"s" * 32
ROWS = 12


def all_prompts(rows):
    return set().union(*map(prompts, rows))


@pytest.mark.parametrize("name", GENERATORS)
def test_private_rows_are_new_disjoint_and_as_many_as_asked_for(name):
    found = private_rows(name, ROWS, SALT)
    assert [len(found[split]) for split in SPLITS] == [ROWS, ROWS]
    assert all(len({row["prompt"] for row in rows}) == ROWS for rows in found.values())
    one, other = (all_prompts(found[split]) for split in SPLITS)
    assert not one & other
    assert not (one | other) & public_prompts()


@pytest.mark.parametrize("name", GENERATORS)
def test_private_rows_have_the_columns_of_the_public_ones(name):
    public = json.loads((data_folder(name) / "test.jsonl").read_text().splitlines()[0])
    assert list(private_rows(name, 1, SALT)["final"][0]) == list(public)


@settings(max_examples=15, deadline=None)
@given(st.binary(min_size=16, max_size=40), st.binary(min_size=16, max_size=40))
def test_a_salt_gives_the_same_bytes_and_another_salt_other_rows(salt, other):
    found = private_rows("mcqa", 5, salt)
    assert to_jsonl(found["final"]) == to_jsonl(private_rows("mcqa", 5, salt)["final"])
    if salt != other:
        assert to_jsonl(found["final"]) != to_jsonl(private_rows("mcqa", 5, other)["final"])


@settings(max_examples=10, deadline=None)
@given(st.binary(min_size=16, max_size=40))
def test_scenes_come_from_the_public_test_bucket_and_belong_to_one_side_in_every_set(salt):
    things = {}
    for name in ("greater-than", "greater-than-interchange"):
        for split, rows in private_rows(name, 5, salt).items():
            for row in rows:
                sentences = [row, *(one for key, one in row.items() if key.startswith("later"))]
                for one in sentences:
                    group = (one["prompt"].split()[1], one["prompt"].split()[-1])
                    assert split_of([group[0], int(group[1])]) == "test"
                    assert things.setdefault(group, split) == split


def test_cities_are_those_of_the_test_split_and_each_belongs_to_one_side():
    held = {city.name for found in cities("test").values() for city in found}
    rows = private_rows("ravel", 20, SALT)
    columns = ("attribute_counterfactual", "neutral_counterfactual")
    used = [{one["entity"] for row in rows[split] for one in (row, *map(row.get, columns))} for split in SPLITS]
    assert not used[0] & used[1]
    assert used[0] | used[1] <= held


def test_the_place_of_a_row_does_not_tell_where_the_right_choice_stands():
    rows = private_rows("mcqa", 40, SALT)["standings"]
    assert [row["answerKey"] for row in MCQA.rows("test", 40)] == [0, 1, 2, 3] * 10
    assert [row["answerKey"] for row in rows] != [0, 1, 2, 3] * 10
    assert sorted(row["answerKey"] for row in rows) == [0] * 10 + [1] * 10 + [2] * 10 + [3] * 10


def test_a_set_with_too_few_rows_is_refused_with_their_number(monkeypatch):
    monkeypatch.setattr(generated, "PATIENCE", 3000)
    with pytest.raises(DataError, match="'ravel' has too few") as caught:
        private_rows("ravel", 1000, SALT)
    count = int(caught.value.do.split()[-2])
    assert 20 < count < 200
    assert "1000 are asked for" in caught.value.why


def test_draws_that_bring_nothing_come_to_an_end(monkeypatch):
    drawn = []
    monkeypatch.setitem(GENERATORS, "nothing", lambda draws, index: drawn.append(index))
    monkeypatch.setattr(generated, "PATIENCE", 50)
    with pytest.raises(DataError, match="Leave its tasks out"):
        private_rows("nothing", 1, SALT)
    assert len(drawn) == 50


def test_prompts_of_every_column_count():
    row = GREATER_THAN.rows("test", 1)[0]
    assert prompts(row) == {row["prompt"], row["year01_counterfactual"]["prompt"]}
    assert prompts(row) <= public_prompts()
