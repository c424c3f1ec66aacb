"""Names of strangers do nothing but be read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mibench.leaderboard import text


@given(st.text())
def test_plain_text_is_one_printable_line_that_utf8_can_hold(name: str) -> None:
    shown = text.plain(name)
    assert len(shown) <= text.LONGEST
    assert shown.isprintable() or "\ufffd" in shown
    assert len(shown.splitlines()) <= 1
    shown.encode()


def test_control_and_direction_characters_are_made_visible() -> None:
    assert text.plain("a\u202eb\x00c\nd") == "a\ufffdb\ufffdc d"


@given(st.text())
def test_a_slug_is_fit_for_a_file_name(name: str) -> None:
    assert set(text.slug(name)) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert 0 < len(text.slug(name)) <= 60


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x"])
def test_a_name_is_no_formula(name: str) -> None:
    assert text.sheet(name) == f"'{name}"
    assert text.sheet("eap") == "eap"


def test_markdown_is_shown_as_it_is() -> None:
    assert text.markdown("a|b <img> [x](y) _z_") == r"a\|b &lt;img> \[x\](y) \_z\_"


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (text.number(-0.0004, 3), "0.000"),
        (text.number(0.12345, 3), "0.123"),
        (text.duration(59.94), "59.9 s"),
        (text.duration(150), "2.5 min"),
        (text.duration(7200), "2.0 h"),
        (text.memory(5 * 2**20), "5 MiB"),
        (text.memory(3 * 2**29), "1.5 GiB"),
        (text.count(12345.6), "12,346"),
        (text.count(3.14159), "3.14"),
    ],
)
def test_amounts_have_readable_units(shown: str, expected: str) -> None:
    assert shown == expected
