"""Halves of a text share no document where that can be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mibench.core.errors import DataError
from mibench.tasks.corpora.blocks import TokenBlocks
from mibench.tracks.sae.text_halves import halves, text_digest


def blocks(lengths, context=4):
    document = np.repeat(np.arange(len(lengths)), lengths).astype(np.int32)
    document = document[: len(document) // context * context].reshape(-1, context)
    return TokenBlocks(np.zeros_like(document), np.ones(document.shape, bool), document, "c", "test", bos=False)


def test_the_split_is_where_a_document_ends_near_the_middle():
    found = halves(blocks([12, 12, 4, 16]))
    assert (found.fit, found.held) == (slice(0, 6), slice(6, 11))


def test_the_context_with_both_documents_is_in_neither_half():
    found = halves(blocks([12, 10, 6, 16]))
    assert (found.fit, found.held) == (slice(0, 5), slice(6, 11))


def test_one_long_document_is_split_in_the_middle():
    found = halves(blocks([40, 4]))
    assert (found.fit, found.held) == (slice(0, 5), slice(5, 11))


def test_too_few_contexts_are_refused():
    with pytest.raises(DataError, match="too few contexts"):
        halves(blocks([12]))


def test_the_digest_of_a_text_follows_where_its_documents_end():
    one, other = blocks([12, 12, 4, 16]), blocks([12, 10, 6, 16])
    assert one.digest == other.digest
    assert halves(one) != halves(other)
    assert text_digest(one) != text_digest(other)
    assert text_digest(one) == text_digest(blocks([12, 12, 4, 16]))


@given(st.lists(st.integers(1, 30), min_size=3, max_size=30).filter(lambda one: sum(one) >= 16))
def test_both_halves_have_text_and_share_a_document_only_if_none_ends_in_the_middle(lengths):
    made = blocks(lengths)
    found, n = halves(made), len(made)
    fit, held = made.document[found.fit], made.document[found.held]
    assert found.fit.start == 0
    assert found.held.stop == n
    assert found.fit.stop <= found.held.start <= found.fit.stop + 1
    assert min(len(fit), len(held)) >= 1
    if set(fit.ravel()) & set(held.ravel()):
        assert (found.fit.stop, found.held.start) == (n // 2, n // 2)
