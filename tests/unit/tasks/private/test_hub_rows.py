from __future__ import annotations

import json

import pytest

from mibench.core.errors import DataError, UsageError
from mibench.tasks.ioi.generate import RECIPE
from mibench.tasks.private.generated import prompts, public_prompts
from mibench.tasks.private.hub_rows import private_hub_rows
from mibench.tasks.private.keys import SPLITS

SALT = b"s" * 32


@pytest.fixture(scope="module")
def new():
    """Rows that no public file has."""
    rows = RECIPE.rows("test", 540)[500:]
    return [row for row in rows if public_prompts().isdisjoint(prompts(row))]


@pytest.fixture
def write(tmp_path):
    def make(rows, name="test"):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return tmp_path

    return make


def test_rows_are_dealt_without_one_on_two_sides(write, new):
    found = private_hub_rows("mib/ioi", write(new + new[:5]), 8, SALT)
    one, other = ([json.dumps(row) for row in found[split]] for split in SPLITS)
    assert len(set(one)) == len(set(other)) == 8
    assert not set(one) & set(other)
    assert set(one) | set(other) <= {json.dumps(row) for row in new}
    assert private_hub_rows("mib/ioi", write(new[::-1]), 8, SALT) == found
    assert private_hub_rows("mib/ioi", write(new), 8, b"t" * 32) != found


def test_rows_with_a_public_prompt_are_left_out(write, new):
    write([{"prompt": new[0]["s2_io_flip_counterfactual"]["prompt"]}], "train")
    found = private_hub_rows("mib/ioi", write([*RECIPE.rows("test", 100), *new]), 8, SALT)
    rows = [row for split in SPLITS for row in found[split]]
    assert all(row in new[1:] for row in rows)


def test_too_few_rows_are_refused_with_their_number(write, new):
    with pytest.raises(DataError, match="'mib/ioi' has too few") as caught:
        private_hub_rows("mib/ioi", write(new), 30, SALT)
    assert "30 are asked for" in caught.value.why


def test_rows_that_share_a_source_are_not_on_both_sides(write, new):
    rows = [{**row, "x_counterfactual": {"prompt": "The same source."}} for row in new]
    with pytest.raises(DataError, match="too few") as caught:
        private_hub_rows("mib/ioi", write(rows), 1, SALT)
    assert "fall to final" in caught.value.why


@pytest.mark.parametrize("line", ["{", "[1]", '{"prompt": 3}', "[" * 100_000, "null"])
def test_a_broken_row_is_refused_without_being_quoted(tmp_path, line):
    (tmp_path / "test.jsonl").write_text(line + "\n")
    with pytest.raises(DataError, match="line 1 cannot be used") as caught:
        private_hub_rows("mib/ioi", tmp_path, 1, SALT)
    assert line[:20] not in caught.value.why


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"test\.jsonl cannot be read"):
        private_hub_rows("mib/ioi", tmp_path, 1, SALT)
