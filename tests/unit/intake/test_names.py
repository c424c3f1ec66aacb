from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mibench.core.errors import DataError
from mibench.intake.names import collisions, folder_name, name_fault, parse_folder_name, path_fault

NAMES = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9-]{0,20}[A-Za-z0-9])?", fullmatch=True).filter(
    lambda name: name_fault(name) is None
)


@pytest.mark.parametrize("name", ["a", "my-team", "EAP-IG.2", "0", "1.0.2", "x" * 64, "console", "lpt10"])
def test_plain_names_are_fine(name):
    assert name_fault(name) is None


@pytest.mark.parametrize("name", ["", "a_b", "a b", "é", "-a", "a.", "a..b", "nul", "Com3.x", "x" * 65, "a/b", "a\n"])
def test_other_names_are_not(name):
    assert name_fault(name)


def test_files_may_have_an_underscore_and_be_longer():
    assert name_fault("a_b", of_file=True) is None
    assert name_fault("x" * 100, of_file=True) is None


def test_a_path_is_relative_and_stays_inside():
    assert path_fault("artifacts/a_b.safetensors") is None
    for path in (
        "",
        "/a",
        "a/",
        "a//b",
        "../a",
        "a/../b",
        "a/./b",
        "a\\b",
        "c:a",
        "a\0",
        "1/2/3/4/5/6/7",
        "a/con.json",
    ):
        assert path_fault(path), path


def test_names_that_differ_in_case_collide():
    assert collisions(["a", "b", "A", "c", "B"]) == [("a", "A"), ("b", "B")]
    assert collisions(["a", "b"]) == []


@given(NAMES, NAMES, NAMES)
def test_the_name_of_a_folder_is_read_back(team, method, version):
    assert parse_folder_name(folder_name(team, method, version)) == (team, method, version)


@given(st.text(max_size=40))
def test_any_text_is_a_folder_name_or_refused(text):
    try:
        parts = parse_folder_name(text)
    except DataError:
        return
    assert folder_name(*parts) == text
    assert text.isascii()
