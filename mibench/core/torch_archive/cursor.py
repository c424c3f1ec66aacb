"""The bytes of instructions, taken piece by piece; nothing is taken that is not there."""

from __future__ import annotations

import struct
from typing import Any

from mibench.core.torch_archive.limits import refuse

_LONGEST_NAME = 200
_LONGEST_INTEGER = 16


class Cursor:
    """Takes bytes in order.

    Args:
        content: All bytes.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.place = 0

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        if count > len(self._content) - self.place:
            raise refuse(f"Its instructions are damaged: they end too early, at byte {len(self._content)}.")
        self.place += count
        return self._content[self.place - count : self.place]

    def number(self, form: str) -> Any:
        """The next number, as ``struct`` writes its form."""
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self) -> str:
        """Text up to the end of the line."""
        end = self._content.find(b"\n", self.place, self.place + _LONGEST_NAME)
        if end < 0:
            raise refuse(f"Its instructions are damaged: a name at byte {self.place} does not end.")
        text = self.take(end - self.place).decode("ascii", "replace")
        self.place += 1
        return text

    def text(self) -> str:
        """A string with its length before it."""
        start = self.place
        try:
            return self.take(self.number("<I")).decode("utf-8")
        except UnicodeDecodeError as error:
            raise refuse(f"Its instructions are damaged: the text at byte {start} is not UTF-8.") from error

    def integer(self) -> int:
        """A whole number with its length before it."""
        length = self.take(1)[0]
        if length > _LONGEST_INTEGER:
            raise refuse(f"It has a whole number of {length} bytes; the limit is {_LONGEST_INTEGER}.")
        return int.from_bytes(self.take(length), "little", signed=True)
