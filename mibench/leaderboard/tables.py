"""The tables as CSV, for computing, and as Markdown, for reading beside the records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from mibench.core.specs import Track
from mibench.core.version import BOARD
from mibench.leaderboard import notes
from mibench.leaderboard.cells import CellView
from mibench.leaderboard.columns import COSTS
from mibench.leaderboard.family_tables import families_markdown
from mibench.leaderboard.family_view import READING_FAMILIES
from mibench.leaderboard.published import PublishedTable, published_markdown
from mibench.leaderboard.rows import Row
from mibench.leaderboard.sheets import columns_of, csv_text, placed, sheet_text
from mibench.leaderboard.sites import chosen_sites
from mibench.leaderboard.text import markdown, plain, sheet
from mibench.leaderboard.view import GroupView, RowView

READING = (
    "One row is a method; numbers carry 95 % intervals in brackets. ↓: lower is better, ↑: higher is "
    "better. Rows with the same rank and letter are tied: they do not differ from the best row of their letter "
    "by more than no two of so many equal rows would in 95 % of samples (all pairs judged at once, by paired "
    "bootstrap over examples where both have a table). *Told apart* is that bound, median over pairs of rows. "
    "*Distance* is the strict area between the faithfulness curve and 1; *CMD* and *CPR* are MIB's. "
    "*Floor* is what a circuit that carries nothing reaches, measured by random rankings or else declared by the "
    "metric; *ceiling* what a perfectly faithful one does, or, where the mechanism is known, the known truth, in "
    "random order among true edges, which a method can pass a little. A range is over the rows: each has the floor of "
    "its own run, or of its own sparsity. “At floor” means not separable from the floor. Tables of different "
    "examples, models, levels, ablations or conventions are not comparable."
)

READING_SITES = (
    "*Normalised IIA* is the interchange intervention accuracy at the site that validation chose, over the "
    "rows whose answer must change, scaled so that doing nothing is 0. "
    "*MIB average* and *MIB highest* take position or site on the scored split itself, and count rows that "
    "must stay; their floor is what doing nothing gives. *Isolate* is the share of rows that must stay and do."
)

_PARTS = ("value", "ci_low", "ci_high", "ci_source", "reason", "floor", "ceiling", "version")
"""Of a metric, what the CSV table has."""
_HERE = ""
"""Column before those of metrics."""

EMPTY = "There are no records yet. `mibench run --task ioi --model smollm2-135m --method eap` makes the first."


def csv_table(groups: Sequence[GroupView]) -> bytes:
    """Return one line a row, every metric of the records in full precision."""
    heads = [view.memory.recall_json("columns", partial(_head, view)) for view in groups]
    metrics = sorted({name for head in heads for name in head["metrics"]})
    parts = [part for named in _named(metrics).values() for part in named]
    columns = list(dict.fromkeys(name for head in heads for name in (*head["before"], *parts, *head["after"])))
    lines = [view.memory.recall("csv", partial(_placed, view, columns), columns) for view in groups]
    return (csv_text([columns]) + "".join(lines)).encode()


def flat_rows(groups: Sequence[GroupView]) -> list[dict[str, Any]]:
    """Return one flat line a row, every metric of the records in full precision."""
    names = _named(sorted({name for view in groups for name in _metrics(view)}))
    return [_flat(view, row, names) for view in groups for row in view.rows]


def _head(view: GroupView) -> dict[str, list[str]]:
    """Names of a table's columns: before those of metrics, the metrics, and after."""
    names = columns_of(_own(view))
    place = names.index(_HERE)
    return {"before": names[:place], "metrics": sorted(_metrics(view)), "after": names[place + 1 :]}


def _placed(view: GroupView, columns: Sequence[str]) -> str:
    return placed(_own(view), columns)


def _own(view: GroupView) -> str:
    """A table with its own columns alone; those of metrics come after an empty one."""
    return view.memory.recall("sheet", partial(_sheet, view))


def _sheet(view: GroupView) -> str:
    names = {_HERE: [_HERE] * len(_PARTS)} | _named(sorted(_metrics(view)))
    return sheet_text([_flat(view, row, names) for row in view.rows])


def _metrics(view: GroupView) -> set[str]:
    return {name for row in view.group.rows for name in row.metrics}


def _named(metrics: Sequence[str]) -> dict[str, list[str]]:
    return {name: [f"{name}.{part}" for part in _PARTS] for name in metrics}


def markdown_page(groups: Sequence[GroupView], published: Sequence[PublishedTable] = ()) -> bytes:
    """Return all tables as one Markdown page, those of what others published last."""
    reading = [READING if groups else EMPTY]
    reading += [READING_SITES] if any(view.group.track is Track.VARIABLE for view in groups) else []
    reading += [READING_FAMILIES] if any(view.group.track is Track.SAE for view in groups) else []
    parts = [
        "# mibench leaderboard",
        *reading,
        f"*Version {BOARD}, which code, rules and board share.*",
        *(view.memory.recall("markdown", partial(_section, view)) for view in groups),
    ]
    parts += [published_markdown(published)] if published else []
    return ("\n\n".join(parts) + "\n").encode()


