from __future__ import annotations

import json
from collections import Counter
from itertools import combinations

import pytest
from offset_pieces import OffsetPieces

from mibench.core.errors import DataError
from mibench.tasks.causal.identifiability import NOTHING, check_separated, separations
from mibench.tasks.generate import to_jsonl
from mibench.tasks.positions import located
from mibench.tasks.ravel.generate import RECIPE, SplitRecipe, cities
from mibench.tasks.ravel.ravel import answers
from mibench.tasks.ravel.rows import causal_model, entity_span, interchanges, row_parser
from mibench.tasks.ravel.words import ALIASES, ATTRIBUTES, CITIES, SLOT, TEMPLATES
from mibench.tasks.shipped import data_folder
from mibench.tasks.variable_task import load_variable_task

SPLITS = ("train", "validation", "test")
ROME = {"entity": "Rome", "Country": "Italy", "Continent": "Europe", "Language": "Italian"}
LIMA = {"entity": "Lima", "Country": "Peru", "Continent": "South America", "Language": "Spanish"}


@pytest.fixture(scope="module")
def task():
    return load_variable_task("ravel")


def sentence(facts, attribute="Country", template="Paris, France. {entity},"):
    prompt = template.replace(SLOT, facts["entity"])
    return {"template": template, "prompt": prompt, "attribute": attribute, **facts}


def whole(base=ROME, attribute="Country", **sources):
    found = {"attribute": sentence(LIMA, "Language"), "neutral": sentence(LIMA, "", "We left {entity} today")}
    return sentence(base, attribute) | {f"{name}_counterfactual": one for name, one in (found | sources).items()}


def parsed(row):
    return row_parser(("attribute", "neutral"))(row, "here")


def rows(row):
    return list(interchanges([parsed(row)], ("attribute", "neutral"), None))


