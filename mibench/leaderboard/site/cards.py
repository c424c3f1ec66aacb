"""Data cards as HTML: headings, paragraphs, lists, tables, quotes and code of Markdown, and nothing that acts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import escape

_HEADING = re.compile(r"(#{1,6}) +(.*)")
_ITEM = re.compile(r"\s*(?:[-*]|\d+\.) +(.*)")
_RULE = re.compile(r"\|[\s:|-]+\|?")
_FENCE = "```"


def card_html(text: str, below: int = 3) -> str:
    """Return a Markdown text as HTML; what it does not know stays as text.

    Args:
        text: Markdown.
        below: Level of its highest headings on the page.
    """
    return "\n".join(_block(lines, below) for lines in _blocks(text))


def _blocks(text: str) -> Iterator[list[str]]:
    """Yield lines that belong together: a heading, a fence, or what stands between empty lines."""
    block: list[str] = []
    fenced = False
    for line in text.splitlines():
        if line.startswith(_FENCE):
            fenced = not fenced
        alone = not fenced and (_HEADING.match(line) is not None or not line.strip())
        kind_changes = not fenced and bool(block) and _kind(line) != _kind(block[0]) and _starts(line)
        if (alone or kind_changes) and block:
            yield block
            block = []
        if _HEADING.match(line) and not fenced:
            yield [line]
        elif line.strip() or fenced:
            block.append(line)
    if block:
        yield block


def _kind(line: str) -> str:
    for kind, matches in (("table", "|"), ("quote", ">"), ("fence", _FENCE)):
        if line.startswith(matches):
            return kind
    return "list" if _ITEM.match(line) else "text"


def _starts(line: str) -> bool:
    """Whether a line begins something other than prose, which may go on in a list."""
    return _kind(line) in {"table", "quote", "list", "fence"}


def _block(lines: list[str], below: int) -> str:
    heading = _HEADING.match(lines[0])
    if heading:
        level = min(6, below + len(heading.group(1)) - 1)
        return f"<h{level}>{inline_html(heading.group(2))}</h{level}>"
    makers: dict[str, Callable[[list[str]], str]] = {"table": _table, "quote": _quote, "fence": _code, "list": _list}
    return makers.get(_kind(lines[0]), _paragraph)(lines)


def _paragraph(lines: list[str]) -> str:
    return f"<p>{inline_html(' '.join(line.strip() for line in lines))}</p>"


def _quote(lines: list[str]) -> str:
    return f"<blockquote>{inline_html(' '.join(line.lstrip('> ') for line in lines))}</blockquote>"


def _code(lines: list[str]) -> str:
    return f'<pre tabindex="0">{escape(chr(10).join(line for line in lines if not line.startswith(_FENCE)))}</pre>'


def _list(lines: list[str]) -> str:
    items: list[str] = []
    for line in lines:
        item = _ITEM.match(line)
        if item:
            items.append(item.group(1))
        else:
            items[-1] += f" {line.strip()}"
    return "<ul>" + "".join(f"<li>{inline_html(item)}</li>" for item in items) + "</ul>"


def _table(lines: list[str]) -> str:
    rows = [
        [cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines if not _RULE.fullmatch(line)
    ]
    if not rows:
        return ""  # a rule alone
    head = "".join(f'<th scope="col">{inline_html(cell)}</th>' for cell in rows[0])
    body = "".join("<tr>" + "".join(f"<td>{inline_html(cell)}</td>" for cell in row) + "</tr>" for row in rows[1:])
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="scroll" tabindex="0" role="group" aria-label="Table of the data card">{table}</div>'


def inline_html(text: str) -> str:
    """Return one line of Markdown as HTML: escape, then mark code, bold and emphasis; nothing inside code is marked."""
    parts = re.split(r"(``[^`]+``|`[^`]+`)", text)
    return "".join(f"<code>{escape(part.strip('`'))}</code>" if _is_code(part) else _marked(part) for part in parts)


def _is_code(part: str) -> bool:
    return len(part) > 2 and part.startswith("`") and part.endswith("`")


def _marked(text: str) -> str:
    shown = re.sub(r"\*\*([^*]+)\*\*", r"<b>\1</b>", escape(text))
    return re.sub(r"(?<![\w*])\*([^*\s][^*]*)\*(?![\w*])", r"<i>\1</i>", shown)
