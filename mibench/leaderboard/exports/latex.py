"""Tables for papers: LaTeX with booktabs, intervals, and the tie group of the best in bold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mibench.core.version import BOARD
from mibench.leaderboard.cells import MISSING, CellView
from mibench.leaderboard.columns import Column
from mibench.leaderboard.family_view import FamilyTable
from mibench.leaderboard.ranking import Rank
from mibench.leaderboard.view import GroupView, RowView

_ESCAPED = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "[": "{[}", "]": "{]}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}", "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}", "−": "$-$", "·": r"$\cdot$", "×": r"$\times$", "≥": r"$\geq$", "≤": r"$\leq$",
    "↑": r"$\uparrow$", "↓": r"$\downarrow$", "→": r"$\rightarrow$", "–": "--", "—": "---", "…": r"\dots{}",
}  # fmt: skip
_HEAD = (
    f"% Made by mibench leaderboard export, version {BOARD}. Needs \\usepackage{{booktabs,textcomp}} and T1 fonts.\n"
    "% Brackets: 95 % intervals. Bold: the tie group of the best."
)
_PLAIN = re.compile(r"[-+0-9.,eE\[\] ]*")


def latex_tables(groups: Sequence[GroupView]) -> bytes:
    """Return all tables, one after another."""
    return ("\n\n".join([_HEAD, *(_table(view) for view in groups)]) + "\n").encode()


def latex_files(groups: Sequence[GroupView]) -> dict[str, bytes]:
    """Return one file a table, by file name."""
    return {f"{view.group.id}.tex": latex_tables([view]) for view in groups}


def escaped(text: str) -> str:
    """Return ``text`` so that LaTeX sets it as it is; characters that its usual fonts lack become question marks."""
    return "".join(_ESCAPED.get(each, each if each.isascii() or "\xa1" <= each <= "\xff" else "?") for each in text)


def _table(view: GroupView) -> str:
    families = view.families
    titles = [_title(*each) for each in _heads(view)]
    body = list(_family_lines(families) if families else _lines(view))
    references = [] if families else [*_references(view)]
    caption = f"{view.group.title}: {', '.join(view.facts)}."
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escaped(caption)}}}",
        rf"\label{{tab:{view.group.id}}}",
        rf"\begin{{tabular}}{{l{'r' * len(titles)}}}",
        r"\toprule",
        _line(["Family" if families else "Method", *titles]),
        r"\midrule",
        *body,
        *([r"\midrule", *references] if references else []),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines)


def _heads(view: GroupView) -> list[tuple[str, str]]:
    if view.families:
        return [
            (column.title, arrow) for column, arrow in zip(view.families.columns, view.families.arrows, strict=True)
        ]
    return [(head.title, head.arrow) for head in view.heads]


def _title(title: str, arrow: str) -> str:
    return escaped(f"{title} {arrow}".strip())


def _lines(view: GroupView) -> Iterator[str]:
    for row in view.rows:
        ranks = [_rank(row, column) for column in view.columns]
        ranks += [None] * (len(row.cells) - len(ranks))
        yield _line([_name(row), *(_cell(*each) for each in zip(row.cells, ranks, strict=True))])


def _family_lines(families: FamilyTable) -> Iterator[str]:
    for row in families.rows:
        yield _line([escaped(row.family.label), *(_cell(*each) for each in zip(row.cells, row.ranks, strict=True))])


def _name(row: RowView) -> str:
    remark = "" if row.row.status == "ok" else f" ({row.row.status})"
    return escaped(f"{row.row.label}{remark}")


def _rank(row: RowView, column: Column) -> Rank | None:
    return row.ranks.get(column.metric)


def _cell(cell: CellView, rank: Rank | None) -> str:
    if cell.missing:
        return "--"
    text = _number(cell.text)
    text = rf"\textbf{{{text}}}" if rank is not None and rank.position == 1 else text
    return rf"{text} {{\scriptsize {_number(cell.interval)}}}" if cell.interval else text


def _number(text: str) -> str:
    """Set a number with a minus that is no hyphen; brackets are safe within a group."""
    return re.sub(r"(?<![0-9a-z])-(?=[0-9])", "$-$", text) if _PLAIN.fullmatch(text) else escaped(text)


def _references(view: GroupView) -> Iterator[str]:
    for name, values in (
        ("Floor", [head.floor for head in view.heads]),
        ("Ceiling", [head.ceiling for head in view.heads]),
        ("Told apart", [head.resolves for head in view.heads]),
    ):
        if any(value not in {"", MISSING} for value in values):
            yield _line(
                [rf"\emph{{{name}}}", *("--" if value in {"", MISSING} else _number(value) for value in values)]
            )


def _line(cells: Sequence[str]) -> str:
    return re.sub(r"\s+", " ", " & ".join(cells)) + r" \\"