def test_writing_gives_the_shipped_bytes(tmp_path):
    RECIPE.write(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["digests.json", "test.jsonl", "train.jsonl", "validation.jsonl"]
    for name in names:
        assert (tmp_path / name).read_bytes() == (data_folder("ravel") / name).read_bytes()


def test_another_seed_gives_other_rows_and_a_shorter_run_is_the_head_of_a_longer_one():
    other = SplitRecipe("ravel", RECIPE.seed + 1, RECIPE.sizes, RECIPE.draw)
    assert to_jsonl(other.rows("test", 3)) != to_jsonl(RECIPE.rows("test", 3))
    assert RECIPE.rows("test", 10) == RECIPE.rows("test", 30)[:10]


@pytest.mark.parametrize("split", SPLITS)
def test_the_recipes_draw_keeps_to_its_split(split):
    names = {city.name for found in cities(split).values() for city in found}
    templates = {template for found in TEMPLATES[split].values() for template in found}
    for row in RECIPE.rows(split):
        for record in (row, row["attribute_counterfactual"], row["neutral_counterfactual"]):
            assert record["entity"] in names
            assert record["template"] in templates


def test_splits_share_no_city_and_no_template():
    for one, other in combinations(SPLITS, 2):
        for key in ("entity", "template", "prompt"):
            assert not _values(one, key) & _values(other, key)


def _values(split, key):
    columns = ("attribute_counterfactual", "neutral_counterfactual")
    return {record[key] for row in RECIPE.rows(split) for record in (row, *(row[name] for name in columns))}


def test_every_city_is_in_one_split():
    dealt = [city for split in SPLITS for found in cities(split).values() for city in found]
    assert sorted(dealt) == sorted(CITIES)
    assert len({city.name for city in CITIES}) == len(CITIES) >= 150


def test_no_city_is_an_example_in_a_template_or_tells_its_facts():
    text = " ".join(template for split in TEMPLATES.values() for found in split.values() for template in found)
    for city in CITIES:
        assert city.name not in text
        assert not any(fact.lower() in city.name.lower() for fact in city[1:])
        assert city.name.lower() not in city.country.lower()


def test_the_city_is_named_once_by_its_slot_and_something_follows_it():
    for split in TEMPLATES.values():
        assert set(split) == {*ATTRIBUTES, ""}
        for template in (one for found in split.values() for one in found):
            assert template.count(SLOT) == 1
            assert not template.startswith(SLOT) or " " in template
            assert not template.endswith((SLOT, " "))


@pytest.mark.parametrize("split", SPLITS)
def test_each_attribute_is_asked_in_a_third_of_the_rows(split, task):
    asked = Counter((row.set, row.base["queried_attribute"]) for row in task.rows(split))
    third = RECIPE.rows_of[split] // 3
    assert asked == {(name, attribute): third for name in ("attribute", "neutral") for attribute in ATTRIBUTES}


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("variable", ATTRIBUTES)
def test_a_swap_changes_the_answer_exactly_where_the_variable_is_asked(split, variable, task):
    for row in task.rows(split):
        base = task.causal.run(row.base)
        swapped = task.causal.interchange_on(variable, row.base, row.source)
        asked = row.base["queried_attribute"] == variable
        assert (swapped["raw_output"] != base["raw_output"]) == asked
        assert swapped["answer"] == (task.causal.run(row.source)[variable] if asked else base["answer"])


def test_the_rows_tell_every_variable_from_the_others_and_from_nothing(task):
    held = task.rows("test")
    for variable in task.variables:
        check_separated(task, variable, held)
    shares = {(one.second == NOTHING): one.share for one in separations(task.causal, held, task.variables)}
    assert shares == {True: pytest.approx(1 / 3), False: pytest.approx(2 / 3)}


def test_a_known_row_has_the_labels_of_all_three_variables():
    attribute, neutral = rows(whole())
    causal = causal_model("here")
    for row in (attribute, neutral):
        outputs = [causal.interchange_on(name, row.base, row.source)["raw_output"] for name in ATTRIBUTES]
        assert outputs == [" Peru", " Italy", " Italy"]
    assert causal.run(attribute.source)["raw_output"] == " Spanish"
    assert causal.run(neutral.source)["raw_output"] == ""


def test_a_source_that_asks_nothing_is_not_asked(task):
    encoded = task.encoded("test", 4, "Country", OffsetPieces(), 10_000)
    assert encoded.left_out == {}
    for row in encoded.rows:
        assert (row.source_accepted == ()) == (row.set == "neutral")
        assert row.cause == (row.group["queried_attribute"] == "Country")


def test_a_row_serves_every_variable(task):
    one, other = (task.encoded("test", 5, name, OffsetPieces(), 10_000).rows for name in ("Country", "Language"))
    assert [row.id for row in one] == [row.id for row in other]
    assert [row.cause for row in one] != [row.cause for row in other]


def test_other_names_are_right_after_the_one_that_is_taught():
    assert answers(" Italy") == (" Italy",)
    assert answers(" Oceania") == (" Oceania", " Australia")
    assert answers(" Australia") == (" Australia",)
    assert answers("") == ()
    assert answers(" United Kingdom")[0] == " United Kingdom"
    values = {fact for city in CITIES for fact in city[1:]}
    assert set(ALIASES) <= values


@pytest.mark.parametrize(
    ("template", "prompt", "expected"),
    [
        ("In {entity} now", "In Rome now", (3, 7)),
        ("Rome: Italy. %s:", "Rome: Italy. Rome:", (13, 17)),
        ("unknown", "Rome: Italy. Rome: and Romeo", (13, 17)),
        ("unknown", "Paris: France", None),
    ],
)
def test_the_city_is_found_by_its_place_and_not_by_the_first_mention(template, prompt, expected):
    assert entity_span({"entity": ("Rome", "", "", ""), "template": template}, prompt) == expected


def test_positions_name_the_city_the_token_after_it_and_the_last_one(task):
    row = next(row for row in task.rows("test") if " " in row.base["entity"][0] and "people" not in row.base_prompt)
    encoder = OffsetPieces()
    pieces = encoder.pattern.findall(row.base_prompt)
    found = {one.name: located(one, row.base, row.base_prompt, encoder) for one in task.parts.positions}
    (city,) = found["entity_last"]
    assert pieces[city - 1] == " " + row.base["entity"][0].split()[-1]
    assert found["entity_next"] == (city + 1,)
    assert found["last"] == (len(pieces),)
    assert task.position("entity_last_token").name == "entity_last"
    assert not any(one.oracle for one in task.parts.positions)


def test_the_subspace_has_an_eighth_of_the_width(task):
    assert [task.size(name, 576) for name in ATTRIBUTES] == [72, 72, 72]


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        ({"Country": None}, "Country"),
        ({"Language": 3}, "Language"),
        ({"Country": " "}, "Country"),
        ({"entity": ""}, "entity"),
        ({"template": None}, "template"),
        ({"attribute_counterfactual": sentence(LIMA) | {"Continent": None}}, "attribute_counterfactual.Continent"),
    ],
)
def test_a_row_in_another_schema_is_refused(broken, named):
    with pytest.raises(DataError, match=named):
        parsed(whole() | broken)


def test_a_base_that_asks_nothing_and_a_missing_counterfactual_are_left_out():
    assert {one.reason for one in rows(whole(attribute="Timezone"))} == {"a base prompt that asks for nothing"}
    found = rows(whole() | {"neutral_counterfactual": None})
    assert (found[0].set, found[1].set, found[1].reason) == ("attribute", "neutral", "no counterfactual")


def test_the_data_card_says_seed_sizes_command_and_whose_facts_they_are():
    card = (data_folder("ravel") / "DATACARD.md").read_text()
    for phrase in (f"seed {RECIPE.seed}", "--out data/ravel", "SmolLM2-135M-Instruct", "CC-BY-4.0", "GeoNames"):
        assert phrase in card
    for split, size in RECIPE.rows_of.items():
        count = sum(len(found) for found in cities(split).values())
        assert f"| {split} | {size} | `{split}.jsonl` | {count} | 2 |" in card
    assert json.loads((data_folder("ravel") / "digests.json").read_text())["rows"] == RECIPE.rows_of
    assert sum(path.stat().st_size for path in data_folder("ravel").iterdir()) <= 350_000
