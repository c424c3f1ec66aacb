"""Import a source as a submission: all of it, or nothing and everything that is wrong or has to be said."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mibench.core.errors import MibenchError
from mibench.core.specs import Track
from mibench.intake.failures import Failure
from mibench.intake.imports import dictionaries, importances, series, triplets
from mibench.intake.imports.context import Context
from mibench.intake.imports.convert import check, save
from mibench.intake.imports.items import Answers, Artifact, Item, Question
from mibench.intake.imports.scan import scan
from mibench.intake.imports.source import Source, opened
from mibench.intake.manifest import MAX_ARTIFACTS
from mibench.intake.template import FOLDER, Wish, new_folder, write_submission

_READERS: Mapping[str, tuple[Track, Callable[[Item, Context], Artifact | None]]] = {
    "importances": (Track.CIRCUIT, importances.read),
    "nine circuits": (Track.CIRCUIT, series.read),
    "triplets": (Track.VARIABLE, triplets.read),
    "featurizers": (Track.VARIABLE, triplets.read_native),
    "dictionary": (Track.SAE, dictionaries.read),
}
"""Track and reader of each layout."""


@dataclass(frozen=True)
class Imported:
    """What an import did.

    Attributes:
        source: What was imported.
        folder: The submission's folder.
        items: Artifacts, with what was inferred of each.
        ignored: Files that are not imported, and why.
        questions: What has to be said before anything is written.
        failures: What is wrong.
        written: Whether the folder was written.
    """

    source: str
    folder: Path
    items: tuple[Item, ...]
    ignored: Mapping[str, str]
    questions: tuple[Question, ...] = ()
    failures: tuple[Failure, ...] = ()
    written: bool = False

    @property
    def passed(self) -> bool:
        """Whether it can be written."""
        return not self.questions and not self.failures


@dataclass(frozen=True)
class Order:
    """What is to be imported, and as what.

    Attributes:
        source: A folder, an archive, or ``hub:org/name@revision/folder``.
        wish: What is said of the submission.
        parent: Folder of submissions.
        answers: What is said of artifacts that do not say it.
        folders: Models on this machine that no list has, by name.
        dry_run: Write nothing.
    """

    source: str
    wish: Wish
    parent: Path
    answers: Answers
    folders: Mapping[str, Path] = field(default_factory=dict)
    dry_run: bool = False


def import_submission(order: Order) -> Imported:
    """Find the artifacts of a source, convert them, and write a submission's folder with them.

    Nothing of the source is run or imported. The folder is written only if nothing is wrong and nothing has to be
    asked; all faults and questions are collected first.

    Raises:
        UsageError: There is no such source, or the submission's folder is there.
        DataError: The archive cannot be unpacked.
        ModelError: The repository cannot be fetched.
        StoreError: It cannot be written.
    """
    folder = new_folder(order.wish, order.parent)
    with opened(order.source) as source, tempfile.TemporaryDirectory(prefix="mibench-") as place:
        work, files = Path(place) / "work", Path(place) / "files"
        work.mkdir()
        files.mkdir()
        context = Context(source.folder, source.name, order.answers, work, order.folders)
        found = _look(source, context, files)
        done = _report(order, found, folder)
        if not done.passed or order.dry_run:
            return done
        entries = [item.entry for item in done.items]
        names = [str(one["file"]).removeprefix(f"{FOLDER}/") for one in entries]
        write_submission(order.wish, {name: files / name for name in names}, entries, order.parent)
        return Imported(done.source, folder, done.items, done.ignored, written=True)


@dataclass(frozen=True)
class _Look:
    """What was found."""

    items: list[Item]
    ignored: Mapping[str, str]
    failures: list[Failure]


def _look(source: Source, context: Context, files: Path) -> _Look:
    scanned = scan(source.folder)
    found = sorted([*scanned.found, *series.grouped(scanned.circuits)], key=lambda one: (one.place, one.layout))
    failures = []
    if not found or len(found) > MAX_ARTIFACTS:
        why = "No file or folder in it is in a layout that is known." if not found else f"It holds {len(found)}."
        do = "Name a folder with circuits of MIB, triplets of featurizers, or dictionaries."
        failures.append(Failure("There is nothing to import.", why, do) if not found else _too_many(why))
        return _Look([], scanned.ignored, failures)
    items, taken = [], set[str]()
    for one in found:
        item = Item(one, _READERS[one.layout][0])
        items.append(item)
        _convert(item, context, files, taken)
    check(items, files, context)
    ignored = dict(scanned.ignored) | dict(source.left_out)
    return _Look(items, ignored, failures)


def _too_many(why: str) -> Failure:
    do = f"Import {MAX_ARTIFACTS} at a time."
    return Failure(f"There are more than {MAX_ARTIFACTS} artifacts.", why, do)


def _convert(item: Item, context: Context, files: Path, taken: set[str]) -> None:
    try:
        artifact = _READERS[item.found.layout][1](item, context)
        if artifact is not None and not item.questions:
            save(item, artifact, files, taken)
    except MibenchError as error:
        item.fail(error, context.root)
    except OSError as error:
        what, why = f"{item.place} cannot be read.", f"{error.strerror or error}."
        item.failures.append(Failure(what, why, "Check the file and its rights.", item.place))


def _report(order: Order, found: _Look, folder: Path) -> Imported:
    questions = tuple(one for item in found.items for one in item.questions)
    failures = [*found.failures, *(one for item in found.items for one in item.failures)]
    if found.items:
        failures += order.answers.unused()
    return Imported(order.source, folder, tuple(found.items), found.ignored, questions, tuple(failures))


def to_json(done: Imported) -> dict[str, Any]:
    """What an import did, as JSON values."""
    return {
        "source": done.source,
        "folder": str(done.folder),
        "written": done.written,
        "artifacts": [item.to_json() for item in done.items],
        "questions": [asdict(one) for one in done.questions],
        "failures": [asdict(one) for one in done.failures],
        "ignored": dict(done.ignored),
    }
