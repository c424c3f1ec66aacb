"""YAML without a trap: plain values only, and no key twice."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import yaml


class _OneKeyOnce(yaml.SafeLoader):
    """Refuses a mapping that names a key twice, where YAML's own loader silently takes the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    why = f"the key '{key.value}' stands twice"
                    raise yaml.constructor.ConstructorError(None, None, why, node.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def load_yaml(text: str) -> Any:
    """Return the value that ``text`` holds.

    Raises:
        yaml.YAMLError: It is not YAML, names a key twice, or asks for something other than plain values.
    """
    try:
        return yaml.load(text, Loader=_OneKeyOnce)  # noqa: S506  a safe loader
    except (ArithmeticError, AttributeError, LookupError, TypeError) as error:
        # What a tag such as !!timestamp is put before need not be one, and the loader then fails in its own ways.
        why = f"a value is not what its tag says: {error}"
        raise yaml.constructor.ConstructorError(None, None, why, None) from error
