"""``mibench run --tiny``: what is said before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from mibench.runner.settings import RunSettings

_SAID = "This is a tiny run: it shows whether everything works, and its numbers mean nothing."


def made_tiny(settings: RunSettings) -> RunSettings:
    """Return the settings of the small run, and say what it is.

    Raises:
        UsageError: A method or a task is not known.
    """
    from mibench.runner.tiny import left_out, tiny

    small, count = tiny(settings), left_out(settings)
    others = f" {count} cells on harder versions of the same models are left out." if count else ""
    click.echo(f"{_SAID} Its records go to {small.out}.{others}", err=True)
    return small


def end_tiny(settings: RunSettings, *, as_json: bool) -> None:
    """Say once more what the records are."""
    if not as_json:
        click.echo(f"{_SAID} Remove {settings.out} whenever you like.")
