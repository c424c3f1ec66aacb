"""What the tokenizer of the embedded model makes of the variable track's own sets; no weights are loaded."""

from __future__ import annotations

import pytest

from mibench.models.tokenizer import load_tokenizer
from mibench.tasks.variable_task import load_variable_task


@pytest.fixture(scope="module")
def smollm2(smollm2_folder):
    return load_tokenizer(smollm2_folder, family="llama")


@pytest.mark.parametrize("name", ["mcqa", "arithmetic-digit", "arithmetic-addition", "greater-than-digit"])
def test_every_row_is_usable_for_every_variable_as_the_data_cards_say(name, smollm2):
    task = load_variable_task(name)
    for variable in task.variables:
        found = task.encoded("validation", None, variable, smollm2, 49152)
        assert found.left_out == {}
        assert len(found.rows) == len(task.rows("validation"))
        assert {len(places) for row in found.rows for places in row.base_positions.values()} == {1}


def test_positions_are_the_tokens_that_they_are_named_after(smollm2):
    said = {}
    for name in ("mcqa", "arithmetic-addition", "greater-than-digit"):
        task = load_variable_task(name)
        row = task.encoded("validation", 1, task.variables[0], smollm2, 49152).rows[0]
        for position, (place,) in row.base_positions.items():
            said[name, position] = smollm2.decode([row.base[place]])
    base = load_variable_task("greater-than-digit").rows("validation", 1)[0].base
    assert [said["mcqa", f"symbol{place}"] for place in range(4)] == list("ABCD")
    assert said["mcqa", "question_end"] == "?"
    assert said["mcqa", "correct_symbol_period"] == "."
    assert said["greater-than-digit", "decade"] == str(base["start"] // 10)
    assert said["greater-than-digit", "to"] == " to"
    assert said["arithmetic-addition", "last"] == " "
    assert said["arithmetic-addition", "op1_last"].isdigit()
