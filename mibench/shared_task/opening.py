"""Open a round: check its rules, draw the private splits, commit to them, and publish what participants need."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import mibench
from mibench.core.errors import DataError, MibenchError, RoundError, StoreError
from mibench.core.files import atomic_write, exists, is_folder, read_text
from mibench.core.specs import Track
from mibench.intake.cells import TASKS
from mibench.intake.failures import Failure
from mibench.intake.manifest import FILL_IN
from mibench.intake.round import SPLITS, Round, RoundRules, SplitName, read_round
from mibench.metrics.metric import METRICS
from mibench.shared_task.cells import headline_column
from mibench.shared_task.draft import SALT_BYTES
from mibench.shared_task.folder import RULES_FILE, RoundFolder, private_folder
from mibench.shared_task.model_digests import model_digest
from mibench.shared_task.rule_faults import rule_faults
from mibench.shared_task.rules import Private, read_rules
from mibench.shared_task.state import RoundState
from mibench.tasks.private.commit import commitment
from mibench.tasks.private.make import PrivateWish, make_splits, refused

ORGANISER_FILE = "organiser.json"
_MAX_PRIVATE_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Opened:
    """What opening a round gave.

    Attributes:
        round: The published rules; None: something is wrong with them.
        failures: What is wrong.
        already: Whether it was open before, so that nothing was changed.
    """

    round: Round | None
    failures: tuple[Failure, ...] = ()
    already: bool = False


def open_round(folder: RoundFolder, model_folders: Mapping[str, Path], now: datetime) -> Opened:
    """Open a round, or say everything that is wrong with its rules; of one that is open nothing is changed.

    Args:
        folder: The organiser's folder.
        model_folders: Models that no list has, by name, besides those of the rules.
        now: The time, with zone.

    Raises:
        UsageError: There are no rules.
        RoundError: There is no salt.
        StoreError: Something cannot be written.
    """
    if exists(folder.round_file):
        return Opened(read_round(folder.round_file), already=True)
    read = read_rules(folder.rules_file)
    private = read.private.model_copy(update={"model_folders": {**read.private.model_folders, **model_folders}})
    failures = [*read.failures, *rule_faults(read.rules, private, now), *_refused(read.rules, private)]
    digests, missing = _model_digests(read.rules, private)
    failures += missing
    if failures:
        return Opened(None, tuple(dict.fromkeys(failures)))
    salt = read_salt(folder)
    try:
        _draw(folder, read.rules, private, salt)
    except DataError as error:
        return Opened(None, (Failure.of(error, RULES_FILE),))
    commitments: dict[SplitName, str] = {name: commitment(folder.split(name), salt) for name in SPLITS}
    opened = _published(read.rules, digests, commitments, now)
    _write_private(folder, private)
    _create_state(folder)
    # Last: with it, the round is open.
    atomic_write(folder.round_file, opened.model_dump_json(indent=2) + "\n")
    return Opened(opened)


def read_salt(folder: RoundFolder) -> bytes:
    """Return the salt of a round.

    Raises:
        RoundError: There is none, or it is not as it was written.
    """
    do = "Restore it, or begin another round with mibench shared-task init."
    try:
        salt = bytes.fromhex(read_text(folder.salt_file, max_bytes=_MAX_PRIVATE_BYTES))
    except MibenchError as error:
        raise RoundError(f"{folder.path} has no salt.", why=error.why, do=do) from error
    except ValueError as error:
        raise RoundError(f"{folder.path} has no salt.", why="Its file is not in hexadecimal.", do=do) from error
    if len(salt) < SALT_BYTES:
        raise RoundError(f"{folder.path} has no salt.", why=f"It has {len(salt)} bytes, not {SALT_BYTES}.", do=do)
    return salt


def model_folders(folder: RoundFolder) -> dict[str, Path]:
    """Return the folders of models that no list has, by name, as they were when the round was opened.

    Raises:
        RoundError: The file that holds them is not there, or damaged.
    """
    path = folder.private / ORGANISER_FILE
    try:
        return Private.model_validate_json(read_text(path, max_bytes=_MAX_PRIVATE_BYTES)).model_folders
    except (MibenchError, ValueError) as error:
        why = error.why if isinstance(error, MibenchError) else "It is not as it was written."
        raise RoundError(f"{path} cannot be used.", why=why, do="Restore it from a copy.") from error


def _refused(rules: RoundRules, private: Private) -> list[Failure]:
    """Tasks that cannot be private; those that nothing knows are told of elsewhere."""
    known = [one for one in _tasks(rules) if one[1] in TASKS[one[0]].components]
    return [Failure.of(error, RULES_FILE) for error in refused(_wish(tuple(known), rules, private))]


def _tasks(rules: RoundRules) -> tuple[tuple[Track, str], ...]:
    return tuple(dict.fromkeys((group.track, task) for group in rules.cells for task in group.tasks))


def _wish(tasks: tuple[tuple[Track, str], ...], rules: RoundRules, private: Private) -> PrivateWish:
    return PrivateWish(tasks=tasks, rows=rules.scoring.rows, texts=private.texts, folders=private.folders)


def _model_digests(rules: RoundRules, private: Private) -> tuple[dict[str, str], list[Failure]]:
    """Digests of all models, and what keeps any of them from being used; unknown names are told of elsewhere."""
    digests, failures = {}, []
    for model in dict.fromkeys(model for group in rules.cells for model in group.models if FILL_IN not in model):
        try:
            digest = model_digest(model, private.model_folders)
        except MibenchError as error:
            failures.append(Failure.of(error, RULES_FILE))
        else:
            if digest is not None:
                digests[model] = digest
    return digests, failures


def _draw(folder: RoundFolder, rules: RoundRules, private: Private, salt: bytes) -> None:
    """Make the private splits; those of an opening that was cut off are made again."""
    try:
        for name in SPLITS:
            if is_folder(folder.split(name)):
                shutil.rmtree(folder.split(name))
    except OSError as error:
        why, do = f"{error.strerror or error}.", "Correct its rights."
        raise StoreError(f"{folder.private} could not be written.", why=why, do=do) from error
    make_splits(_wish(_tasks(rules), rules, private), salt, folder.private)


def _published(rules: RoundRules, digests: dict[str, str], commitments: dict[SplitName, str], now: datetime) -> Round:
    known = METRICS.components
    columns = {board.headline: headline_column(board.track, board.headline) for board in rules.boards}
    return Round(
        **dict(rules),
        mibench=mibench.__version__,
        opened=now,
        tasks={task: int(TASKS[track].components[task].metadata["version"]) for track, task in _tasks(rules)},
        metrics={name: int(known[one.declared or name].metadata["version"]) for name, one in columns.items()},
        models=digests,
        commitments=commitments,
    )


def _write_private(folder: RoundFolder, private: Private) -> None:
    path = folder.private / ORGANISER_FILE
    atomic_write(path, json.dumps(private.model_dump(mode="json"), indent=2) + "\n")
    os.chmod(path, 0o600)  # noqa: PTH101  the folder around it is closed all the while


def _create_state(folder: RoundFolder) -> None:
    # Tables of single rows are among them.
    private_folder(folder.records("standings").parent)
    # There is no round.json yet, so a database is what an opening left that was cut off.
    if not exists(folder.database):
        RoundState(folder).create()
