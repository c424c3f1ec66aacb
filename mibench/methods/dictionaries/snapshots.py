"""Dictionaries along a training, to see what a score does while a dictionary gets better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from mibench.artifacts.dictionaries.dictionary import Dictionary
from mibench.core.errors import MethodError
from mibench.methods.dictionaries.loop import WatchedView
from mibench.methods.dictionary_view import DictionaryView
from mibench.methods.method import METHODS


def snapshots(
    view: DictionaryView, name: str, params: Mapping[str, Any], fractions: Sequence[float]
) -> list[Dictionary]:
    """Train once, and return the dictionary at shares of that training.

    Args:
        view: The view; its checkpoints are not used, since those before a restart would be missing.
        name: A method that trains.
        params: Its parameters.
        fractions: Shares of the training, rising, each above 0 and at most 1.

    Raises:
        MethodError: The shares are not as said, or the method does not train.
        UsageError: There is no such method, or it has no such parameter.
    """
    if not fractions or list(fractions) != sorted(set(fractions)) or not 0 < fractions[0] <= fractions[-1] <= 1:
        raise MethodError(
            f"{list(fractions)} are no shares of a training.",
            why="They rise, above 0 and up to 1.",
            do="Give such as 0.1, 0.3, 1.",
        )
    found: list[Dictionary] = []
    given = {field.name: getattr(view, field.name) for field in fields(DictionaryView)} | {"checkpoints": None}
    method = METHODS.load(name)
    method.function(WatchedView(**given, fractions=tuple(fractions), watch=found.append), **method.parameters(params))
    if len(found) != len(fractions):
        raise MethodError(
            f"{name} has no course of training to look at.",
            why=f"It gave {len(found)} dictionaries for {len(fractions)} shares.",
            do="Choose a method that trains by steps, such as topk.",
        )
    return found
