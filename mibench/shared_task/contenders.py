"""Entries and records of a split as standings take them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

from mibench.core.errors import MibenchError
from mibench.intake.round import Round, SplitName, read_round
from mibench.leaderboard.rows import Entry as Stored
from mibench.leaderboard.rows import collect
from mibench.records.store import Store
from mibench.shared_task.entries import Entry
from mibench.shared_task.folder import RoundFolder
from mibench.shared_task.made import holds_methods, is_reproduced, scored_folder
from mibench.shared_task.pieces import pieces_of, read_submission
from mibench.shared_task.standings import Contender, Place, Status
from mibench.shared_task.states import State


def contenders(folder: RoundFolder, entries: Sequence[Entry], split: SplitName) -> list[Contender]:
    """Return the entries that were scored on a split, or should have been, with their records.

    Those that never passed their check, still wait, or were withdrawn before they had scores are none.

    Raises:
        StoreError: A record is broken.
    """
    records, rules = stored_records(folder, split), read_round(folder.round_file)
    found = [(one, _contender(one, split, records)) for one in entries if takes_part(one, split)]
    return [replace(made, made=_made(folder, one), promised=_promised(folder, one, rules)) for one, made in found]


def _promised(folder: RoundFolder, entry: Entry, rules: Round) -> dict[Place, int] | None:
    """How many artifacts a submission has for each place of the round; None: it cannot be read any more."""
    try:
        pieces = pieces_of(read_submission(scored_folder(folder, entry)), rules)
    except MibenchError:
        return None
    found: Counter[Place] = Counter()
    for piece in pieces:
        part = piece.first.variable or piece.first.hook or (piece.level.value if piece.level else None)
        found.update((piece.first.track, task, model, part) for task, model in piece.places)
    return dict(found)


def _made(folder: RoundFolder, entry: Entry) -> bool | None:
    """Whether the artifacts of methods were made twice alike; None: artifacts were handed in."""
    return is_reproduced(folder, entry) if holds_methods(folder, entry) else None


def stored_records(folder: RoundFolder, split: SplitName) -> dict[str, list[Stored]]:
    """Return the records of what was handed in, by the name that records give a submission's method.

    Raises:
        StoreError: A record is broken.
    """
    found: dict[str, list[Stored]] = defaultdict(list)
    for one in collect([Store(folder.records(split))]) if folder.records(split).is_dir() else []:
        method = one.record.cell.method
        # Controls that scoring makes besides are nobody's.
        if method.artifact_digest is not None or method.code_digest is not None:
            found[method.name].append(one)
    return found


def takes_part(entry: Entry, split: SplitName) -> bool:
    """Whether standings show an entry."""
    state = entry.on(split)
    if state is State.WITHDRAWN:
        return entry.scored and split == "standings"
    return state is State.SCORED or (state is State.FAILED and entry.valid)


def _contender(entry: Entry, split: SplitName, records: dict[str, list[Stored]]) -> Contender:
    state, reason = (entry.state, entry.reason) if split == "standings" else (entry.final_state, entry.final_reason)
    status: Status = "scored" if state is State.SCORED else "failed" if state is State.FAILED else "withdrawn"
    made = Contender(
        id=entry.id,
        team=entry.team,
        method=entry.method,
        version=entry.version,
        supersedes=entry.supersedes,
        tracks=frozenset(entry.tracks),
        status=status,
        reason=(reason or "") if status == "failed" else "",
    )
    return replace(made, records=tuple(records.get(made.label, ()))) if status == "scored" else made
