"""References as BibTeX and as JSON."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import mibench
from mibench.core.hashing import digest
from mibench.leaderboard.exports.cited import Cited
from mibench.leaderboard.exports.latex import escaped
from mibench.leaderboard.exports.sources import Reference

ARXIV = "https://arxiv.org/abs/"
_OWN = {
    "title": "{mibench}: a benchmark harness for mechanistic interpretability",
    "author": "{The mibench developers}",
    "version": mibench.__version__,
}
_SHOWN = 3


def bibtex(works: Iterable[Cited]) -> str:
    """Return an entry for mibench, then one a work.

    What is declared of a work has no title, so an entry has its arXiv number in the place of one.
    """
    entries = [_entry("software", "mibench", _OWN)]
    entries += [_entry("misc", key(one.reference), _fields(one)) for one in works]
    return "\n\n".join(entries) + "\n"


def listed(works: Iterable[Cited]) -> list[dict[str, Any]]:
    """Return the works for JSON."""
    return [
        {
            "key": key(one.reference),
            "people": list(one.reference.people),
            "others": one.reference.others,
            "year": one.reference.year,
            "arxiv": one.reference.arxiv or None,
            "text": one.reference.text or None,
            "uses": list(one.uses),
        }
        for one in works
    ]


def key(one: Reference) -> str:
    """Return the key of an entry: first name, year and number, in letters and digits."""
    name = unicodedata.normalize("NFKD", one.people[0] if one.people else "").encode("ascii", "ignore").decode()
    first = re.sub(r"[^a-z]", "", name.lower()) or ("arxiv" if one.arxiv else "source")
    number = re.sub(r"[^a-z0-9]", "", one.arxiv) or digest(one.text)[:8]
    return f"{first}{one.year or ''}-{number}"


def _fields(one: Cited) -> dict[str, str]:
    known = one.reference
    note = f"Behind {_uses(one.uses)}"
    if not known.arxiv:
        return {"title": f"{{{escaped(known.text)}}}", "note": note}
    people = [f"{{{escaped(name)}}}" if " " in name else escaped(name) for name in known.people]
    authors = {"author": " and ".join([*people, *(["others"] if known.others else [])])} if people else {}
    year = {} if known.year is None else {"year": str(known.year)}
    where = {"eprint": known.arxiv, "archiveprefix": "arXiv", "url": f"{ARXIV}{known.arxiv}"}
    return authors | {"title": f"{{arXiv:{known.arxiv}}}"} | year | where | {"note": note}


def _uses(uses: Sequence[str]) -> str:
    shown = ", ".join(uses[:_SHOWN]) + (f" and {len(uses) - _SHOWN} more" if len(uses) > _SHOWN else "")
    return escaped(shown)


def _entry(kind: str, name: str, fields: dict[str, str]) -> str:
    lines = [f"  {field} = {{{value}}}," for field, value in fields.items()]
    return "\n".join([f"@{kind}{{{name},", *lines, "}"])
