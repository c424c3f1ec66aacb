from __future__ import annotations

import json

import pytest
from offset_pieces import OffsetPieces

from mibench.tasks.mib import hub
from mibench.tasks.mib import ravel as mib_ravel
from mibench.tasks.mib.ravel import DATA, accepts, answers
from mibench.tasks.ravel.generate import RECIPE
from mibench.tasks.variable_task import load_variable_task


@pytest.mark.parametrize(
    ("written", "expected", "right"),
    [
        (" Peru", " Peru", True),
        (" the Peru", " Peru", True),
        (" PERU!", " Peru", True),
        (" Chile", " Peru", False),
        ("", " Peru", False),
        # One of several alternatives is enough.
        (" Gaelic", " English,Gaelic", True),
        (" English", " English,Gaelic", True),
        (" Welsh", " English,Gaelic", False),
        # What is not asked is never wrong.
        (" anything", "", True),
        ("", "", True),
        # Other names.
        (" US", " United States", True),
        (" USA", " United States", False),
        (" the United States", " United States", True),
        (" United", " United States", False),
        (" England", " United Kingdom", True),
        (" UK", " United Kingdom", False),
        (" England", " Czech Republic", True),
        (" United Kingdom", " England", False),
        (" Korea", " South Korea", True),
        (" North Korea", " South Korea", False),
        (" Farsi", " Persian", True),
        (" Persian", " Farsi", True),
        (" Chinese", " Mandarin", True),
        (" Mandarin", " Chinese", True),
        (" NA", " North America", True),
        (" America", " North America", True),
        (" America", " South America", False),
        # These rules go one way.
        (" Australia", " Oceania", True),
        (" Oceania", " Australia", False),
        (" South Korea", " Korea", True),
    ],
)
def test_the_checker_judges_as_mibs(written, expected, right):
    assert accepts(written, expected) is right


def test_the_label_is_the_first_alternative():
    assert answers(" English,Gaelic, Welsh") == (" English", " Gaelic", " Welsh")
    assert answers("") == ()


@pytest.fixture
def local(tmp_path, monkeypatch):
    """Our rows under the hub's names of the counterfactuals, with the hub's kind of template."""
    for split in RECIPE.rows_of:
        lines = []
        for row in RECIPE.rows(split, 6):
            row["wikipedia_counterfactual"] = row.pop("neutral_counterfactual") | {"attribute": "wikipedia"}
            row["prompt_template_counterfactual"] = row["attribute_counterfactual"]
            lines.append(json.dumps(row).replace("{entity}", "%s"))
        (tmp_path / f"{split}.jsonl").write_text("\n".join(lines))
    monkeypatch.setenv(DATA.local_copy, str(tmp_path))
    return load_variable_task("mib/ravel")


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_rows_of_the_hubs_schema_are_read_and_encoded(split, local):
    encoded = local.encoded(split, None, "Continent", OffsetPieces(), 10_000)
    assert encoded.left_out == {}
    assert [row.set for row in encoded.rows[:3]] == list(mib_ravel.SETS)
    assert sum(row.cause for row in encoded.rows) == 6
    assert all((row.source_accepted == ()) == (row.set == "wikipedia") for row in encoded.rows)
    assert local.parts.checker.new_tokens == 2


def test_the_hub_calls_validation_val_and_a_folder_does_not(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(hub, "load_hub", lambda data, split: asked.append(split) or [])
    assert [list(DATA.read(split, None)) for split in ("train", "validation", "test")] == [[], [], []]
    assert asked == ["train", "val", "test"]
    (tmp_path / "validation.jsonl").write_text('{"a": 1}\n')
    assert [row for _, row in DATA.read("validation", str(tmp_path))] == [{"a": 1}]
