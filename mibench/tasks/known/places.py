"""Positions of programs: a word of the prompt by its number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mibench.tasks.interchange import Setting
from mibench.tasks.positions import Position, Span


def word(name: str, number: int | Callable[[Setting], int], *, oracle: bool = False) -> Position:
    """Return the place of one word.

    Args:
        name: Name of the position.
        number: Which word of the prompt, from 0, or what tells it from the setting.
        oracle: As in :class:`~mibench.tasks.positions.Position`: the place tells the answer.
    """

    def find(setting: Setting, prompt: str) -> Span | None:
        words = prompt.split(" ")
        at = number if isinstance(number, int) else number(setting)
        if not 0 <= at < len(words):
            return None
        start = sum(len(one) + 1 for one in words[:at])
        return start, start + len(words[at])

    return Position(name, find, oracle=oracle)


def numbered(name: str, values: tuple[Any, ...]) -> Mapping[str, Any]:
    """Return the values of variables that are called ``name`` with a number after it, from 1."""
    return {f"{name}{number}": value for number, value in enumerate(values, start=1)}


def numbers(name: str, count: int) -> tuple[str, ...]:
    """Return the names that :func:`numbered` gives to ``count`` values."""
    return tuple(f"{name}{number}" for number in range(1, count + 1))
