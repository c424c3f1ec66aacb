"""What has to be said beside a group's numbers: what was measured, and what limits it."""

from __future__ import annotations

from mibench.core.registry import Registry
from mibench.core.specs import Cell, Convention, DictionaryRef, Track, VariableRef
from mibench.leaderboard.rows import GENERATED, Group, Row, place
from mibench.leaderboard.text import plain
from mibench.metrics.sae.normalised import NULLS_AND_ORACLES
from mibench.models.catalogue import CATALOGUE
from mibench.models.known import known_models, note_of

_TASKS = Registry(kind="task", package="mibench.tasks")
_DICTIONARY_TASKS = Registry(kind="dictionary_task", package="mibench.tasks")
_VARIABLE_TASKS = Registry(kind="variable_task", package="mibench.tasks")

_AUDIT = "fails audit"
_ENDS = {
    "core": ("explained variance, FVU, MSE", "CE and KL recovered", "dead latents"),
    "probing": ("sparse probing",),
    "causal": ("causal disentanglement",),
    "autointerp": ("autointerp",),
    "explainability": ("explainability",),
    "synthetic": ("synthetic recovery",),
}
"""What the null and the oracle are, by the family of a task of the SAE track; absorption has neither."""

_CONVENTIONS = {
    Convention.MIB: "Computed by MIB's rules, its mistakes included: not comparable with the default rules.",
    Convention.SAEBENCH: "Computed by SAEBench's rules: not comparable with the default rules.",
}


def facts(group: Group) -> list[str]:
    """Return what the rows share, in short: split and examples, level, ablation, convention."""
    cell = group.cell
    parts = [cell.track.value, f"{cell.task.split} split, {examples(group)}"]
    parts += _places(cell.variable) if cell.variable else []
    parts += _hook(cell.dictionary) if cell.dictionary else []
    parts += [f"{cell.level.value} level"] if cell.level else []
    parts += [f"{cell.ablation.value} ablation"] if cell.ablation else []
    return [plain(part) for part in [*parts, f"{cell.convention.value} convention"]]


def examples(group: Group) -> str:
    """Return how many examples were evaluated, and whether they are only the first of the split."""
    limit = group.cell.task.limit
    records = [record for row in group.rows for record in row.records]
    counts = {record.tables["endpoints"].rows for record in records if "endpoints" in record.tables}
    counts |= {
        value.n
        for record in records
        for value in record.metrics.values()
        if value.n is not None and value.ci_source == "examples"
    }
    number = max(counts, default=limit)
    if group.track is Track.SAE:
        return f"{'all' if limit is None else limit} examples"
    if group.track is Track.VARIABLE:
        return _rows(max(counts, default=None), limit)
    if limit is None or (counts and max(counts) < limit):
        return f"{'all' if number is None else number} examples"
    return f"only the first {number} examples"


def notes(group: Group) -> list[str]:
    """Return what to read before comparing: origin of the weights, data that is not held out, rules."""
    cell = group.cell
    generated = cell.dictionary is not None and cell.dictionary.hook == GENERATED
    found = ["" if generated else _about_model(cell.model.name), *_about_task(cell), _about_split(cell.task.split)]
    found += [_CONVENTIONS.get(cell.convention, "")]
    if cell.bos == "as-given":
        found.append("No beginning-of-text token was added to the prompts.")
    found += [f"{name} is the same dictionary as {shown}, and is left out." for name, shown in group.twins]
    return [plain(note, 400) for note in found if note]


def identity(group: Group) -> str:
    """Return the versions and digests that fix what was measured."""
    cell = group.cell
    return (
        f"task version {cell.task.version}, examples {plain(cell.task.digest[:12])}, "
        f"model {plain(cell.model.digest[:12])}"
    )


def row_notes(row: Row) -> list[str]:
    """Return what has to be said about one row: reused records, and how often it saw the test split."""
    found = [] if row.board is None else [f"{row.board} board: not ranked"]
    found += [f"from {row.origin}"] if row.origin else []
    looks = [record.looks_at_test for record in row.records if record.looks_at_test is not None]
    if looks and max(looks) > 1:
        found.append(f"look {max(looks)} at the test split")
    since = [record.volatile.reused_since for record in row.records if record.volatile.reused_since]
    if since:
        found.append(f"reused, from {min(since):%Y-%m-%d}")
    return found


def _about_model(name: str) -> str:
    if name not in CATALOGUE and name not in known_models():
        return f"{plain(name)} is no model of the catalogue; its digest tells which weights it has."
    note = note_of(name)
    return f"Weights: {note}." if note else ""


def fails_audit(cell: Cell) -> bool:
    """Tell whether a task's metrics fail an audit of their validity, so that nothing is ranked by them."""
    known = _DICTIONARY_TASKS.components.get(cell.task.name)
    return cell.dictionary is not None and known is not None and _AUDIT in str(known.metadata.get("citation", ""))


def _hook(where: DictionaryRef) -> list[str]:
    """Where the dictionaries work, and the text."""
    if where.hook == GENERATED:
        return ["generated activations"]
    return [place(where), f"{where.corpus}, contexts of {where.context} tokens"]


def _about_dictionary_task(cell: Cell) -> list[str]:
    known = _DICTIONARY_TASKS.components.get(cell.task.name)
    if known is None:
        return [f"{plain(cell.task.name)} is not a registered task."]
    told = [str(known.metadata.get("notes", ""))]
    if fails_audit(cell):
        told.append(f"{known.metadata.get('citation')}: shown for comparison, not ranked.")
    ends = [(what, NULLS_AND_ORACLES[what]) for what in _ENDS.get(str(known.metadata.get("family", "")), ())]
    if cell.convention is Convention.MIBENCH and ends:
        said = "; ".join(f"{what}: {one.null}, and {one.oracle}" for what, one in ends)
        told.append(f"Floor and ceiling are, of {said}.")
    return told


def _places(variable: VariableRef) -> list[str]:
    """Where the variable was looked for."""
    parts = [variable.component.value, f"positions {', '.join(variable.positions)}"]
    parts += [] if variable.layers is None else [f"layers {', '.join(map(str, variable.layers))}"]
    parts += [f"heads {', '.join(f'{layer}.{head}' for layer, head in variable.heads)}"] if variable.heads else []
    return [*parts, "oracle positions"] if variable.oracle else parts


def _rows(number: int | None, limit: int | None) -> str:
    if number is None or limit is None:
        return f"{'all' if number is None else number} rows that the model solves"
    return f"{number} of {limit} rows, those that the model solves"


def _about_task(cell: Cell) -> list[str]:
    name, variable = cell.task.name, cell.variable
    if cell.dictionary is not None:
        return _about_dictionary_task(cell)
    if variable is not None:
        known = _VARIABLE_TASKS.components.get(name)
        oracle = "A position is found by the gold answer: these numbers are not comparable with those of other boards."
        return [str(known.metadata.get("notes", "")) if known else "", oracle if variable.oracle else ""]
    if name not in _TASKS.components:
        told = "is not a registered task: a local pairs file is its own train and test split"
        return [f"{plain(name)} {told}, so these scores are not held out."]
    return [str(_TASKS.components[name].metadata.get("notes", ""))]


def _about_split(split: str) -> str:
    return "" if split == "test" else f"These are {plain(split)} scores, which methods may have been tuned on."
