"""Records to groups of comparable rows: one row a method, one group for everything that is compared."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from mibench.core.hashing import canonical_json, digest
from mibench.core.specs import Cell, DictionaryRef, Track
from mibench.leaderboard.columns import COSTS
from mibench.leaderboard.controls import board_of
from mibench.leaderboard.seeds import mean_curves, mean_metrics
from mibench.leaderboard.text import plain, slug
from mibench.leaderboard.twins import twins
from mibench.records.record import CurvePoint, MetricValue, Problem, RunRecord
from mibench.records.store import Store

GENERATED = "generated"
"""Hook point of tasks whose activations are generated, so that there is no model."""
_SHOWN_DIGITS = 8


@dataclass(frozen=True)
class Entry:
    """A record and the store that holds its tables.

    Attributes:
        record: The record.
        store: The store.
        origin: Folder of the store where it is one that was laid over the first; empty: it is the first.
    """

    record: RunRecord
    store: Store
    origin: str = ""


@dataclass(frozen=True)
class Row:
    """A method in a group: one cell, or one for each seed.

    Attributes:
        entries: Its records, by seed.
        label: Name that no other row of the group has.
    """

    entries: tuple[Entry, ...]
    label: str = ""

    @property
    def records(self) -> list[RunRecord]:
        """Its records, by seed."""
        return [entry.record for entry in self.entries]

    @property
    def method(self) -> str:
        """Name of the method."""
        return plain(self.records[0].cell.method.name)

    @property
    def seeds(self) -> list[int]:
        """Seeds of a method that draws; empty for one that does not."""
        return [record.cell.method.seed for record in self.records if record.cell.method.seed is not None]

    @property
    def board(self) -> str | None:
        """Board of its own, on which it is not ranked with the others; None: it is ranked."""
        return next((board for record in self.records if (board := board_of(record)) is not None), None)

    @property
    def origin(self) -> str:
        """Folders of its records, where they were laid over those of the board; empty: all are the board's own."""
        return ", ".join(dict.fromkeys(plain(entry.origin, 60) for entry in self.entries if entry.origin))

    @property
    def status(self) -> Literal["ok", "failed", "skipped"]:
        """`ok` only if every seed is: a mean over those that finished would flatter the row."""
        statuses = {record.status for record in self.records}
        return "failed" if "failed" in statuses else "skipped" if "skipped" in statuses else "ok"

    @property
    def reason(self) -> str:
        """Why there are no numbers; empty if there are."""
        stopped = [record for record in self.records if record.status != "ok"]
        if not stopped:
            return ""
        problem = stopped[0].problem or Problem(what="No reason was recorded.", why="", do="")
        which = f"{len(stopped)} of {len(self.records)} seeds: " if len(self.records) > 1 else ""
        return which + plain(" ".join(filter(None, (problem.what, problem.why, problem.do))), 400)

    @cached_property
    def metrics(self) -> dict[str, MetricValue]:
        """Numbers by metric name; none unless all seeds are there."""
        return mean_metrics(self.records) if self.status == "ok" else {}

    @cached_property
    def curves(self) -> dict[str, list[CurvePoint]]:
        """Curves by name; none unless all seeds are there."""
        return mean_curves(self.records) if self.status == "ok" else {}

    @property
    def costs(self) -> dict[str, float | None]:
        """Cost of one cell by column name, the mean over seeds; None where a record does not tell."""
        return {column.name: _mean([_cost(record, column.read) for record in self.records]) for column in COSTS}

    @property
    def detail(self) -> str:
        """What sets the method apart from others of its name: version, parameters, numerics, origin."""
        return " · ".join(plain(part) for part in _details(self.records[0].cell, self.seeds))

    @cached_property
    def id(self) -> str:
        """Digest of what the row's cells share."""
        return digest(_shared(self.records[0].cell))


@dataclass(frozen=True)
class Group:
    """Rows that may be compared: same examples, model, kind of circuit, ablation and convention.

    Attributes:
        cell: The cell of one row; all agree in what `key` holds.
        rows: In the order of their labels; ranking orders them.
        twins: Names of dictionaries that are left out, each with the name under which it is shown.
    """

    cell: Cell
    rows: tuple[Row, ...] = field(repr=False)
    twins: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> dict[str, Any]:
        """What the rows share."""
        return group_key(self.cell)

    @property
    def track(self) -> Track:
        """Track of all rows."""
        return self.cell.track

    @property
    def title(self) -> str:
        """Task, causal variable or hook point if there is one, and model."""
        variable = f" · {plain(self.cell.variable.name, 60)}" if self.cell.variable else ""
        if self.cell.dictionary and self.cell.dictionary.hook == GENERATED:
            return plain(self.cell.task.name, 60)
        if self.cell.dictionary:
            variable = f" · {plain(place(self.cell.dictionary), 90)}"
        return f"{plain(self.cell.task.name, 60)}{variable} on {plain(self.cell.model.name, 60)}"

    @property
    def id(self) -> str:
        """Readable, unique, and fit for a file name."""
        parts = (
            self.cell.task.name,
            *([self.cell.variable.name] if self.cell.variable else []),
            *([place(self.cell.dictionary)] if self.cell.dictionary else []),
            self.cell.model.name,
            self.cell.level or self.track,
            self.cell.convention,
        )
        return f"{slug('-'.join(parts))}-{digest(self.key)[:10]}"


