"""What components say they are from, read as references: whom, when, and where.

A citation is text, such as ``Hanna et al. 2023, arXiv:2305.00586 (task)``. Of each arXiv number the names and the year
in front of it are taken; text without one is a reference as it stands. Titles are not in the text, and none is made up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_ARXIV = re.compile(r"arXiv[:\s]\s*(?P<id>\d{4}\.\d{4,5}|[a-z-]+/\d{7})")
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?![\d.])")
_NAME = r"[A-ZÀ-Þ][\w’'-]*(?: [A-ZÀ-Þ][\w’'-]*)*"
_PEOPLE = re.compile(rf"(?P<people>{_NAME}(?:, {_NAME})*(?:,? and {_NAME})?)(?P<others> et al\.)?,?\s*\(?$")
_SOURCE = re.compile(r"Sources?:(?P<text>.*?)(?:\n\s*\n|\Z)", re.DOTALL)
_MIB = re.compile(r"(?:^|\bof |\bafter )\s*MIB\s*(?:[.;,(]|$)")
_NO_SOURCE = ("not given", "mibench;")


@dataclass(frozen=True)
class Reference:
    """One work.

    Attributes:
        people: Family names as declared.
        others: Whether there are more.
        year: Year; None: not stated.
        arxiv: Number at arXiv; empty: none is stated.
        text: The words that it was read from, where there is no number.
    """

    people: tuple[str, ...]
    others: bool
    year: int | None
    arxiv: str
    text: str = ""

    @property
    def id(self) -> str:
        """What makes two references one work."""
        return self.arxiv or self.text


MIB = Reference(("Mueller",), others=True, year=2025, arxiv="2504.13151")
"""The benchmark that components name by its acronym alone."""


def references(citation: str) -> Iterator[Reference]:
    """Yield the works that a citation names."""
    plain, start = " ".join(citation.split()), 0
    for found in _ARXIV.finditer(plain):
        yield _reference(plain[start : found.start()], found["id"])
        start = found.end()
    if start == 0 and plain and not plain.startswith(_NO_SOURCE):
        yield Reference((), others=False, year=None, arxiv="", text=plain)


def sources(doc: str) -> Iterator[Reference]:
    """Yield the works that a docstring names after ``Source:``, as far as they have a number at arXiv, or are MIB."""
    for found in _SOURCE.finditer(doc):
        named = [one for one in references(found["text"]) if one.arxiv]
        yield from named
        if _MIB.search(found["text"]) and not any(one.id == MIB.id for one in named):
            yield MIB


def _reference(before: str, arxiv: str) -> Reference:
    """Read names and year from the words in front of a number; the nearest count."""
    years = list(_YEAR.finditer(before))
    if not years:
        return MIB if arxiv == MIB.arxiv else Reference((), others=False, year=None, arxiv=arxiv)
    year = years[-1]
    found = _PEOPLE.search(before[: year.start()].rstrip("( "))
    if found is None:
        return Reference((), others=False, year=int(year[0]), arxiv=arxiv)
    names = tuple(re.split(r",? and |, ", found["people"]))
    return Reference(names, bool(found["others"]), int(year[0]), arxiv)
