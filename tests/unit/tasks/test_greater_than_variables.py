from __future__ import annotations

import pytest
from offset_pieces import OffsetPieces

from mibench.core.errors import DataError
from mibench.tasks.causal.identifiability import check_separated, separations
from mibench.tasks.greater_than.variables import later, later_decade, parse
from mibench.tasks.variable_task import load_variable_task

TASK = load_variable_task("greater-than-digit")


def test_every_later_decade_is_an_answer_and_the_next_one_comes_first():
    assert later(6) == ("7", "8", "9")
    assert later(9) == ()
    model = later_decade()
    base, source = ({"noun": "war", "century": 17, "start": start} for start in (32, 68))
    assert model.run(base)["raw_output"] == ("4", "5", "6", "7", "8", "9")
    assert model.interchange_on("decade", base, source)["raw_output"] == ("7", "8", "9")


def test_all_decades_after_the_sources_are_accepted():
    encoder = OffsetPieces()
    found = TASK.encoded("test", 20, "decade", encoder, 1000)
    assert found.left_out == {}
    for row in found.rows:
        decades = range(int(row.source_value) + 1, 10)
        assert row.accepted == tuple((encoder.ids[str(decade)],) for decade in decades)
        assert row.cause == (row.source_value != row.base_value)


def test_positions_are_digits_of_the_first_year_and_the_words_after_it():
    encoder = OffsetPieces()
    row = TASK.encoded("test", 1, "decade", encoder, 1000).rows[0]
    names = {number: piece for piece, number in encoder.ids.items()}
    origin = TASK.rows("test", 1)[0].base
    at = {name: names[row.base[places[0]]] for name, places in row.base_positions.items()}
    assert at == {
        "decade": str(origin["start"] // 10),
        "year_end": str(origin["start"] % 10),
        "to": " to",
        "last": str(origin["century"] % 10),
    }


def test_a_tokenizer_of_two_digits_leaves_no_row():
    with pytest.raises(DataError, match="does not follow its prompt"):
        TASK.encoded("test", None, "decade", OffsetPieces(3), 1000)


def test_later_sources_change_the_answer_and_the_same_decade_does_not():
    rows = TASK.rows("test")
    shares = {one.set: one.share for one in separations(TASK.causal, rows, TASK.variables)}
    assert shares == {"later": 1.0, "later_elsewhere": 1.0, "same_decade": 0.0}
    check_separated(TASK, "decade", rows)
    # Later, not earlier: the accepted decades are fewer than the base's, so doing nothing can be wrong.
    for row in rows:
        base, source = row.base["start"] // 10, row.source["start"] // 10
        assert source > base if row.set.startswith("later") else source == base
        assert (row.base["noun"], row.base["century"]) != (row.source["noun"], row.source["century"]) or (
            row.set != "later_elsewhere"
        )


@pytest.mark.parametrize("wrong", [None, "57", True, 100, -1])
def test_a_year_that_is_none_is_an_error(wrong):
    row = {"prompt": "x", "noun": "war", "century": 17, "start": wrong}
    with pytest.raises(DataError, match="start"):
        parse(row, "here")
