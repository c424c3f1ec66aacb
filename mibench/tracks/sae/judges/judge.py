"""What a judge is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Question:
    """What a judge is asked.

    Attributes:
        task: What it is to do, and in which form it is to answer.
        material: What about, as JSON.
        max_tokens: Longest answer.
    """

    task: str
    material: str
    max_tokens: int


class NoAnswerError(Exception):
    """One question got no answer; the next one may get one. Its text says why, in a few words."""


class Judge(Protocol):
    """Answers questions, the same question in the same way as far as it can."""

    @property
    def name(self) -> str:
        """What names it in records: no key, no private path."""
        ...

    def answer(self, question: Question) -> str:
        """Return what it says, as it says it.

        Raises:
            NoAnswerError: It says nothing this time.
            MibenchError: It cannot be used at all.
        """
        ...


def storable(text: str) -> str:
    """Return a text without what no file of tables can hold: halves of surrogate pairs become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")
