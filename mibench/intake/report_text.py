"""A report as lines, as JSON values, and as markdown that is safe to post wherever it comes from.

Only the standard library is needed: what posts reports installs nothing else.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from mibench.core.errors import DataError
from mibench.intake.failures import Failure, Report

MAX_MARKDOWN = 60_000
"""Characters of a comment; GitHub takes 65,536."""
_WIDTH = 110
_FENCE = "````"
_CUT = "… (cut; run the check at home to see all)"
_MOST = 100
"""Reports of one comment."""


def place_of(one: Failure) -> str:
    """Where a failure is: file, and place in the manifest's list; empty: nowhere in particular."""
    return ", ".join(filter(None, (one.file, "" if one.index is None else f"artifacts[{one.index}]")))


def last_line(report: Report) -> str:
    """What came out, in one line."""
    n = len(report.failures)
    verdict = "passed" if report.passed else f"{n} failure{'s' * (n != 1)}"
    size = f"{report.n_files} files, {report.n_bytes / 1e6:.2f} MB, {report.n_read} artifacts read"
    return f"{report.name}: {verdict}; {size}."


def values_of(report: Report) -> dict[str, Any]:
    """A report as JSON values."""
    return {
        "name": report.name,
        "passed": report.passed,
        "failures": [asdict(one) for one in report.failures],
        "notes": list(report.notes),
        "files": report.n_files,
        "bytes": report.n_bytes,
        "read": report.n_read,
        "manifest_sha256": report.manifest_sha256,
    }


def report_of(values: object) -> Report:
    """The report that JSON values say, of which nothing is trusted.

    Raises:
        DataError: They are none.
    """
    try:
        if not isinstance(values, Mapping):
            raise TypeError
        failures = tuple(_failure_of(one) for one in values["failures"])
        if not failures and values["passed"] is not True:
            raise ValueError
        return Report(
            name=str(values["name"]),
            failures=failures,
            notes=tuple(str(one) for one in values["notes"]),
            n_files=_whole(values["files"]),
            n_bytes=_whole(values["bytes"]),
            n_read=_whole(values["read"]),
            manifest_sha256=None if values["manifest_sha256"] is None else str(values["manifest_sha256"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        what, why = "This is no report of a check.", "Keys or values are not those that a check writes."
        raise DataError(what, why=why, do="Write it with --format json.") from error


def _failure_of(values: Any) -> Failure:
    file, index = values["file"], values["index"]
    return Failure(
        what=str(values["what"]),
        why=str(values["why"]),
        do=str(values["do"]),
        file=None if file is None else str(file),
        index=None if index is None else _whole(index),
    )


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise ValueError
    return value


def markdown(reports: Sequence[Report]) -> str:
    """One comment for reports: a line of ours, and each report in a code block.

    In a code block nothing is a link, a mention, an image or HTML; backticks, which alone could end it, are made
    apostrophes, and angle brackets are made ‹ and ›. It has at most ``MAX_MARKDOWN`` characters.
    """
    failed = sum(not report.passed for report in reports)
    verdict = f"{failed} of {len(reports)} did not pass" if failed else "passed"
    head = f"### Submission check: {verdict if reports else 'nothing to check'}\n"
    tail = "\nThis is no acceptance: intake checks again. At home: `mibench submit check FOLDER`.\n"
    lines = [line for report in reports[:_MOST] for line in [*_lines(report), ""]][:-1]
    text, room = _harmless(lines), MAX_MARKDOWN - len(head) - len(tail) - 2 * len(_FENCE) - len(_CUT) - 20
    if len(text) > room:
        text = text[:room].rpartition("\n")[0] + f"\n{_CUT}"
    return f"{head}\n{_FENCE}text\n{text}\n{_FENCE}\n{tail}" if reports else head


def _lines(report: Report) -> list[str]:
    found = [last_line(report)]
    if report.manifest_sha256 is not None:
        found.append(f"manifest: sha256 {report.manifest_sha256}")
    for number, one in enumerate(report.failures, start=1):
        place = place_of(one)
        found += [f"{number}. {one.what}{f' ({place})' if place else ''}", f"   why: {one.why}", f"   do:  {one.do}"]
    return found + [f"note: {note}" for note in report.notes]


_MADE = str.maketrans({"`": "'", "<": "‹", ">": "›"})


def _harmless(lines: Sequence[str]) -> str:
    """Printable characters alone, no backtick and no angle bracket, in lines that need no scrolling."""
    wrapped: list[str] = []
    for line in lines:
        text = "".join(char if char.isprintable() else " " for char in line[:4000]).translate(_MADE)
        inside = "     " if text[:3] == "   " else "  "
        wrapped += textwrap.wrap(text, _WIDTH, subsequent_indent=inside, drop_whitespace=False) or [""]
    return "\n".join(wrapped)
