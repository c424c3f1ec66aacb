"""What a record says of itself in words: cell, cost, environment, digests, command."""

from __future__ import annotations

import shlex

from mibench.core.specs import Cell
from mibench.leaderboard.rows import place
from mibench.leaderboard.text import count, duration, memory, plain
from mibench.records.record import Cost, RunRecord

Facts = list[tuple[str, str]]
"""Titles and texts."""


def cell_facts(cell: Cell) -> Facts:
    """Return what fixes the numbers of a cell."""
    task, method = cell.task, cell.method
    examples = "all examples" if task.limit is None else f"the first {task.limit}"
    stated = ", ".join(f"{name}={value}" for name, value in sorted(method.params.items()))
    found = [
        ("Cell", cell.id),
        ("Split", f"{task.split}, {examples}"),
        ("Model", f"{cell.model.name}, {cell.model.dtype}, {cell.model.attention}"),
        ("Method", f"{method.name}" + ("" if method.version is None else f", version {method.version}")),
        ("Parameters", stated),
        ("Seed", "" if method.seed is None else str(method.seed)),
        ("Training examples", "" if task.train_limit is None else str(task.train_limit)),
        ("Level", cell.level or ""),
        ("Ablation", cell.ablation or ""),
        ("Convention", cell.convention),
        ("BOS", cell.bos),
        ("Variable", "" if cell.variable is None else cell.variable.name),
        ("Positions", "" if cell.variable is None else ", ".join(cell.variable.positions)),
        ("Place", "" if cell.dictionary is None else place(cell.dictionary)),
        ("Text", "" if cell.dictionary is None else cell.dictionary.corpus),
    ]
    return _said(found)


def costs(record: RunRecord) -> Facts:
    """Return what the work took: the method alone, and the method with the scoring of what it made."""
    total, own = record.volatile.cost, record.volatile.discovery
    both = "Method + scoring"
    if own is not None and total is not None and total.seconds < own.seconds:
        # What the method made was at hand, as a dictionary is that several tasks score.
        both = "Scoring alone (the method had run before)"
    parts = [("Method alone", own), (both if own is not None else "Scoring alone (handed in)", total)]
    return [(name, _cost(one)) for name, one in parts if one is not None]


def _cost(cost: Cost) -> str:
    forward, backward = count(cost.forward_passes), count(cost.backward_passes)
    of = f", over {cost.examples:,} example{'' if cost.examples == 1 else 's'}" if cost.examples else ""
    passes = f"{forward} forward + {backward} backward passes of the model, each of one example{of}"
    none = cost.forward_passes + cost.backward_passes == 0
    found = [
        f"{duration(cost.seconds)} of wall-clock time",
        "" if cost.peak_bytes is None else f"{memory(cost.peak_bytes)} of memory at most",
        "no pass of the model" if none else passes,
    ]
    return "; ".join(filter(None, found))


def environment(record: RunRecord) -> Facts:
    """Return where and with what a record was made."""
    made = record.volatile.provenance
    if made is None:
        return []
    changed = ", with uncommitted changes" if made.git_dirty else ""
    return _said(
        [
            ("mibench", made.mibench),
            ("Commit", f"{made.git_commit}{changed}" if made.git_commit else ""),
            ("Made", f"{made.created_at:%Y-%m-%d %H:%M} UTC"),
            ("Python", made.python),
            ("Platform", made.platform),
            ("Device", made.device_name or made.device),
            ("Processor", made.cpu or ""),
            ("Threads", "" if made.threads is None else str(made.threads)),
            ("Batch", "" if made.batch_size is None else f"{made.batch_size} examples"),
            ("Packages", ", ".join(f"{name} {version}" for name, version in sorted(made.packages.items()))),
            ("Flags", ", ".join(f"{name}={value}" for name, value in sorted(made.determinism.items()))),
        ]
    )


def digests(record: RunRecord) -> Facts:
    """Return the digests of everything that the numbers rest on."""
    cell = record.cell
    found = [
        ("Examples", cell.task.digest),
        ("Training examples", cell.task.train_digest or ""),
        ("Model", cell.model.digest),
        ("Code", cell.method.code_digest or ""),
        ("Artifact handed in", cell.method.artifact_digest or ""),
        ("Dictionary", record.dictionary.sha256 if record.dictionary else ""),
        ("Artifact", record.artifact.sha256 if record.artifact else ""),
        *((f"Table {name}", f"{ref.sha256} ({ref.rows} rows)") for name, ref in sorted(record.tables.items())),
    ]
    return _said(found)


def _said(found: Facts) -> Facts:
    return [(name, plain(text, 600)) for name, text in found if text]


def command(record: RunRecord) -> str:
    """Return the command line as one would type it; the path of the program on the machine says nothing."""
    made = record.volatile.provenance
    if made is None or not made.command:
        return ""
    return plain(shlex.join(["mibench", *made.command[1:]]), 2000)
