"""What commands print: errors, tables and JSON."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import click

from mibench.core.errors import MibenchError


def print_error(error: MibenchError) -> None:
    """Print what happened, why, and what to do, on standard error, within one screen."""
    width = min(shutil.get_terminal_size((100, 24)).columns, 110)
    click.secho(f"error: {_clip(error.what)}", fg="red", err=True)
    for label, text in (("why", error.why), ("do", error.do)):
        lines = textwrap.wrap(_clip(text), width - 6) or [""]
        click.echo(f"{label + ':':5} " + "\n      ".join(lines), err=True)


def _clip(text: str) -> str:
    printable = "".join(char if char.isprintable() else " " for char in text)
    return printable if len(printable) <= 1000 else printable[:1000] + " …"


def print_json(value: Any) -> None:
    """Print ``value`` as JSON for machines."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=str))


def print_table(rows: Sequence[Mapping[str, Any]], title: str = "") -> None:
    """Print rows as a table, columns in the order of the first row."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title or None, title_justify="left", header_style="bold")
    for name in rows[0] if rows else ():
        numeric = all(isinstance(row[name], int | float) or row[name] in {"", "-"} for row in rows)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row.values()))
    Console(soft_wrap=False).print(table)
