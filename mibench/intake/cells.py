"""What the artifacts of a submission are for: known tasks, no cell twice, and enough cells for a board."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mibench.core.names import did_you_mean
from mibench.core.registry import Registry
from mibench.core.specs import Track
from mibench.intake.failures import Failure
from mibench.intake.manifest import MANIFEST, ArtifactEntry, CellEntry, Submission
from mibench.intake.rules import BOARDS, Coverage, Rules
from mibench.tasks.load import REGISTRY
from mibench.tasks.sae.dictionary_task import DICTIONARY_TASKS, is_generated
from mibench.tasks.variable_task import VARIABLE_TASKS

TASKS: Mapping[Track, Registry] = {
    Track.CIRCUIT: REGISTRY,
    Track.VARIABLE: VARIABLE_TASKS,
    Track.SAE: DICTIONARY_TASKS,
}
"""Tasks of each track."""

MAX_ALL_CELLS = 20_000
"""Cells of a submission."""


def task_faults(index: int, entry: CellEntry) -> Iterator[Failure]:
    """What is wrong with the tasks, the variable and the lists of one artifact."""
    known = TASKS[entry.track].components
    for task in entry.tasks:
        if task not in known:
            what = f"There is no task '{task}' in the track {entry.track}."
            why = f"{entry.LISTED}[{index}] names it."
            yield Failure(what, why, did_you_mean(task, known), MANIFEST, index)
    for key in ("tasks", "models"):
        values = getattr(entry, key)
        twice = next((one for one in values if values.count(one) > 1), None)
        if twice is not None:
            what = f"{entry.LISTED}[{index}].{key} names {twice} twice."
            yield Failure(what, "Each is scored once.", "Remove one.", MANIFEST, index)
    if entry.track is Track.VARIABLE:
        yield from _variable_faults(index, entry)
    if entry.track is Track.SAE:
        yield from _model_faults(index, entry)


def _variable_faults(index: int, entry: CellEntry) -> Iterator[Failure]:
    for task in entry.tasks:
        component = VARIABLE_TASKS.components.get(task)
        own = list(component.metadata.get("variables", ())) if component else []
        odd = [part for part in (entry.variable or "").split("+") if own and part not in own]
        if odd:
            what, why = f"The task {task} has no variable '{odd[0]}'.", f"{entry.LISTED}[{index}] names it."
            yield Failure(what, why, did_you_mean(odd[0], own), MANIFEST, index)


def _model_faults(index: int, entry: CellEntry) -> Iterator[Failure]:
    generated = [is_generated(task) for task in entry.tasks if task in DICTIONARY_TASKS.components]
    if any(generated) and (entry.models or not all(generated) or len(entry.tasks) > 1):
        what = f"{entry.LISTED}[{index}] is for generated data and for more."
        why = "A dictionary of generated data is for one task, and for no model."
        yield Failure(what, why, "Give one task, and models: [].", MANIFEST, index)
    if generated and not any(generated) and not entry.models:
        what, why = f"{entry.LISTED}[{index}] names no model.", f"{entry.tasks[0]} needs one."
        yield Failure(what, why, "Add it under models.", MANIFEST, index)


def too_many(entries: Mapping[int, CellEntry]) -> Failure | None:
    """Say that a submission has more cells than can be looked at one by one; None: it has not."""
    n = sum(len(entry.tasks) * max(1, len(entry.models)) for entry in entries.values())
    if n <= MAX_ALL_CELLS:
        return None
    why = f"They are {n} tasks on models; the limit is {MAX_ALL_CELLS}."
    return Failure("There are too many cells.", why, "Hand in several submissions.", MANIFEST)


def repeated(entries: Mapping[int, CellEntry]) -> Iterator[Failure]:
    """Files, digests and cells that come more than once."""
    seen: dict[tuple[object, ...], int] = {}
    for index, entry in entries.items():
        for key in dict.fromkeys([*entry.identity, *entry.cells]):
            first = seen.setdefault(key, index)
            if first != index:
                both = f"{entry.LISTED}[{first}] and {entry.LISTED}[{index}]"
                yield _repeated(both, index, key)


def _repeated(both: str, index: int, key: tuple[object, ...]) -> Failure:
    if key[0] in {"sha256", "file"}:
        what = f"{both} are the same file."
        do = "List all its tasks and models in one entry."
        return Failure(what, f"Their {key[0]} is {key[1]}.", do, MANIFEST, index)
    cell = ", ".join(str(part) for part in key if part not in (None, ""))
    what = f"{both} are for the same cell."
    return Failure(what, f"Both are for {cell}.", "Keep one, or tell them apart by seed.", MANIFEST, index)


def track_faults(submission: Submission) -> Iterator[Failure]:
    """Whether the tracks are those of the artifacts."""
    used = {entry.track for entry in submission.entries}
    if used != set(submission.tracks) or len(set(submission.tracks)) != len(submission.tracks):
        stated, own = ", ".join(submission.tracks), ", ".join(sorted(used))
        why = f"'tracks' says {stated}; what it lists is of {own}."
        yield Failure("The tracks do not agree with the artifacts.", why, f"Write tracks: [{own}].", MANIFEST)


def coverage_faults(submission: Submission, rules: Rules) -> Iterator[Failure]:
    """Which board or rule asks for more tasks or models than there are."""
    asked = {f"The board {name}": BOARDS[name] for name in dict.fromkeys(submission.boards)}
    if rules.coverage is not None:
        asked["The rule of this check"] = rules.coverage
    for who, coverage in asked.items():
        tracks = [track for track in submission.tracks if track in coverage.tracks]
        if not tracks:
            what, why = f"{who} has no such track.", f"It is for {', '.join(sorted(coverage.tracks))}."
            yield Failure(what, why, "Leave the board out of 'boards'.", MANIFEST)
        for track in dict.fromkeys(tracks):
            yield from _covered(who, coverage, track, submission)


def _covered(who: str, coverage: Coverage, track: Track, submission: Submission) -> Iterator[Failure]:
    own = [entry for entry in submission.entries if entry.track is track]
    n_tasks = len({task for entry in own for task in entry.tasks})
    n_models = len({model for entry in own for model in entry.models})
    if n_tasks < coverage.tasks or n_models < coverage.models:
        why = f"{who} asks for {coverage.tasks} tasks and {coverage.models} models; there are {n_tasks} and {n_models}."
        do = "Add artifacts, or leave the board out of 'boards'."
        yield Failure(f"The track {track} covers too little.", why, do, MANIFEST)


def hub_fault(entries: Mapping[int, ArtifactEntry], rules: Rules) -> Failure | None:
    """Say that the files on the hub are too large together to be fetched; None: they are not."""
    total = sum(entry.bytes for entry in entries.values() if entry.hub is not None)
    if total <= rules.hub_bytes:
        return None
    why = f"They have {total} bytes; the limit is {rules.hub_bytes}."
    return Failure("The artifacts on the hub are too large.", why, "Hand in fewer, or smaller ones.", MANIFEST)
