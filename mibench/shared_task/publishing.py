"""Publish a round: standings, tables, and a front page; nothing that is private leaves before it is revealed."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mibench.core.errors import RoundError
from mibench.core.files import atomic_write, is_folder
from mibench.intake.round import ROUND_FILE, Round, SplitName, read_round
from mibench.leaderboard.build import build
from mibench.leaderboard.rows import Entry as Stored
from mibench.records.store import Store
from mibench.shared_task.changes import CLOSED
from mibench.shared_task.closing import AUDIT
from mibench.shared_task.contenders import contenders
from mibench.shared_task.entries import Entry
from mibench.shared_task.folder import RoundFolder
from mibench.shared_task.front import Front, front_markdown, front_page
from mibench.shared_task.reveal import REVEAL, write_reveal
from mibench.shared_task.standings import Contender, make_standings, superseded
from mibench.shared_task.standings_text import standings_json, standings_markdown
from mibench.shared_task.state import RoundState
from mibench.shared_task.states import State

WAITING = frozenset({State.PENDING, State.CHECKED, State.RUNNING})
"""States of what is not scored yet."""


@dataclass(frozen=True)
class Published:
    """What was published.

    Attributes:
        folder: Where.
        splits: Splits whose results are in it.
        waiting: Entries that wait for the final split; its results are published once there are none.
        revealed: Whether salt and splits are in it.
    """

    folder: Path
    splits: tuple[SplitName, ...]
    waiting: int
    revealed: bool


@dataclass(frozen=True)
class Reveal:
    """Whether the private splits are published, with what was made of them.

    Attributes:
        wanted: Whether they are to be, now.
        unscored: Whether also while entries wait for the final split, which can then no longer be scored fairly.
    """

    wanted: bool = False
    unscored: bool = False


def publish(folder: RoundFolder, state: RoundState, now: datetime, reveal: Reveal | None = None) -> Published:
    """Write what is published of a round as it stands.

    Args:
        folder: The organiser's folder.
        state: Its state.
        now: The time, with zone.
        reveal: Whether the private splits are published too; None: they are not.

    Raises:
        UsageError: The round is not open.
        RoundError: The splits cannot be revealed yet.
        StoreError: A record is broken, or something cannot be written.
    """
    rules, entries, reveal = read_round(folder.round_file), state.entries(), reveal or Reveal()
    waiting = sum(one.final_state in WAITING for one in entries)
    if reveal.wanted:
        _check_reveal(state, waiting, reveal)
    splits = splits_of(entries, closed=state.closed)
    for split in splits:
        publish_split(folder, rules, split, contenders(folder, entries, split))
    atomic_write(folder.public / ROUND_FILE, folder.round_file.read_bytes())
    if state.closed:
        state.write_audit(folder.public / AUDIT)
    if reveal.wanted:
        write_reveal(folder, rules)
    revealed = is_folder(folder.public / REVEAL)
    front = Front(
        round=rules,
        at=now,
        closed=next((line for line in state.audit() if line.what == CLOSED), None),
        splits=splits,
        states=Counter(one.state.value for one in entries),
        final_states=Counter(one.final_state.value for one in entries if one.final_state is not None),
        audit=state.summary().audit_head,
        revealed=revealed,
    )
    atomic_write(folder.public / "README.md", front_markdown(front))
    atomic_write(folder.public / "index.html", front_page(front))
    return Published(folder.public, splits, waiting, revealed)


def splits_of(entries: Sequence[Entry], *, closed: bool) -> tuple[SplitName, ...]:
    """Splits whose results are published: the final one once everything that was nominated is scored."""
    final = [one.final_state for one in entries if one.final_state is not None]
    done = closed and final and not any(state in WAITING for state in final)
    return ("final", "standings") if done else ("standings",)


def publish_split(folder: RoundFolder, rules: Round, split: SplitName, entries: Sequence[Contender]) -> None:
    """Write the standings of one split, and the tables of its records.

    Raises:
        StoreError: A record is broken, or something cannot be written.
    """
    standings, place = make_standings(rules, split, entries), folder.public / split
    atomic_write(place / "standings.json", standings_json(standings))
    atomic_write(place / "standings.md", standings_markdown(standings))
    old = superseded(entries) if split == "standings" else {}
    with tempfile.TemporaryDirectory(prefix="mibench-") as temporary:
        shown = Store(temporary)
        for entry in entries:
            board = "superseded" if entry.id in old else "code" if "artifact" not in entry.kinds else None
            for one in entry.records if entry.status == "scored" else ():
                _copy(one, shown, board)
        build(Path(temporary), place / "leaderboard")


def _copy(stored: Stored, shown: Store, board: str | None) -> None:
    """Copy a record with its tables, on a board of its own where it is not ranked with the others."""
    record = stored.record
    tables = {name: stored.store.table(record, name) for name in record.tables}
    bare = record.model_copy(update={"tables": {}, "artifact": None, "board": record.board or board})
    shown.write(bare, tables)


def _check_reveal(state: RoundState, waiting: int, reveal: Reveal) -> None:
    if not state.closed:
        why = "What is revealed while it runs can be trained on."
        raise RoundError("The round is not closed.", why=why, do="Close it first: mibench shared-task close.")
    if waiting and not reveal.unscored:
        why = f"{waiting} entries wait for the final split, which is of no use once it is known."
        do = "Score them: mibench shared-task evaluate --split final. Or give --reveal-unscored."
        raise RoundError("The private splits are not revealed.", why=why, do=do)
