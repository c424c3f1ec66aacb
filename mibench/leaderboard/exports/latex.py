"""Tables for papers: LaTeX with booktabs, intervals, and the tie group of the best in bold."""

from __future__ import annotations

import re
import textwrap
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
    f"% Made by mibench leaderboard export, version {BOARD}.\n"
    "% Needs \\usepackage[T1]{fontenc} and \\usepackage{booktabs,graphicx,textcomp}.\n"
    "% Brackets: 95 % intervals. Bold: the tie group of the best. A table that is too wide is set smaller."
)
_FIT = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
_MOST_ROWS = 18
"""Rows of one float, which has to fit on a page."""
_WIDEST_NAME, _WIDEST_TITLE = 34, 14
"""Letters of a line."""
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
    body = list(_family_lines(families) if families else _lines(view))
    references = [] if families else [*_references(view)]
    parts = [body[start : start + _MOST_ROWS] for start in range(0, len(body), _MOST_ROWS)] or [[]]
    return "\n\n".join(_float(view, rows, references, (place, len(parts))) for place, rows in enumerate(parts, start=1))


def _float(view: GroupView, body: Sequence[str], references: Sequence[str], part: tuple[int, int]) -> str:
    """A table of some rows, and which part of how many it is."""
    titles = [_title(*each) for each in _heads(view)]
    place, of = part
    caption = f"{view.group.title}: {', '.join(view.facts)}{f' ({place} of {of})' if of > 1 else ''}."
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escaped(caption)}}}",
        rf"\label{{tab:{view.group.id}{f'-{place}' if place > 1 else ''}}}",
        _FIT,
        rf"\begin{{tabular}}{{l{'r' * len(titles)}}}",
        r"\toprule",
        _line(["Family" if view.families else "Method", *titles]),
        r"\midrule",
        *body,
        *([r"\midrule", *references] if references else []),
        r"\bottomrule",
        r"\end{tabular}}",
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
    return _stacked(f"{title} {arrow}".strip(), "r", _WIDEST_TITLE)


def _lines(view: GroupView) -> Iterator[str]:
    for row in view.rows:
        ranks = [_rank(row, column) for column in view.columns]
        ranks += [None] * (len(row.cells) - len(ranks))
        yield _line([_name(row), *(_cell(*each) for each in zip(row.cells, ranks, strict=True))])


def _family_lines(families: FamilyTable) -> Iterator[str]:
    for row in families.rows:
        yield _line(
            [
                _stacked(row.family.label, "l", _WIDEST_NAME),
                *(_cell(*each) for each in zip(row.cells, row.ranks, strict=True)),
            ]
        )


def _name(row: RowView) -> str:
    remark = "" if row.row.status == "ok" else f" ({row.row.status})"
    return _stacked(f"{row.row.label}{remark}", "l", _WIDEST_NAME)


def _stacked(text: str, side: str, longest: int) -> str:
    """Set a text in lines of at most so many letters."""
    words = textwrap.wrap(text, longest, break_on_hyphens=False, break_long_words=False)
    lines = [escaped(line) for line in words] or [""]
    return lines[0] if len(lines) == 1 else _stack(lines, side)


def _stack(lines: Sequence[str], side: str, at: str = "t") -> str:
    """Set lines above each other; braces keep what begins a line from being read as an option of the break."""
    return rf"\begin{{tabular}}[{at}]{{@{{}}{side}@{{}}}}" + r"\\{}".join(lines) + r"\end{tabular}"


def _rank(row: RowView, column: Column) -> Rank | None:
    return row.ranks.get(column.metric)


def _cell(cell: CellView, rank: Rank | None) -> str:
    if cell.missing:
        return "--"
    text = _number(cell.text)
    text = rf"\textbf{{{text}}}" if rank is not None and rank.position == 1 else text
    return _stack([text, rf"{{\scriptsize {_number(cell.interval)}}}"], "r") if cell.interval else text


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
