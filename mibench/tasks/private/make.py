"""Make the two private splits of a shared task: standings, scored during the round, and final, scored after it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from mibench.core.errors import MibenchError, StoreError, UsageError
from mibench.core.files import atomic_write, exists
from mibench.core.shipped import DIGESTS_FILE
from mibench.core.specs import Track
from mibench.tasks.generate import to_jsonl
from mibench.tasks.private.generated import private_rows
from mibench.tasks.private.held_back import private_documents
from mibench.tasks.private.hub_rows import private_hub_rows
from mibench.tasks.private.keys import SPLITS, SplitName, checked_salt
from mibench.tasks.private.labelled import private_texts
from mibench.tasks.private.needs import Need, needs
from mibench.tasks.private.overlay import overlay_in_use, use_overlay
from mibench.tasks.private.reading import check_readable
from mibench.tasks.probing.shipped import FOLDER as LABELLED

Rows = dict[SplitName, list[dict[str, Any]]]
Files = dict[str, Rows]
"""Rows of both splits, by the path of their file in the layout of ``data/``."""
_TRIAL = bytes(32)
_MAKING = ".making"


@dataclass(frozen=True)
class PrivateWish:
    """What an organiser wants to be private.

    Attributes:
        tasks: Tracks and tasks.
        rows: Rows of each data set in each split; of labelled texts there are as many as public ones, of text all.
        texts: Held-back text, a file or folder, by the name of the corpus whose test split it replaces.
        folders: Folder with a private ``test.jsonl`` in the hub's schema, by ``mib/…`` task.
    """

    tasks: tuple[tuple[Track, str], ...]
    rows: int
    texts: Mapping[str, Path] = field(default_factory=dict)
    folders: Mapping[str, Path] = field(default_factory=dict)


def make_splits(wish: PrivateWish, salt: bytes, folder: Path) -> None:
    """Write ``folder/standings`` and ``folder/final``, overlay folders that share no row; both or none.

    Equal wishes and salts give equal bytes.

    Args:
        wish: What is to be private.
        salt: At least 16 random bytes; kept secret until the end.
        folder: Where they go; nobody else may be able to read it.

    Raises:
        UsageError: The number of rows is below 1, a text or folder is missing, or the splits are already there.
        DataError: A task cannot be private (see :func:`refused`), or the salt is too short.
        StoreError: They cannot be written.
    """
    there = [folder / split for split in SPLITS if exists(folder / split)]
    if there:
        do = "Keep it; or make splits in another folder."
        raise UsageError(f"{there[0]} is already there.", why="Private splits are made once.", do=do)
    files, faults = _made(wish, checked_salt(salt))
    if faults:
        raise faults[0]
    making = folder / _MAKING
    try:
        shutil.rmtree(making, ignore_errors=True)  # of a process that was killed
        for split in SPLITS:
            _write({path: rows[split] for path, rows in files.items()}, making / split)
            with _overlay(making / split):
                check_readable(wish.tasks, wish.texts)
        for split in SPLITS:
            (making / split).rename(folder / split)
    except OSError as error:
        why = f"{error.strerror or error}."
        raise StoreError(f"{folder} could not be written.", why=why, do="Choose another folder.") from error
    finally:
        shutil.rmtree(making, ignore_errors=True)


def refused(wish: PrivateWish) -> list[MibenchError]:
    """Return why tasks of a wish cannot be private, one fault a task or data set; empty: they can.

    Numbers of rows are those of a trial salt: at the edge of what a set has, another salt may have a few rows fewer.
    """
    return _made(wish, _TRIAL)[1]


def _made(wish: PrivateWish, salt: bytes) -> tuple[Files, list[MibenchError]]:
    """Everything that can be made, and why the rest cannot."""
    faults: list[MibenchError] = []
    if wish.rows < 1:
        return {}, [UsageError(f"{wish.rows} private rows are not possible.", why="It is below 1.", do="Give more.")]
    wanted: dict[Need, None] = {}
    for track, task in wish.tasks:
        with _collected(faults):
            wanted |= dict.fromkeys(needs(track, task))
    files: Files = {}
    with _overlay(None):  # what is public is compared with
        for path, make in _makers(list(wanted), wish, salt):
            with _collected(faults):
                files[path] = make()
    return files, faults


def _makers(wanted: Sequence[Need], wish: PrivateWish, salt: bytes) -> Iterator[tuple[str, Callable[[], Rows]]]:
    """Yield where each file goes, and what makes its rows."""
    for need in wanted:
        if need.kind == "generated":
            yield f"{need.name}/test.jsonl", partial(private_rows, need.name, wish.rows, salt)
        elif need.kind == "labelled":
            yield f"{LABELLED}/{need.name}.jsonl", partial(private_texts, need.name, salt)
        elif need.kind == "hub":
            yield f"{need.name}/test.jsonl", partial(_of_folder, need.name, wish, salt)
        elif not wish.texts:
            yield "corpora", _no_text
    for corpus, path in wish.texts.items():
        yield f"corpora/{corpus}.jsonl", partial(private_documents, corpus, path, salt)


def _of_folder(task: str, wish: PrivateWish, salt: bytes) -> Rows:
    if task not in wish.folders:
        why = "Its rows are those of the hub, which everybody has."
        raise UsageError(f"The task '{task}' has no private rows.", why=why, do="Name a folder with its test.jsonl.")
    return private_hub_rows(task, wish.folders[task], wish.rows, salt)


def _no_text() -> Rows:
    why = "Tasks on text are private with text that nobody has seen."
    raise UsageError(
        "No text is held back.", why=why, do="Name a file or folder for the corpus that they are scored on."
    )


def _write(files: Mapping[str, Sequence[dict[str, Any]]], folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True)
    digests: dict[Path, dict[str, str]] = defaultdict(dict)
    sizes: dict[Path, dict[str, int]] = defaultdict(dict)
    for name, rows in sorted(files.items()):
        path, content = folder / name, to_jsonl(rows)
        atomic_write(path, content)
        digests[path.parent][path.name] = hashlib.sha256(content).hexdigest()
        sizes[path.parent][path.stem] = len(rows)
    for place, found in digests.items():
        summary = {"rows": sizes[place], "sha256": found}
        atomic_write(place / DIGESTS_FILE, json.dumps(summary, indent=2) + "\n")


@contextlib.contextmanager
def _overlay(folder: Path | None) -> Iterator[None]:
    before = overlay_in_use()
    use_overlay(folder)
    try:
        yield
    finally:
        use_overlay(before)


@contextlib.contextmanager
def _collected(faults: list[MibenchError]) -> Iterator[None]:
    try:
        yield
    except MibenchError as fault:
        faults.append(fault)
