"""The generated sets of the variable track."""

from __future__ import annotations

import pytest

from mibench.tasks.arithmetic import generate_interchange as additions
from mibench.tasks.generate import Recipe, to_jsonl
from mibench.tasks.greater_than import generate_interchange as greater_than
from mibench.tasks.mcqa import generate_interchange as mcqa
from mibench.tasks.shipped import data_folder

RECIPES = [*additions.RECIPES, greater_than.RECIPE, mcqa.RECIPE]
BY_NAME = pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)


def prompts(row):
    return {row["prompt"], *(record["prompt"] for key, record in row.items() if key.endswith("_counterfactual"))}


@BY_NAME
def test_writing_gives_the_shipped_bytes(recipe, tmp_path):
    recipe.write(tmp_path)
    folder = data_folder(recipe.name)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (folder / path.name).read_bytes()
    assert {path.name for path in folder.iterdir()} == {path.name for path in tmp_path.iterdir()} | {"DATACARD.md"}


@BY_NAME
def test_no_prompt_of_any_column_is_in_two_splits(recipe):
    found = [set().union(*map(prompts, recipe.rows(split))) for split in recipe.rows_of]
    assert sum(map(len, found)) == len(set().union(*found))


@BY_NAME
def test_bases_differ_and_sources_are_not_their_bases(recipe):
    for split in recipe.rows_of:
        rows = recipe.rows(split)
        assert len({row["prompt"] for row in rows}) == len(rows)
        for row in rows:
            others = [record["prompt"] for key, record in row.items() if key.endswith("_counterfactual")]
            assert row["prompt"] not in others


@BY_NAME
def test_another_seed_gives_other_rows(recipe):
    other = Recipe(recipe.name, recipe.seed + 1, recipe.sizes, recipe.draw)
    assert to_jsonl(other.rows("test", 3)) != to_jsonl(recipe.rows("test", 3))


@BY_NAME
def test_the_data_card_names_licence_seed_sizes_command_and_what_the_sets_separate(recipe):
    card = (data_folder(recipe.name) / "DATACARD.md").read_text()
    sets = [key.removesuffix("_counterfactual") for key in recipe.rows("test", 1)[0] if key.endswith("_counterfactual")]
    for words in ("Apache-2.0", f"seed {recipe.seed}", f"--out data/{recipe.name}", "SmolLM2-135M-Instruct", "No-op"):
        assert words in card
    for split, size in recipe.rows_of.items():
        assert f"| {split} | {size} |" in card
    for name in sets:
        assert f"| `{name}` |" in card


@BY_NAME
def test_a_set_is_small(recipe):
    assert sum(path.stat().st_size for path in data_folder(recipe.name).iterdir()) <= 300_000


def test_places_of_the_right_choice_go_round_and_sources_move_it():
    rows = mcqa.RECIPE.rows("train")
    assert [row["answerKey"] for row in rows[:8]] == [0, 1, 2, 3] * 2
    for row in rows:
        moved, renamed = row["answerPosition_counterfactual"], row["randomLetter_counterfactual"]
        assert moved["answerKey"] != row["answerKey"] == renamed["answerKey"]
        assert moved["choices"]["label"] == list("ABCD")
        assert not set(renamed["choices"]["label"]) & set("ABCD")
        assert renamed["choices"]["text"] == row["choices"]["text"]
