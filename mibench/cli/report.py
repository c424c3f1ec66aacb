"""What commands print: errors, tables and JSON."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from mibench.core.errors import MibenchError

Function = TypeVar("Function", bound=Callable[..., Any])

DEFAULT_RECORDS = "mibench-records"
"""Folder that records are written to and read from where the user names none."""

_WIDTH_OF_PIPES = 160
"""Columns of a table that no terminal limits."""


def json_option(function: Function) -> Function:
    """Add ``--json`` to a command, as the argument ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def print_error(error: MibenchError) -> None:
    """Print what happened, why, and what to do, on standard error, within one screen."""
    width = min(shutil.get_terminal_size((100, 24)).columns, 110)
    click.secho(f"error: {_clip(error.what)}", fg="red", err=True)
    for label, text in (("why", error.why), ("do", error.do)):
        lines = textwrap.wrap(_clip(text), width - 6) or [""]
        click.echo(f"{label + ':':5} " + "\n      ".join(lines), err=True)


def plain(text: str) -> str:
    """Return ``text`` with everything that steers a terminal made a space."""
    return "".join(char if char.isprintable() else " " for char in text)


def number(value: float | None, digits: int = 3) -> str:
    """Return a number to read; ``-`` where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def estimate(value: float | None, low: float | None, high: float | None) -> str:
    """Return a number with its interval, ``0.512 [0.480, 0.551]``."""
    return number(value) if low is None or high is None else f"{number(value)} [{low:.3f}, {high:.3f}]"


def _clip(text: str) -> str:
    printable = plain(text)
    return printable if len(printable) <= 1000 else printable[:1000] + " …"


def print_json(value: Any) -> None:
    """Print ``value`` as JSON for machines."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=str))


def print_table(rows: Sequence[Mapping[str, Any]], title: str = "") -> None:
    """Print rows as a table, columns in the order of the first row."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(plain(title)) if title else None, title_justify="left", header_style="bold")
    for name in rows[0] if rows else ():
        numeric = all(isinstance(row[name], int | float) or row[name] in {"", "-"} for row in rows)
        table.add_column(Text(plain(name)), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if cell is None else plain(str(cell))) for cell in row.values()))
    print_rich(table)


def print_rich(value: Any) -> None:
    """Print a table or panel of rich as wide as the terminal, or as a pipe allows."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else shutil.get_terminal_size((_WIDTH_OF_PIPES, 24)).columns
    console = Console(soft_wrap=False, markup=False, emoji=False, highlight=False, width=width)
    # Captured, because rich itself ends the program when a reader leaves early.
    with console.capture() as capture:
        console.print(value)
    click.echo(capture.get(), nl=False)
