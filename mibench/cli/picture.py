"""What the commands that draw share: options, where a picture goes, and writing it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mibench.cli.report import DEFAULT_RECORDS, json_option, plain, print_json
from mibench.core.errors import UsageError

if TYPE_CHECKING:
    from mibench.plots.style import Picture

Function = TypeVar("Function", bound=Callable[..., Any])

_SUFFIXES = (".svg", ".png")


def picture_options(name: str) -> Callable[[Function], Function]:
    """The options of every picture; ``name`` is that of its file."""
    options = [
        click.option("--records", "folder", default=DEFAULT_RECORDS, show_default=True, help="Folder to find ids in."),
        click.option("-o", "--out", default=f"{name}.svg", show_default=True, help="Picture: .svg or .png."),
        click.option("--overwrite", is_flag=True, help="Replace the picture if it is there."),
        click.option("--theme", type=click.Choice(["light", "dark"]), default="light", show_default=True, help="Page."),
        json_option,
    ]

    def add(function: Function) -> Function:
        for option in reversed(options):
            function = option(function)
        return function

    return add


def check_out(options: dict[str, Any], suffixes: tuple[str, ...] = _SUFFIXES) -> None:
    """Check where a file is to go before it is made.

    Args:
        options: ``out`` and ``overwrite`` are read.
        suffixes: Those that name a known format.

    Raises:
        UsageError: The suffix is none of them, the file exists, or its folder cannot be written to.
    """
    from mibench.core.files import check_folder, check_name, exists

    target = Path(options["out"])
    if target.suffix.lower() not in suffixes:
        why = f"The suffix '{target.suffix}' says no known format."
        raise UsageError(f"{target} cannot be written.", why=why, do=f"Use {' or '.join(suffixes)}.")
    check_name(target)
    if exists(target) and not options["overwrite"]:
        raise UsageError(f"{target} is not overwritten.", why="It exists.", do="Choose another name, or --overwrite.")
    check_folder(target.parent)


def write_picture(drawn: Picture, options: dict[str, Any], summary: dict[str, Any], words: str) -> None:
    """Write a picture in the format of its suffix, and say so in words or as JSON."""
    from mibench.core.files import atomic_write

    target = Path(options["out"])
    atomic_write(target, drawn.svg() if target.suffix.lower() == ".svg" else drawn.png())
    if options["as_json"]:
        print_json({"out": str(target)} | summary)
    else:
        click.echo(plain(f"{target}: {words}"))
