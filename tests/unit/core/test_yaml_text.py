from __future__ import annotations

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
