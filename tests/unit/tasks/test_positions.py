from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from offset_pieces import OffsetPieces

from mibench.tasks.positions import Position, every, last, located, regex, span

PROMPT = "Paris is in France. Berlin"


def tokens(position, prompt=PROMPT, setting=None, encoder=None):
    encoder = encoder or OffsetPieces()
    places = located(position, setting or {}, prompt, encoder)
    pieces = [*([] if encoder.bos_id is None else ["<bos>"]), *encoder.pattern.findall(prompt)]
    return [pieces[place] for place in places]


def test_last_all_and_first_count_the_bos_token():
    encoder = OffsetPieces()
    assert located(last(), {}, PROMPT, encoder) == (6,)
    assert located(every(), {}, PROMPT, encoder) == (0, 1, 2, 3, 4, 5, 6)
    assert located(Position("first", which="first"), {}, PROMPT, encoder) == (1,)


def test_without_a_bos_token_indices_are_those_of_the_text():
    encoder = OffsetPieces()
    encoder.bos_id = None
    assert located(last(), {}, PROMPT, encoder) == (5,)
    assert located(every(), {}, PROMPT, encoder) == (0, 1, 2, 3, 4, 5)


def test_mibs_name_of_the_last_token_is_an_alias():
    assert (last().name, last().aliases) == ("last", ("last_token",))


def test_a_span_is_the_words_of_a_variable():
    assert tokens(span("country", "country"), setting={"country": "France"}) == [" France"]
    assert tokens(span("end", "what", which="all"), setting={"what": "in France"}) == [" in", " France"]
    assert tokens(span("end", "what", which="first"), setting={"what": "in France"}) == [" in"]


def test_a_span_is_a_word_of_its_own_and_not_a_part_of_one():
    prompt = "Parisian men of Paris, Paris"
    assert located(span("city", "city"), {"city": "Paris"}, prompt, OffsetPieces()) == (4,)
    assert located(span("city", "city", occurrence=-1), {"city": "Paris"}, prompt, OffsetPieces()) == (6,)
    assert located(span("city", "city", occurrence=2), {"city": "Paris"}, prompt, OffsetPieces()) == ()


def test_values_are_text_and_not_expressions():
    assert tokens(span("x", "x"), "a.c abc a.c", {"x": "a.c"}) == ["c"]
    assert located(span("x", "x"), {"x": "a.c"}, "abc", OffsetPieces()) == ()


def test_a_group_of_an_expression_can_be_any_match():
    second = regex("b", r"(\d)\+(\d)", 2, occurrence=-1)
    assert tokens(second, "1+2 3+4") == ["4"]
    assert tokens(regex("b", r"(\d)\+(\d)", 1, occurrence=0), "1+2 3+4") == ["1"]
    assert located(regex("line", r"^b"), {}, "a\nb", OffsetPieces()) == (3,)


def test_a_group_that_took_no_part_in_the_match_is_nowhere():
    assert located(regex("x", r"a(b)?", 1), {}, "a", OffsetPieces()) == ()


def test_an_offset_moves_to_the_right_and_never_out_of_the_prompt():
    assert tokens(regex("after", r"France", offset=1)) == ["."]
    assert tokens(regex("after", r"Berlin", offset=1)) == []


def test_a_token_that_spans_characters_of_two_words_belongs_to_both():
    assert tokens(regex("digits", r"5", which="all"), "1 356", encoder=OffsetPieces(3)) == ["356"]


@given(st.text(alphabet="ab 12.", min_size=1, max_size=30), st.integers(0, 29), st.integers(1, 30))
def test_every_token_of_a_span_shares_a_character_with_it_and_no_other_does(prompt, start, length):
    end = min(len(prompt), start + length)
    encoder = OffsetPieces(2)
    found = located(Position("x", lambda setting, text: (start, end), which="all"), {}, prompt, encoder)
    naive = []
    place = 0
    for index, piece in enumerate(encoder.pattern.findall(prompt)):
        if set(range(place, place + len(piece))) & set(range(start, end)):
            naive.append(index + 1)
        place += len(piece)
    assert list(found) == naive


@pytest.mark.parametrize("position", [last(), every(), Position("first", which="first")])
def test_an_empty_prompt_has_no_tokens_but_bos(position):
    assert located(position, {}, "", OffsetPieces()) == ((0,) if position.which == "all" else ())
