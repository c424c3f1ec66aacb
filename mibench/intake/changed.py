"""Check what a pull request adds to ``submissions/``: one new folder of its own, and nothing besides."""

from __future__ import annotations

import stat
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from mibench.intake.check import SUBMISSIONS, Asked, check_submission
from mibench.intake.failures import Failure, Findings, Report
from mibench.intake.git_objects import Blob, Change, Repository
from mibench.intake.tree import checked

_SHOWN = 10
_MOST = 3
"""New folders that are checked, one more than may be there."""


def check_changed(repository: Path, base: str, head: str, asked: Asked) -> list[Report]:
    """Check every submission that is new in ``head``; its artifacts are sealed, and may not be in the commit.

    Nothing of ``head`` is checked out or run: files of the new folders are copied from git's objects to a place that
    is removed again, once their names, kinds and sizes are as they should be.

    Args:
        repository: The repository, or a folder of it.
        base: Commit that the change is to go to.
        head: Commit with the change.
        asked: How to check.

    Returns:
        One report a submission; where anything else is changed, that is a failure of each, or of a report of its own.
        Empty where no submission is touched.

    Raises:
        UsageError: There is no such commit or repository.
    """
    own = Repository(repository)
    start, end = own.commit(base), own.commit(head)
    changes = own.changes(start, end)
    touched = list(dict.fromkeys(name for one in changes if (name := _submission(one.path))))
    if not touched:
        return []
    there = own.folders(start, SUBMISSIONS)
    fresh = [name for name in touched if name not in there]
    faults = _outside(changes, fresh)
    if len(fresh) > 1:
        why = f"It adds {', '.join(name[:80] for name in fresh[:_SHOWN])}."
        faults.append(Failure("A pull request adds one submission.", why, "Open one for each."))
    reports = [_checked(own, (end, name), there, replace(asked, manifest_only=True)) for name in fresh[:_MOST]]
    return [replace(one, failures=(*faults, *one.failures)) for one in reports] or [
        Report(touched[0][:200], tuple(faults))
    ]


def _submission(path: str) -> str | None:
    """The folder of ``submissions`` that a path is in; None: none."""
    parts = path.split("/")
    return parts[1] if len(parts) > 2 and parts[0] == SUBMISSIONS else None


def _outside(changes: Sequence[Change], fresh: Sequence[str]) -> list[Failure]:
    """Changes that are no additions to a new folder."""
    found = []
    odd = [one for one in changes if _submission(one.path) not in fresh or one.kind != "A"]
    old = [one.path for one in odd if _submission(one.path) is not None]
    rest = [one.path for one in odd if _submission(one.path) is None]
    if old:
        do = "Add a new version, and name the old one under 'supersedes'."
        found.append(Failure("A submission that is there is changed.", _listed(old), do))
    if rest:
        do = "Put them in a pull request of their own."
        found.append(Failure(f"Files outside {SUBMISSIONS}/ or of none of its folders are changed.", _listed(rest), do))
    return found


def _listed(paths: Sequence[str]) -> str:
    more = f", and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return f"It changes {', '.join(path[:120] for path in paths[:_SHOWN])}{more}."


def _checked(own: Repository, what: tuple[str, str], there: Sequence[str], asked: Asked) -> Report:
    """Copy a folder of a commit, as far as its files can be looked at, and check it beside the names of the others."""
    commit, name = what
    blobs = list(own.files(commit, f"{SUBMISSIONS}/{name}"))
    findings = Findings()
    files = checked([one.entry for one in blobs], asked.rules, findings)
    total = sum(files.values())
    with tempfile.TemporaryDirectory(prefix="mibench-") as temporary:
        place = Path(temporary) / SUBMISSIONS
        for other in there:
            if _is_plain(other):
                (place / other).mkdir(parents=True, exist_ok=True)
        if not _is_plain(name):
            why = "It is not written TEAM__METHOD@VERSION."
            return Report(name[:200], (Failure("The folder's name cannot be used.", why, "Rename it."),))
        (place / name).mkdir(parents=True, exist_ok=True)
        if total <= asked.rules.total_bytes and len(blobs) <= asked.rules.files:
            findings.add(*_copy(own, [one for one in blobs if one.entry.path in files], place / name))
        report = check_submission(place / name, asked)
    failures = (*findings.all(), *(one for one in report.failures if one not in findings.failures))
    return replace(report, failures=failures, n_files=len(blobs), n_bytes=sum(one.entry.size for one in blobs))


def _is_plain(name: str) -> bool:
    """Whether a name can be that of a folder here, whatever else is wrong with it."""
    return bool(name) and name not in {".", ".."} and len(name) <= 200 and name.isascii() and name.isprintable()


def _copy(own: Repository, blobs: Sequence[Blob], folder: Path) -> Iterator[Failure]:
    """Write files; those that cannot be, such as one inside another file, are failures."""
    for one in blobs:
        path = one.entry.path
        target = folder.joinpath(*path.split("/"))
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(own.content(one))
            target.chmod(stat.S_IMODE(one.entry.mode) or 0o644)
        except OSError as error:
            why = f"{error.strerror or type(error).__name__}."
            yield Failure(f"{path[:200]} cannot be written.", why, "Rename it, or remove what is in its way.", path)