def _flat(view: GroupView, row: RowView, names: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    entry = row.row
    texts = {"method": entry.method, "label": entry.label, "detail": entry.detail, "status": entry.status}
    texts |= {"seeds": " ".join(map(str, entry.seeds)), "reason": entry.reason}
    identity = view.group.key | {"group": view.group.id} | texts
    flat: dict[str, Any] = {
        name: sheet(plain(value, 400)) if isinstance(value, str) else value for name, value in identity.items()
    }
    flat |= {"origin": sheet(entry.origin)} if entry.origin else {}
    flat["cells"] = " ".join(record.cell.id for record in entry.records)
    for metric, rank in row.ranks.items():
        flat |= {
            f"rank.{metric}": rank.position,
            f"tie.{metric}": rank.group,
            f"why.{metric}": sheet(rank.why),
        }
    for name, parts in names.items():
        value = entry.metrics.get(name)
        cells = [None] * len(_PARTS) if value is None else [getattr(value, part) for part in _PARTS]
        flat |= {
            title: sheet(plain(cell, 400)) if isinstance(cell, str) else cell
            for title, cell in zip(parts, cells, strict=True)
        }
    if view.group.track is Track.SAE:
        flat |= {"board": entry.board} | _dictionaries(entry)
    if view.group.track is Track.VARIABLE:
        flat |= {"board": entry.board, "chosen_site": sheet(plain(", ".join(chosen_sites(entry)), 400))}
    return flat | {"at_floor": row.at_floor} | entry.costs


def _dictionaries(row: Row) -> dict[str, Any]:
    """What the dictionaries of a row are, one a seed."""
    found = [record.dictionary for record in row.records if record.dictionary is not None]
    first = found[0].model_dump(mode="json") if found else {}
    shared = {name: first.get(name) for name in ("architecture", "transcoder", "d_in", "d_sae", "train_tokens")}
    return shared | {"dictionaries": " ".join(one.sha256 for one in found)}


def _section(view: GroupView) -> str:
    import pandas as pd

    lines = [f"## {markdown(view.group.title)}", markdown(" · ".join(view.facts) + ".")]
    lines += [f"> {markdown(note)}" for note in view.notes]
    lines += ["### Families", families_markdown(view.families), "### Single dictionaries"] if view.families else []
    headings = ["rank", "method", *(f"{head.title} {head.arrow}".strip() for head in view.heads)]
    headings += [column.title for column in COSTS]
    body = [_cells(row) for row in view.rows]
    body += [["", f"*{name}*", *values, *([""] * len(COSTS))] for name, values in _references(view)]
    table = pd.DataFrame(body, columns=headings).to_markdown(index=False, disable_numparse=True)
    lines += [table, *_reasons(view), f"*{notes.identity(view.group)}*"]
    return "\n\n".join(lines)


def _references(view: GroupView) -> list[tuple[str, list[str]]]:
    return [
        ("floor", [head.floor for head in view.heads]),
        ("ceiling", [head.ceiling for head in view.heads]),
        *([("told apart", resolves)] if any(resolves := [head.resolves for head in view.heads]) else []),
    ]


def _cells(row: RowView) -> list[str]:
    entry = row.row
    remarks = [entry.detail, *row.notes]
    remarks += ["at floor"] if row.at_floor else []
    remarks += [entry.status] if entry.status != "ok" else []
    name = f"{markdown(entry.method)} <sub>{markdown(' · '.join(filter(None, remarks)))}</sub>"
    return [str(row.rank), name, *map(_cell, row.cells), *(cost.text for cost in row.costs)]


def _cell(cell: CellView) -> str:
    rank = f" ({cell.rank})" if cell.rank and not cell.missing else ""
    return f"{cell.text}{rank} <sub>{cell.interval}</sub>" if cell.interval else cell.text + rank


def _reasons(view: GroupView) -> list[str]:
    """Say why rows have no rank, and numbers no value."""
    reasons = []
    for row in view.rows:
        said = [row.rank.why] if row.rank.position is None and view.families is None else []
        said += [row.row.reason] if view.families is not None and row.row.status != "ok" else []
        if row.row.status == "ok":
            gaps = zip(view.heads, row.cells, strict=True)
            said += [f"{head.title}: {cell.title}" for head, cell in gaps if cell.missing]
        if said:
            reasons.append(f"- {markdown(row.row.label)}: {markdown('; '.join(dict.fromkeys(said)))}")
    return ["\n".join(reasons)] if reasons else []
