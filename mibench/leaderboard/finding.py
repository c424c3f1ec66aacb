"""Records of folders, of which those are parsed alone that were not parsed before.

What groups them is kept, by the digest of their content; see `mibench.records.sightings` for when a file is read again.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mibench.core.hashing import canonical_json, digest
from mibench.core.specs import Track
from mibench.leaderboard.rows import Entry, group_key, origin_of
from mibench.leaderboard.shelf import read_kept, write_kept
from mibench.leaderboard.sparsity import L0
from mibench.records.beside import is_record
from mibench.records.record import RunRecord
from mibench.records.sightings import Sightings
from mibench.records.store import MAX_RECORD_BYTES, Store, read_record


class Facts(NamedTuple):
    """What decides where a record belongs.

    Attributes:
        cell: Id of its cell.
        order: What records of a folder are sorted by.
        has_numbers: Whether its status is ok.
        group: Digest of what its group shares.
        tables: Its tables in the folder of the store.
        artifact: Its artifact there; None: it has none.
        dictionary: Digest of its dictionary; None: it has none.
        has_l0: Whether the L0 of that is known.
    """

    cell: str
    order: list[str]
    has_numbers: bool
    group: str
    tables: list[str]
    artifact: str | None
    dictionary: str | None
    has_l0: bool

    @classmethod
    def of(cls, record: RunRecord, store: Store) -> Facts:
        """Take them from a record."""
        cell, own, l0 = record.cell, record.dictionary, record.metrics.get(L0)
        name, path = cell.id, store.path(cell)
        beside = path.parent.relative_to(store.folder).as_posix()
        artifact = record.artifact if cell.track is Track.CIRCUIT else None
        return cls(
            cell=name,
            order=[cell.track.value, cell.task.name, cell.model.name, cell.method.name, name],
            has_numbers=record.status == "ok",
            group=digest(group_key(cell)),
            tables=[f"{beside}/{ref.file}" for ref in record.tables.values()],
            artifact=None if artifact is None else f"{beside}/{artifact.file}",
            dictionary=None if own is None else own.sha256,
            has_l0=l0 is not None and l0.value is not None,
        )


@dataclass(frozen=True)
class Found:
    """A record that is on the board.

    Attributes:
        place: The folder that it is from.
        file: Where it is there.
        facts: What decides where it belongs.
        origin: Name of the folder where that was laid over the first.
    """

    place: Place
    file: str
    facts: Facts
    origin: str

    @property
    def state(self) -> list[Any]:
        """What tells it and the files beside it from what they were."""
        seen = self.place.sightings
        tables = [seen.sha256(name) for name in self.facts.tables]
        artifact = None if self.facts.artifact is None else seen.stamps.get(self.facts.artifact)
        return [str(self.place.store.folder), self.origin, self.file, seen.sha256(self.file), tables, artifact]

    def entry(self) -> Entry:
        """Return the record itself."""
        return Entry(self.place.record(self.file), self.place.store, self.origin)


class Place:
    """A folder of records.

    Args:
        folder: The folder.
        kept: Where what is known of it is kept.
        made_by: Digest of the code that takes facts from records.
    """

    def __init__(self, folder: Path, kept: Path, made_by: str) -> None:
        self.store = Store(folder)
        self._kept = kept / f"folders-{digest(str(folder.absolute()))}.kept"
        self._before = read_kept(self._kept)
        self._saved = False
        known = _json(self._before)
        self.sightings = Sightings(folder, known.get("files"))
        self._made_by = made_by
        self._facts: dict[str, Any] = known.get("facts", {}) if known.get("made_by") == made_by else {}
        self._parsed: dict[str, RunRecord] = {}

    def found(self) -> list[tuple[str, Facts]]:
        """Return files and facts of all records, in the order of `Store.query`.

        Raises:
            StoreError: A record is broken.
        """
        names = sorted((name for name in self.sightings.stamps if _is_record(name)), key=lambda name: name.split("/"))
        self._facts = {name: self._told(name) for name in names}
        facts = [(name, Facts(*told)) for name, (_, told) in self._facts.items()]
        return sorted(facts, key=lambda one: one[1].order)

    def record(self, name: str) -> RunRecord:
        """Return the record of a file, parsed at most once.

        Raises:
            StoreError: It is broken.
        """
        if name not in self._parsed:
            self._parsed[name] = self._read(name)
        return self._parsed[name]

    def save(self) -> None:
        """Keep what is known, once."""
        if self._saved:
            return
        self._saved = True
        told = {"made_by": self._made_by, "files": self.sightings.told(), "facts": self._facts}
        content = canonical_json(told)
        if content != self._before:
            write_kept(self._kept, content)

    def _told(self, name: str) -> list[Any]:
        """Digest of a file, and the facts of its record."""
        known = self._facts.get(name)
        if known is not None and known[0] == self.sightings.sha256(name):
            return list(known)
        record = self.record(name)
        return [self.sightings.sha256(name), list(Facts.of(record, self.store))]

    def _read(self, name: str) -> RunRecord:
        path = self.store.folder / name
        if self.sightings.stamps[name][0] > MAX_RECORD_BYTES:
            return read_record(path)
        looked = time.time_ns()
        try:
            content = path.read_bytes()
            text = content.decode()
        except (OSError, ValueError):
            return read_record(path)
        self.sightings.note(name, content, looked)
        return read_record(path, text)


def find(places: Iterable[Place]) -> list[Found]:
    """Return one record a cell of all places, as `mibench.leaderboard.rows.collect` does.

    Raises:
        StoreError: A record is broken.
    """
    found: dict[str, Found] = {}
    for index, place in enumerate(places):
        origin = origin_of(place.store) if index else ""
        for file, facts in place.found():
            known = found.get(facts.cell)
            if known is None or (not known.facts.has_numbers and facts.has_numbers):
                found[facts.cell] = Found(place, file, facts, origin)
    return list(found.values())


def by_group(found: Sequence[Found]) -> list[tuple[list[Found], list[Found]]]:
    """Return the records of each group, and those of other groups that may know the L0 of its dictionaries."""
    groups: dict[str, list[Found]] = defaultdict(list)
    sparse: dict[str, list[Found]] = defaultdict(list)
    for one in found:
        groups[one.facts.group].append(one)
        if one.facts.dictionary is not None and one.facts.has_l0:
            sparse[one.facts.dictionary].append(one)
    return [(members, _donors(members, sparse)) for members in groups.values()]


def _donors(members: Sequence[Found], sparse: dict[str, list[Found]]) -> list[Found]:
    asked = dict.fromkeys(one.facts.dictionary for one in members if one.facts.dictionary and not one.facts.has_l0)
    own = {one.facts.cell for one in members}
    return [one for name in asked for one in sparse.get(name or "", ()) if one.facts.cell not in own]


def _is_record(name: str) -> bool:
    return is_record(name.rpartition("/")[2])


def _json(content: bytes | None) -> dict[str, Any]:
    try:
        told = json.loads(content or b"{}")
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
