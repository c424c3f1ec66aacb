"""The stability of sparse dictionaries: which of their latents come back from another seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from mibench.cli.report import number, plain, print_json, print_table
from mibench.core.errors import UsageError

if TYPE_CHECKING:
    from mibench.records.record import MetricValue

_SEEDS = 2


def trains_dictionaries(options: Mapping[str, Any]) -> bool:
    """Whether the methods of a command train dictionaries."""
    from mibench.core.specs import Track
    from mibench.runner.plan import track_of
    from mibench.runner.sources import find_method

    return track_of([find_method(ref) for ref in options.get("method", ())]) is Track.SAE


def of_files(files: tuple[str, ...], options: Mapping[str, Any], *, as_json: bool) -> None:
    """Compare dictionary files.

    Raises:
        UsageError: Something else is given besides.
        MibenchError: A file cannot be used.
    """
    from mibench.runner.dictionaries.stability import stability_of_files

    if options:
        word = next(iter(options)).replace("_", "-")
        raise UsageError(f"--{word} says nothing of files.", why="They are compared as they are.", do="Leave it out.")
    found, notes = stability_of_files(files)
    _show(found, f"{len(files)} dictionaries", notes, as_json=as_json)


def of_seeds(options: dict[str, Any], seeds: int | None, resamples: int | None, *, as_json: bool) -> None:
    """Train one method from several seeds and compare what comes.

    Raises:
        UsageError: The settings do not fit, or name several.
        MibenchError: The model, the text or the method fails.
    """
    from mibench.cli.progress import Show
    from mibench.runner.dictionaries.stability import stability_of_seeds
    from mibench.runner.settings import run_settings

    if resamples is not None:
        why = "The text that dictionaries are trained on is not drawn anew."
        raise UsageError("--resamples is for circuits.", why=why, do="Use --seeds.")
    settings = run_settings(options)
    for name, values in (("task", settings.task), ("model", settings.model), ("method", settings.method)):
        if len(values) != 1:
            raise UsageError(f"stability takes one {name}.", why=f"{len(values)} are given.", do="Give one.")
    with Show(silent=as_json) as show:
        found = stability_of_seeds(settings, seeds or _SEEDS, show)
    _show(found, f"{settings.method[0]}: {seeds or _SEEDS} seeds", (), as_json=as_json)


def _show(found: Mapping[str, MetricValue], title: str, notes: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        print_json({name: value.model_dump(mode="json") for name, value in found.items()} | {"notes": list(notes)})
        return
    rows = [
        {"": name.replace("_", " "), "value": number(one.value), "random dictionaries": number(one.floor)}
        for name, one in found.items()
    ]
    print_table(rows, f"{title}, latents matched one to one, mean over pairs")
    click.echo("shared: cosine of .7 or more. The decoder correlation is that of each dictionary's own rows.")
    for note in notes:
        click.echo(f"note: {plain(note)}")
