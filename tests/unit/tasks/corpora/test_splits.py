from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from mibench.tasks.corpora.splits import by_hash, by_size, text_key

ORDER = ["test", "validation", "train"]


def test_hundred_equal_documents_are_fifteen_five_and_eighty():
    places = by_size([7] * 100)
    assert [places.count(split) for split in ORDER] == [15, 5, 80]


def test_a_document_on_a_border_belongs_to_the_earlier_split():
    assert by_size([100, 100, 50, 750]) == ["test", "test", "validation", "train"]


def test_one_huge_document_leaves_the_others_their_splits():
    assert by_size([1000, 1, 1]) == ["test", "validation", "train"]
    assert by_size([1, 1, 1000]) == ["test", "validation", "train"]


@given(st.lists(st.integers(1, 10_000), min_size=3, max_size=60))
def test_splits_are_whole_runs_in_order_and_none_is_empty(sizes):
    places = by_size(sizes)
    assert len(places) == len(sizes)
    assert places == sorted(places, key=ORDER.index)
    assert set(places) == set(ORDER)


def test_the_hash_alone_decides_in_a_stream():
    places = [by_hash(text_key(str(number))) for number in range(4000)]
    shares = [places.count(split) / len(places) for split in ORDER]
    assert all(abs(share - wanted) < 0.02 for share, wanted in zip(shares, (0.15, 0.05, 0.8), strict=True))
    assert [by_hash(bytes([byte]) + bytes(31)) for byte in (0, 38, 39, 51, 52, 255)] == [
        *["test"] * 2,
        *["validation"] * 2,
        *["train"] * 2,
    ]


def test_the_key_is_the_sha256_also_of_half_a_surrogate_pair():
    assert text_key("ä") == hashlib.sha256("ä".encode()).digest()
    assert text_key("\ud800") != text_key("\ud801")