def place(where: DictionaryRef) -> str:
    """Return where a dictionary reads and, if that is elsewhere, writes."""
    return where.hook if where.output is None else f"{where.hook} to {where.output}"


def group_key(cell: Cell) -> dict[str, Any]:
    """Return what cells must share to be compared."""
    task, plain_cell = cell.task, cell.model_dump(mode="json")
    return {
        "track": cell.track.value,
        "task": task.name,
        "task_version": task.version,
        "split": task.split,
        "limit": task.limit,
        "task_digest": task.digest,
        "model": cell.model.name,
        "model_digest": cell.model.digest,
        **{name: plain_cell[name] for name in ("level", "ablation", "bos", "convention")},
        **(_variable_key(plain_cell["variable"]) if cell.variable else {}),
        **(plain_cell["dictionary"] if cell.dictionary else {}),
        **({"target_rows": task.train_digest} if cell.variable and cell.variable.target_heads else {}),
    }


def _variable_key(variable: dict[str, Any]) -> dict[str, Any]:
    """The causal variable and where it is looked for; lists as JSON, for tables. Defaults are the methods' business."""
    flat = {
        name: canonical_json(value).decode() if isinstance(value, list) else value
        for name, value in variable.items()
        if name != "defaults"
    }
    return {"variable": flat.pop("name")} | {f"variable.{name}": value for name, value in flat.items()}


def collect(stores: Iterable[Store]) -> list[Entry]:
    """Return one record a cell of all stores: one with numbers before one without, else the first found.

    Entries of all stores but the first say which folder they are from, by the last two parts of its path.

    Raises:
        StoreError: A record is broken.
    """
    found: dict[str, Entry] = {}
    for place, store in enumerate(stores):
        for record in store.query():
            known = found.get(record.cell.id)
            if known is None or (known.record.status != "ok" and record.status == "ok"):
                found[record.cell.id] = Entry(record, store, origin_of(store) if place else "")
    return list(found.values())


def origin_of(store: Store) -> str:
    """Return the name of a folder that is laid over others."""
    return "/".join(store.folder.absolute().parts[-2:])


def make_groups(entries: Iterable[Entry]) -> list[Group]:
    """Return the groups of all records in the order of task, model and the rest of their keys."""
    by_group: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_group[digest(group_key(entry.record.cell))].append(entry)
    return sorted(map(group_of, by_group.values()), key=lambda group: [str(value) for value in group.key.values()])


def group_of(members: Sequence[Entry]) -> Group:
    """Return the group of records that share a key."""
    same = twins([entry.record for entry in members])
    kept = [entry for entry in members if entry.record.cell.id not in same]
    return Group(kept[0].record.cell, _rows(kept), tuple(sorted(same.values())))


def _rows(entries: Sequence[Entry]) -> tuple[Row, ...]:
    by_row: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_row[digest(_shared(entry.record.cell))].append(entry)
    rows = [Row(tuple(sorted(members, key=_order))) for members in by_row.values()]
    return tuple(sorted(_labelled(rows), key=lambda row: row.label))


def _order(entry: Entry) -> tuple[int, str]:
    cell = entry.record.cell
    return cell.method.seed or 0, cell.id


def _shared(cell: Cell) -> dict[str, Any]:
    """Return the cell without its seed."""
    dumped = cell.model_dump(mode="json", exclude=None if cell.dictionary else {"dictionary"})
    return dumped | {"method": dumped["method"] | {"seed": cell.method.seed is not None}}


def _labelled(rows: Sequence[Row]) -> list[Row]:
    """Name each row by as little as tells it apart."""
    names = Counter(row.method for row in rows)
    details = Counter((row.method, row.detail) for row in rows)
    labelled = []
    for row in rows:
        parts = [row.method]
        if names[row.method] > 1:
            parts.append(row.detail)
        if details[row.method, row.detail] > 1:
            parts.append(row.id[:_SHOWN_DIGITS])
        labelled.append(Row(row.entries, " · ".join(parts)))
    return labelled


def _details(cell: Cell, seeds: Sequence[int]) -> list[str]:
    method, parts = cell.method, []
    if method.version is not None:
        parts.append(f"v{method.version}")
    stated = sorted(method.params.items())
    if cell.track is Track.SAE:
        stated = [(name, value) for name, value in stated if value is not None]
    parts += [f"{name}={value}" for name, value in stated]
    if seeds:
        parts.append(f"mean of {len(seeds)} seeds" if len(seeds) > 1 else f"seed {seeds[0]}")
    if cell.task.train_limit is not None:
        parts.append(f"{cell.task.train_limit} train examples")
    parts += [each for each in (cell.model.dtype, cell.model.attention) if each not in ("float32", "sdpa")]
    if method.artifact_digest:
        parts.append(f"handed in, artifact {method.artifact_digest[:_SHOWN_DIGITS]}")
    if method.code_digest:
        parts.append(f"own code {method.code_digest[:_SHOWN_DIGITS]}")
    return parts


def _cost(record: RunRecord, read: Any) -> float | None:
    cost = record.volatile.discovery
    return None if cost is None else read(cost)


def _mean(amounts: Sequence[float | None]) -> float | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known) / len(known) if len(known) == len(amounts) else None
