from __future__ import annotations

import time

import pytest
import yaml

from mibench.core.yaml_text import load_yaml


def test_plain_values_are_those_of_yaml():
    text = "a: [1, 2.5, yes, null]\nb: &anchor {c: x}\nd: {<<: *anchor, e: 1}\n"
    assert load_yaml(text) == yaml.safe_load(text)


@pytest.mark.parametrize("text", ["a: 1\na: 2\n", "{a: {b: 1, b: 1}}", "[{x: 1, x: 2}]"])
def test_a_key_that_stands_twice_is_refused(text):
    with pytest.raises(yaml.YAMLError, match="stands twice"):
        load_yaml(text)


def test_objects_are_refused():
    with pytest.raises(yaml.YAMLError):
        load_yaml("!!python/object/apply:os.getcwd []")


@pytest.mark.parametrize(
    "text",
    [
        "!!int ''",
        "{!!int '': 1}",
        "!!bool x",
        "!!timestamp x",
        "!!float ''",
        "[!!timestamp '']",
        "a: " + "1:" * 200 + "1.5",
    ],
)
def test_values_that_are_not_what_their_tag_says_are_refused(text):
    with pytest.raises((yaml.YAMLError, ValueError)):
        load_yaml(text)


def test_many_keys_take_no_longer_than_yaml_itself():
    text = "\n".join(f"k{number}: 1" for number in range(20_000))
    started = time.process_time()
    yaml.safe_load(text)
    usual = time.process_time() - started
    assert len(load_yaml(text)) == 20_000
    assert time.process_time() - started < 3 * usual + 1
