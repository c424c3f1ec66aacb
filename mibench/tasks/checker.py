"""When an answer is right: as tokens that the model would write, or as text that it has written."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mibench.core.errors import DataError


@dataclass(frozen=True)
class Checker:
    """How a task judges answers; the same for base prompts, source prompts and interchanges.

    Attributes:
        new_tokens: None: teacher-forced, right if greedy decoding gives all tokens of one of the answers. A number:
            so many tokens are decoded greedily, and ``accepts`` judges their text.
        answers: Texts that are right for an output of the causal model, written right after the prompt; the first
            is the label for training. None: nothing can be written, and the row is left out.
        accepts: Whether a decoded text is right for an output; for a number of ``new_tokens`` only.
    """

    new_tokens: int | None
    answers: Callable[[Any], tuple[str, ...]]
    accepts: Callable[[str, Any], bool] | None = None

    def __post_init__(self) -> None:
        if (self.new_tokens is None) != (self.accepts is None) or (self.new_tokens is not None and self.new_tokens < 1):
            raise DataError(
                "The checker cannot be used.",
                why="Text is judged by 'accepts' after 1 or more new tokens; tokens are judged without either.",
                do="Give both of them, or none.",
            )


def forced(answers: Callable[[Any], tuple[str, ...]] = lambda output: (str(output),)) -> Checker:
    """Return a teacher-forced checker; by default the answer is the output as text."""
    return Checker(None, answers)


def contains(text: str, output: Any) -> bool:
    """Return whether the text has the output in it; MIB's rule for labels, with the space before the letter.

    An empty output is in no text here; MIB's rule would find it in all.
    """
    return str(output) != "" and str(output) in text


def first_number(text: str, output: Any) -> bool:
    """Return whether the first digits in the text are the expected number; leading zeros do not matter.

    MIB expects three digits ("068") and takes off one zero at most, so that "5" is wrong for "005".
    """
    found = re.search(r"[0-9]+", text)
    return found is not None and (found.group().lstrip("0") or "0") == str(int(output))
