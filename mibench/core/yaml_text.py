"""YAML without a trap: plain values only, and no key twice."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import yaml


class _OneKeyOnce(yaml.SafeLoader):
    """Refuses a mapping that names a key twice, where YAML's own loader silently takes the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(None, None, f"the key '{twice}' stands twice", node.start_mark)
        return super().construct_mapping(node, deep=deep)


def load_yaml(text: str) -> Any:
    """Return the value that ``text`` holds.

    Raises:
        yaml.YAMLError: It is not YAML, names a key twice, or asks for something other than plain values.
    """
    return yaml.load(text, Loader=_OneKeyOnce)  # noqa: S506  a safe loader
