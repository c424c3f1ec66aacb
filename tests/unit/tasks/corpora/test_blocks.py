from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from offset_pieces import OffsetPieces

from mibench.core.errors import DataError, UsageError
from mibench.tasks.corpora.blocks import token_blocks
from mibench.tasks.corpora.corpus import Corpus, Document

BOS = 0


class Letters:
    """Each letter is a token: ``a`` is 1; ``!`` is the special token 99."""

    def __init__(self, bos_id=BOS, special_ids=()):
        self.bos_id = bos_id
        self.special_ids = special_ids

    def encode(self, text):
        return [99 if letter == "!" else ord(letter) - 96 for letter in text]


class Given(Corpus):
    """The documents as they are given, all of them in every split."""

    def documents(self, split):
        yield from self.source()


def given_text(*texts):
    return Given(lambda: (Document(text, text[:9]) for text in texts), "Given.", "given", 1, "none")


def blocks(*texts, context=4, bos=True, tokens=None, encoder=None):
    return token_blocks(given_text(*texts), "train", encoder or Letters(), context=context, bos=bos, tokens=tokens)


def test_documents_are_joined_by_bos_and_each_context_begins_with_one():
    found = blocks("abcd", "e", "fgh")
    assert found.ids.tolist() == [[0, 1, 2, 3], [0, 4, 0, 5], [0, 6, 7, 8]]
    assert found.scored.tolist() == [
        [False, True, True, True],
        [False, True, False, True],
        [False, True, True, True],
    ]
    assert found.document.tolist() == [[0, 0, 0, 0], [0, 0, 1, 1], [2, 2, 2, 2]]
    assert (found.ids.dtype, found.document.dtype, found.scored.dtype) == (np.int32, np.int32, np.bool_)
    assert (found.context, len(found), found.n_scored) == (4, 3, 8)


def test_without_bos_contexts_are_full_of_text_and_documents_are_still_parted():
    found = blocks("abc", "de", "fg", bos=False)
    assert found.ids.tolist() == [[1, 2, 3, 0], [4, 5, 0, 6]]
    assert found.n_scored == 6


def test_a_tokenizer_without_bos_joins_documents_with_nothing():
    found = blocks("abc", "defgh", bos=False, encoder=Letters(bos_id=None))
    assert found.ids.tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert found.scored.all()
    with pytest.raises(UsageError, match="cannot begin with a BOS token"):
        blocks("abc", encoder=Letters(bos_id=None))


def test_special_tokens_that_text_spells_are_not_scored():
    found = blocks("a!b", encoder=Letters(special_ids=(99,)))
    assert found.scored.tolist() == [[False, True, False, True]]


def test_enough_contexts_for_the_wanted_tokens_are_made_and_no_document_more_is_read():
    read = []

    def source():
        for number in range(100):
            read.append(number)
            yield Document("abcdef", str(number))

    corpus = Given(source, "Given.", "given", 1, "none")
    found = token_blocks(corpus, "train", Letters(), context=4, bos=True, tokens=7)
    assert found.n_scored >= 7
    assert found.scored[:-1].sum() < 7
    assert not found.short
    assert len(read) <= 3


def test_too_little_text_is_all_used_and_said_to_be_short():
    found = blocks("abcdefg", tokens=100)
    assert (found.n_scored, found.short) == (6, True)
    assert not blocks("abcdefg", tokens=6).short
    assert not blocks("abcdefg").short


def test_fewer_tokens_are_the_first_of_more():
    texts = ["abcdefgh", "i", "jklmnopqrst", "uv", "wxyz"] * 3
    more = blocks(*texts)
    for tokens in (1, 5, 20):
        fewer = blocks(*texts, tokens=tokens)
        assert np.array_equal(fewer.ids, more.ids[: len(fewer)])
        assert fewer.digest == more.first(len(fewer)).digest
    assert more.first(None) is more
    assert more.first(10**6) is more


@given(
    st.lists(st.text(alphabet="abc!", max_size=12), max_size=8),
    st.integers(2, 6),
    st.booleans(),
    st.one_of(st.none(), st.integers(1, 30)),
)
def test_blocks_are_the_documents_one_after_the_other(texts, context, bos, tokens):
    try:
        found = blocks(*texts, context=context, bos=bos, tokens=tokens)
    except DataError:
        room = context - bos
        assert sum(len(text) + 1 for text in texts if text) - 1 < room
        return
    text = found.ids[:, 1:] if bos else found.ids
    if bos:
        assert (found.ids[:, 0] == BOS).all()
    plain = [int(token) for token in text.reshape(-1) if token != BOS]
    everything = [token for one in texts for token in Letters().encode(one)]
    assert plain == everything[: len(plain)]
    assert not (text[:, 0] == BOS).any()
    assert found.n_scored == len(plain)
    if tokens is None:
        assert len(everything) - len(plain) < context - bos


def test_the_digest_is_of_what_the_model_sees_and_what_counts():
    one = blocks("abcdef")
    assert one.digest == blocks("abcdef").digest
    others = [
        blocks("abcdeg"),
        blocks("abcdef", context=3),
        blocks("abcdef", bos=False),
        blocks("abcdef", encoder=Letters(special_ids=(2,))),
    ]
    assert len({one.digest, *(other.digest for other in others)}) == 5


def test_empty_text_a_missing_tokenizer_and_wrong_numbers_are_refused():
    with pytest.raises(DataError, match="too small"):
        blocks("ab")
    with pytest.raises(DataError, match="too small"):
        blocks()
    with pytest.raises(UsageError, match="no tokenizer"):
        token_blocks(given_text("abc"), "train", None, context=4, bos=True)
    with pytest.raises(UsageError, match="context of 1"):
        blocks("abc", context=1)
    with pytest.raises(UsageError, match="0 tokens"):
        blocks("abc", tokens=0)


def test_a_stream_is_not_read_to_its_end():
    corpus = replace(given_text("abcdef"), stream=True)
    with pytest.raises(UsageError, match="All of 'given' cannot be used"):
        token_blocks(corpus, "train", Letters(), context=4, bos=True)
    assert len(token_blocks(corpus, "train", Letters(), context=4, bos=True, tokens=3)) == 1


def test_impossible_ids_of_a_tokenizer_are_refused():
    class Broken(Letters):
        def encode(self, text):
            return [-1]

    with pytest.raises(DataError, match="impossible token ids"):
        blocks("abc", encoder=Broken())


def test_a_tokenizer_of_words_gives_the_words_of_the_text():
    encoder = OffsetPieces()
    found = token_blocks(given_text("the cat", "the dog sat"), "test", encoder, context=3, bos=True)
    the, cat, dog, sat = (encoder.ids[word] for word in ("the", " cat", " dog", " sat"))
    assert found.ids.tolist() == [[0, the, cat], [0, the, dog]]
    assert sat not in found.ids
    assert (found.corpus, found.split, found.bos) == ("given", "test", True)
