"""Difficulties of a planted model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Level:
    """What makes a planted model hard for methods.

    Attributes:
        note: In a few words.
        distractors: Unused heads and some neurons read true features and write where nothing reads.
        overlap: Features are not orthogonal, and distractors write in directions that overlap with all of them.
        saturated: Attention and neurons are steep, so that gradients vanish.
    """

    note: str
    distractors: bool = False
    overlap: bool = False
    saturated: bool = False


LEVELS = (
    Level("nothing but the program"),
    Level("with distractors", distractors=True),
    Level("with distractors, in superposition", distractors=True, overlap=True),
    Level("with distractors, in superposition, saturated", distractors=True, overlap=True, saturated=True),
)
"""By difficulty, from 0."""
