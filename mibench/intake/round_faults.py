"""What is wrong with a submission by the rules of one round: cells that it does not score, other versions, code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from difflib import SequenceMatcher

from mibench.core.specs import Level, Track
from mibench.intake.cells import TASKS
from mibench.intake.failures import Failure
from mibench.intake.manifest import MANIFEST, CellEntry
from mibench.intake.round import ROUND_FILE, CellGroup, Round
from mibench.metrics.metric import METRICS

_CODE = (".py", ".pyc", ".ipynb", ".sh", ".r", ".jl", ".c", ".cc", ".cpp", ".cu", ".rs", ".so", ".js")

_MOST_HINTS = 20
"""Failures that name the nearest cell; it takes a while to find."""


def round_faults(own: Round, entries: Mapping[int, CellEntry]) -> Iterator[Failure]:
    """Cells that are none of the round's, then versions that are not those that it was opened with.

    Args:
        own: The round.
        entries: Artifacts or methods, by their place in the manifest.
    """
    n_found = 0
    for index, entry in entries.items():
        for pair in dict.fromkeys(entry.pairs):
            if own.group_of(entry, *pair) is None:
                n_found += 1
                do = _nearest(own, entry, pair) if n_found <= _MOST_HINTS else f"Its cells are in {ROUND_FILE}."
                what = f"{_words(entry.track, pair, _extra_of(entry))} is no cell of the round."
                yield Failure(what, f"{entry.LISTED}[{index}] is for it.", do, MANIFEST, index)
    yield from version_faults(own)


def version_faults(own: Round) -> Iterator[Failure]:
    """Tasks and metrics of a round that are installed here in another version, or not at all."""
    tasks = {
        name: {TASKS[track].components[name].metadata.get("version") for track in Track if name in _known(track)}
        for name in own.tasks
    }
    metrics = {
        name: {METRICS.components[name].metadata.get("version")} if name in METRICS.components else set()
        for name in own.metrics
    }
    for kind, stated, installed in (("task", own.tasks, tasks), ("metric", own.metrics, metrics)):
        for name, version in stated.items():
            if version not in installed[name]:
                here = " and ".join(sorted(map(str, installed[name]))) or "none"
                what = f"The {kind} {name} is not installed as it is scored."
                why = f"The round was opened with version {version} (mibench {own.mibench}); here it is {here}."
                yield Failure(what, why, f"Install mibench {own.mibench}.", ROUND_FILE)


def code_fault(own: Round | None, name: str) -> Failure | None:
    """Say that a round takes no code, of a file that is code by its name; None: it is none, or there is no round."""
    if own is None or own.limits.accepts_code or not name.lower().endswith(_CODE):
        return None
    why = f"{own.name} takes artifacts, not methods, so nothing that is handed in is run."
    return Failure(f"{name} is code.", why, "Hand in what the method gives, and its page under 'code'.", name)


def round_notes(own: Round, now: datetime) -> list[str]:
    """What is worth knowing of a round at a time."""
    if own.is_over(now):
        return [f"The deadline of {own.name} has passed: it was {own.deadline.isoformat()}."]
    return [f"{own.name} opens on {own.opens.isoformat()}."] if now < own.opens else []


def _known(track: Track) -> Mapping[str, object]:
    return TASKS[track].components


def _nearest(own: Round, entry: CellEntry, pair: tuple[str, str]) -> str:
    """What to do about a task and model that are no cell: the nearest cell of the track."""
    cells = [
        (group, task, model)
        for group in own.cells
        if group.track is entry.track
        for task in group.tasks
        for model in group.models or ("",)
    ]
    if not cells:
        tracks = ", ".join(sorted({group.track for group in own.cells}))
        return f"Leave it out: {own.name} is of the track{'s' * (', ' in tracks)} {tracks}."
    group, *names = max(cells, key=lambda cell: _alike(cell, entry, pair))
    return f"Did you mean {_words(entry.track, (names[0], names[1]), _extra_of_group(group))}?"


def _alike(one: tuple[CellGroup, str, str], entry: CellEntry, pair: tuple[str, str]) -> tuple[float, float]:
    """How near a cell is: its names first, then its level, variables or hooks."""
    group, *names = one
    ratios = [
        1.0 if name == own else SequenceMatcher(None, name[:200], own[:200]).ratio()
        for name, own in zip(names, pair, strict=True)
    ]
    extra = SequenceMatcher(None, _extra_of_group(group)[:200], _extra_of(entry)[:200]).ratio()
    return sum(ratios), extra


def _words(track: Track, pair: tuple[str, str], extra: str) -> str:
    task, model = pair
    return " ".join(filter(None, (f"{task} on {model}" if model else task, f"({track}{extra and f', {extra}'})")))


def _extra_of(entry: CellEntry) -> str:
    if entry.track is Track.CIRCUIT:
        return (entry.level or Level.EDGE).value
    return entry.variable or entry.hook or ""


def _extra_of_group(group: CellGroup) -> str:
    if group.track is Track.CIRCUIT:
        return (group.level or Level.EDGE).value
    return " or ".join((group.variables or group.hooks)[:5])
