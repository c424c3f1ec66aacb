"""Position selectors: the tokens of a prompt at which a site acts, found by what the prompt's characters say."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mibench.tasks.encode import OffsetEncoder
from mibench.tasks.interchange import Ids, Setting

Span = tuple[int, int]
"""First character, and the one after the last."""
Find = Callable[[Setting, str], Span | None]
"""From a setting and its prompt to a span of the prompt; None where the prompt has no such thing."""
Which = Literal["last", "first", "all"]


@dataclass(frozen=True)
class Position:
    """A named place in a prompt.

    Attributes:
        name: What sites are called after.
        find: Finds its characters; None: the whole prompt, for ``all`` with the BOS token.
        oracle: It reads what the causal model says the answer is: the place itself tells the answer, so scores at it
            stand apart from the others.
        which: Token of the span that is meant.
        offset: Tokens to the right of it.
        aliases: Other names for it, such as those of MIB's submissions.
    """

    name: str
    find: Find | None = None
    oracle: bool = False
    which: Which = "last"
    offset: int = 0
    aliases: tuple[str, ...] = ()


def last(name: str = "last") -> Position:
    """Return the last token of the prompt; MIB's ``last_token``."""
    return Position(name, aliases=("last_token",))


def every(name: str = "all") -> Position:
    """Return all tokens of the prompt, BOS included."""
    return Position(name, which="all")


def span(name: str, key: str, *, occurrence: int = 0, **options: Any) -> Position:
    """Return the place where the prompt says the text of variable ``key`` as words of its own.

    Args:
        name: Its name.
        key: Variable whose value is looked for; numbers are written as they are printed.
        occurrence: Which one, from 0; -1 for the last.
        options: Other fields of :class:`Position`.
    """

    def find(setting: Setting, prompt: str) -> Span | None:
        pattern = rf"(?<!\w){re.escape(str(setting[key]))}(?!\w)"
        return _match(re.compile(pattern), prompt, 0, occurrence)

    return Position(name, find, **options)


def regex(name: str, pattern: str, group: int | str = 0, *, occurrence: int = 0, **options: Any) -> Position:
    """Return the place of a group of a regular expression.

    Args:
        name: Its name.
        pattern: The task's own expression; ``^`` and ``$`` are the ends of lines.
        group: Number or name of the group; 0 for the whole match.
        occurrence: Which match, from 0; negative numbers count from the end.
        options: Other fields of :class:`Position`.
    """
    compiled = re.compile(pattern, re.MULTILINE)

    def find(setting: Setting, prompt: str) -> Span | None:  # noqa: ARG001
        return _match(compiled, prompt, group, occurrence)

    return Position(name, find, **options)


def located(position: Position, setting: Setting, prompt: str, encoder: OffsetEncoder) -> Ids:
    """Return the indices of the position's tokens in the encoded prompt, ascending, BOS counted.

    A token belongs to a span where they share a character. None: the prompt has no such place.
    """
    bos = 0 if encoder.bos_id is None else 1
    offsets = encoder.offsets(prompt)
    if position.find is None:
        inside = list(range(len(offsets)))
    else:
        found = position.find(setting, prompt)
        inside = [] if found is None else _tokens(found, offsets)
    if position.which == "all" and position.find is None:
        inside = list(range(-bos, len(offsets)))
    elif position.which != "all":
        inside = inside[:1] if position.which == "first" else inside[-1:]
    moved = tuple(bos + index + position.offset for index in inside)
    return moved if all(0 <= index < bos + len(offsets) for index in moved) else ()


def _tokens(found: Span, offsets: Sequence[Span]) -> list[int]:
    start, end = found
    return [index for index, (left, right) in enumerate(offsets) if max(left, start) < min(right, end)]


def _match(pattern: re.Pattern[str], prompt: str, group: int | str, occurrence: int) -> Span | None:
    found = list(pattern.finditer(prompt))
    if not -len(found) <= occurrence < len(found):
        return None
    start, end = found[occurrence].span(group)
    return (start, end) if start >= 0 else None
