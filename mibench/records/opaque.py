"""Names that only the holder of a salt can make or open."""

from __future__ import annotations

import hashlib
import hmac
import re
from functools import cached_property
from itertools import count
from typing import Any

from mibench.core.errors import DataError
from mibench.core.hashing import canonical_json

_DIGITS = 9
"""Decimal places of a whole number that is a name: twice as many fit 64 bits."""
_DECIMAL = re.compile(r"[0-9]{1,9}", re.ASCII)
_CODED = re.compile(r"(?:[0-9]{2}){1,9}", re.ASCII)


class OpaqueNames:
    """Opaque names of one task's rows and words.

    A row's name in decimal digits becomes another one with two digits for each, and order is kept: bootstrap draws go
    by the order of rows, so every interval is computed again to the same bits. What a digit becomes follows from the
    digits before it and the salt. Order tells nothing where rows lie in the order of keyed hashes, as private ones do.

    Attributes:
        salt: The key.
        context: What names are made for, such as split and task: elsewhere, the same row has another.
    """

    def __init__(self, salt: bytes, context: tuple[str, ...]) -> None:
        self.salt = salt
        self.context = context

    def named(self, name: str | int) -> str | int:
        """Return the opaque name of a row: text for text, a whole number below 2⁶³ for a whole number."""
        if isinstance(name, int):
            return int(self._coded(f"{name:0{_DIGITS}d}")) if 0 <= name < 10**_DIGITS else self.number(name)
        return self._coded(name) if _DECIMAL.fullmatch(name) else self.text(name)

    def opened(self, name: str | int) -> str | int:
        """Return the row's own name.

        Raises:
            DataError: It was not made by :meth:`named` with this salt, or of a name that is not in digits.
        """
        coded = f"{name:0{2 * _DIGITS}d}" if isinstance(name, int) else name
        if not _CODED.fullmatch(coded):
            raise self._foreign(name)
        plain = ""
        for place in range(0, len(coded), 2):
            codes, code = self._codes(plain), int(coded[place : place + 2])
            if code not in codes:
                raise self._foreign(name)
            plain += str(codes.index(code))
        return int(plain) if isinstance(name, int) else plain

    def text(self, text: str) -> str:
        """Return what stands for a text: 24 hex digits, which open to nothing."""
        return self._mac("text", text).hex()[:24]

    def number(self, number: int) -> int:
        """Return what stands for a whole number: another one, below 2⁶³, in no order."""
        return int.from_bytes(self._mac("number", number)[:8], "big") >> 1

    def digest(self, digest: str) -> str:
        """Return what stands for a digest: 64 hex digits."""
        return self._mac("digest", digest).hex()

    def _coded(self, plain: str) -> str:
        return "".join(f"{self._codes(plain[:place])[int(digit)]:02d}" for place, digit in enumerate(plain))

    def _codes(self, before: str) -> list[int]:
        """Ten two-digit numbers, ascending: what each digit becomes after those ``before``."""
        if before not in self._known:
            found: dict[int, None] = {}
            for turn in count():
                # Bytes of 200 and above would make some numbers likelier than others.
                found |= dict.fromkeys(byte % 100 for byte in self._mac("digit", before, turn) if byte < 200)
                if len(found) >= 10:
                    break
            self._known[before] = sorted(list(found)[:10])
        return self._known[before]

    @cached_property
    def _known(self) -> dict[str, list[int]]:
        return {}

    def _mac(self, *what: Any) -> bytes:
        return hmac.digest(self.salt, canonical_json(["blind", *self.context, *what]), hashlib.sha256)

    @staticmethod
    def _foreign(name: str | int) -> DataError:
        why = "It was made with another salt, for another task or split, or of a name that is not a number."
        return DataError(f"The name {str(name)[:50]!r} cannot be opened.", why=why, do="Check the revealed salt.")
