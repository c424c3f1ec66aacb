from __future__ import annotations

import hashlib
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mibench.core.errors import DataError
from mibench.tasks.private.keys import SPLITS, checked_salt, keyed, shuffled, side

SALT = b"s" * 32


def test_a_key_is_the_hmac_of_what_it_is_for():
    plain = json.dumps(["draws", "ioi", "final"], separators=(",", ":")).encode()
    assert keyed(SALT, "draws", "ioi", "final") == hmac.new(SALT, plain, hashlib.sha256).digest()


def test_both_sides_get_about_half_and_a_salt_decides():
    found = [side(SALT, number) for number in range(1000)]
    assert 400 < found.count("standings") < 600
    assert set(found) == set(SPLITS)
    assert found != [side(b"t" * 32, number) for number in range(1000)]


@given(st.lists(st.text(max_size=8), unique=True))
def test_an_order_depends_on_the_salt_and_the_items_alone(items):
    assert shuffled(SALT, items, str) == shuffled(SALT, sorted(items), str)
    assert sorted(shuffled(SALT, items, str)) == sorted(items)


@pytest.mark.parametrize("salt", [b"", b"x" * 15])
def test_a_short_salt_is_refused(salt):
    with pytest.raises(DataError, match="too short"):
        checked_salt(salt)
