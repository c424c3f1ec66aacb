"""The page of a record: its numbers, where they come from, and how to get them again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from markupsafe import Markup

from mibench.artifacts.circuit import CircuitScores
from mibench.artifacts.formats import native
from mibench.artifacts.formats.mib import Wanted
from mibench.core.errors import DataError, MibenchError, StoreError
from mibench.core.hashing import digest, file_digest
from mibench.core.specs import Level, Track
from mibench.leaderboard import notes
from mibench.leaderboard.cells import MISSING
from mibench.leaderboard.rows import Entry
from mibench.leaderboard.site.commands import folder_shown
from mibench.leaderboard.site.context import SiteContext
from mibench.leaderboard.site.curve import Drawing, drawing
from mibench.leaderboard.site.environment import render, site_version
from mibench.leaderboard.site.heat import Heat, circuit_heat, site_heats, top_scores
from mibench.leaderboard.site.links import record_page
from mibench.leaderboard.site.marks import about, is_private, marks
from mibench.leaderboard.site.metric_docs import better, doc
from mibench.leaderboard.site.picture import Picture
from mibench.leaderboard.site.record_facts import cell_facts, command, costs, digests, environment
from mibench.leaderboard.site.worst import worst_examples
from mibench.leaderboard.sparsity import L0
from mibench.leaderboard.text import number, plain
from mibench.leaderboard.view import GroupView, RowView
from mibench.metrics.bootstrap import Resampling
from mibench.metrics.variable.maps import site_maps
from mibench.metrics.variable.tables import VariableTables
from mibench.records.record import MetricValue, RunRecord

_RESAMPLING = Resampling(resamples=1000)
_LARGEST_ARTIFACT = 16 * 1024 * 1024
_TOP = 20
_TITLES = {"faithfulness": "Faithfulness", "accuracy": "Accuracy", "kl": "KL divergence from the model"}


@dataclass(frozen=True)
class Shown:
    """A record on the board: its table, its row, and where its files are."""

    view: GroupView
    row: RowView
    entry: Entry

    @property
    def record(self) -> RunRecord:
        """The record."""
        return self.entry.record


def record_pages(groups: Sequence[GroupView], context: SiteContext) -> Iterable[Picture]:
    """Yield the page of every record of the tables, made when it is needed."""
    for view in groups:
        folders = [folder_shown(folder) for folder in view.summary.folders]
        given = [context.about(view), dict(context.downloads), folders]
        told = view.memory.recall_json("records", partial(_listed, view, context), *given)
        for place, (name, words, made_from) in enumerate(told):
            yield Picture(record_page(name), words, made_from, partial(_drawn, view, place, context))


def _entries(view: GroupView) -> Iterator[tuple[RowView, Entry]]:
    return ((row, entry) for row in view.rows for entry in row.row.entries)


def _listed(view: GroupView, context: SiteContext) -> list[list[str]]:
    """Id, words and digest of what is shown, of every record of a table."""
    return [_told(Shown(view, row, entry), context) for row, entry in _entries(view)]


def _drawn(view: GroupView, place: int, context: SiteContext) -> bytes:
    row, entry = next(islice(_entries(view), place, None))
    made = page(Shown(view, row, entry), context)
    if place == len(view.summary.records) - 1:
        # The last of the table: nothing asks for its records again.
        view.memory.records.save()
    return made


def _told(shown: Shown, context: SiteContext) -> list[str]:
    record = shown.record
    made_from = {
        "code": site_version(),
        "record": _record_digest(shown.entry),
        "folder": folder_shown(shown.entry.store.folder),
        "rank": [str(shown.row.rank), shown.row.rank.why, shown.row.row.label],
        "notes": [*shown.view.notes, *notes.row_notes(shown.row.row)],
        "beside": [other.cell.id for other in shown.row.row.records],
        "confirmations": _repeats(record, context),
        "downloads": dict(context.downloads),
        "artifact": _artifact_size(shown.entry),
    }
    words = f"{plain(record.cell.method.name)}: {shown.view.group.title}"
    return [record.cell.id, words, digest(made_from)]


def _record_digest(entry: Entry) -> list[Any]:
    """What tells a record from others: the digest of its file, and the L0 that may have been added to it."""
    record = entry.record
    l0 = record.metrics.get(L0)
    try:
        known = file_digest(entry.store.path(record.cell))
    except OSError:
        known = digest(record.model_dump(mode="json"))
    return [known, None if l0 is None else l0.model_dump(mode="json")]


def page(shown: Shown, context: SiteContext) -> bytes:
    """Return the page of a record."""
    record = shown.record
    given = [_record_digest(shown.entry), _files(shown.entry), folder_shown(shown.entry.store.folder)]
    body = shown.view.memory.records.recall(
        record.cell.id, partial(_body, shown.entry, context), *given, _repeats(record, context)
    )
    return render(
        "record.html.jinja",
        "../",
        context=context,
        shown=shown,
        record=record,
        title=f"{plain(record.cell.method.name)} · {shown.view.group.title}",
        marks=marks(shown.row.row, context.confirmations),
        notes=[*shown.view.notes, *notes.row_notes(shown.row.row)],
        # Everything in it was escaped when it was rendered.
        body=Markup(body),  # noqa: S704
    )


def _body(entry: Entry, context: SiteContext) -> str:
    """What a page says of the record alone, whatever other rows there are."""
    record, private = entry.record, is_private(entry.record)
    scores = None if private else _scores(entry)
    return render(
        "record_body.html.jinja",
        "../",
        record=record,
        private=private,
        facts=cell_facts(record.cell),
        costs_of=costs(record),
        environment=environment(record),
        digests=digests(record),
        metrics=[_metric(name, value) for name, value in sorted(record.metrics.items())],
        curves=_curves(record),
        heats=_heats(entry, scores),
        top=[] if scores is None else top_scores(scores, _TOP),
        top_of=record.cell.level or Level.EDGE,
        worst=None if private else worst_examples(entry),
        command=command(record),
        folder=folder_shown(entry.store.folder),
        confirmations=about(record, context.confirmations),
    ).decode()


def _repeats(record: RunRecord, context: SiteContext) -> list[dict[str, Any]]:
    return [one.model_dump(mode="json") for one in context.confirmations.get(record.cell.id, ())]


def _files(entry: Entry) -> list[Any]:
    """What tells the tables and the artifact beside a record from others of their names."""
    record = entry.record
    names = [ref.file for ref in record.tables.values()]
    names += [] if record.artifact is None else [record.artifact.file]
    return [_stamp(entry.store.path(record.cell).with_name(name)) for name in names]


def _stamp(path: Path) -> list[int] | None:
    try:
        seen = path.stat()
    except OSError:
        return None
    return [seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino]


def _curves(record: RunRecord) -> list[tuple[str, Drawing]]:
    """Curves by what they are of; both rankings in one chart."""
    found: dict[str, dict[str, Any]] = {}
    for name, points in record.curves.items():
        quantity, _, ranking = name.rpartition("_")
        found.setdefault(quantity.replace("_", " ") or name, {})[ranking] = points
    drawn = [
        (_TITLES.get(name, plain(name)), drawing(found[name], share="kl" not in name))
        for name in sorted(found, key=_first)
    ]
    return [(name, one) for name, one in drawn if one is not None]


def _first(name: str) -> tuple[bool, str]:
    return not name.startswith("faithfulness"), name


def _heats(entry: Entry, scores: CircuitScores | None) -> list[Heat]:
    if scores is not None:
        found = circuit_heat(scores)
        return [] if found is None else [found]
    if entry.record.cell.track is not Track.VARIABLE or entry.record.status != "ok":
        return []
    try:
        return site_heats(site_maps(VariableTables.stored(entry.record, entry.store), _RESAMPLING))
    except (DataError, StoreError):
        return []


def _artifact_size(entry: Entry) -> int | None:
    """Bytes of the circuit that lies beside a record; None where there is none to read."""
    record = entry.record
    if record.artifact is None or record.cell.track is not Track.CIRCUIT:
        return None
    path = entry.store.path(record.cell).with_name(record.artifact.file)
    return path.stat().st_size if path.is_file() else None


def _scores(entry: Entry) -> CircuitScores | None:
    """The circuit beside a record, if it is there, small and whole."""
    size = _artifact_size(entry)
    if size is None or size > _LARGEST_ARTIFACT:
        return None
    try:
        return native.read(entry.store.artifact(entry.record), Wanted())
    except MibenchError:
        return None


def _metric(name: str, value: MetricValue) -> dict[str, str]:
    known = value.ci_low is not None and value.ci_high is not None
    over = "" if value.ci_source is None else value.ci_source + ("" if value.n is None else f", n = {value.n}")
    return {
        "name": name,
        "value": MISSING if value.value is None else _short(value.value),
        "interval": f"[{_short(value.ci_low)}, {_short(value.ci_high)}]" if known else "",
        "over": over,
        "floor": MISSING if value.floor is None else _short(value.floor),
        "ceiling": MISSING if value.ceiling is None else _short(value.ceiling),
        "better": better(value.higher_is_better),
        "version": str(value.version),
        "reason": plain(said, 400) if (said := value.reason or value.ci_reason) else "",
        "doc": doc(name),
        "unit": plain(value.unit) if value.unit else "",
    }


def _short(value: float | None) -> str:
    if value is None:
        return MISSING
    text = f"{value:,.0f}" if abs(value) >= 10_000 else number(value, 4)
    return text.replace("-", "−")
