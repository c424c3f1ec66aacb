"""Convert dictionaries: any known format to another."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mibench.cli.report import plain, print_json

if TYPE_CHECKING:
    from mibench.artifacts.dictionaries.dictionary import Dictionary

FORMATS = ("native", "saelens", "dictionary-learning", "sparsify", "gemma-scope", "generic")
"""As in the artifacts, which are not imported for help."""


@dataclass(frozen=True)
class Wish:
    """How a dictionary is to be converted.

    Attributes:
        to: Format of the target.
        model: Its model, where the source does not say it.
        hook: Where it reads, likewise.
        overwrite: Replace the target, if it is a file.
        as_json: Print JSON.
    """

    to: str
    model: str | None
    hook: str | None
    overwrite: bool
    as_json: bool


def holds_dictionary(source: str) -> bool:
    """Whether ``source`` is a dictionary of a known format; only names and headers are read."""
    from mibench.artifacts.dictionary_files import is_dictionary

    return is_dictionary(Path(source))


def convert_dictionary(source: str, target: str, wish: Wish) -> None:
    """Convert ``source`` to ``target``, and say what was read.

    Raises:
        UsageError: The target exists.
        ArtifactError: It cannot be used, or the format cannot hold it.
    """
    from mibench.artifacts.dictionary_files import load_dictionary, save_dictionary_as
    from mibench.cli.places import place_text
    from mibench.tasks.sae.dictionary_task import is_generated

    found = load_dictionary(Path(source), model=wish.model, hook=wish.hook)
    save_dictionary_as(found, Path(target), wish.to, overwrite=wish.overwrite)
    if wish.as_json:
        print_json({"source": source, "target": target, "format": wish.to} | _summary(found))
        return
    model = f" of {found.place.model}" if found.place.model and not is_generated(found.place.model) else ""
    click.echo(
        plain(f"Read {source}: {found.architecture}, {found.d_sae} latents at {place_text(found.place)}{model}.")
    )
    for note in _notes(found):
        click.echo(f"  {plain(note)}")
    click.echo(f"Wrote {target} ({wish.to}).")


def _notes(found: Dictionary) -> list[str]:
    notes = found.meta.get("notes", ())
    return [str(note) for note in (notes if isinstance(notes, list | tuple) else [notes])]


def _summary(found: Dictionary) -> dict[str, Any]:
    return {
        "architecture": found.architecture,
        "activation": found.rule.activation,
        "model": found.place.model,
        "hook": found.place.hook.name,
        "output": found.place.target.name,
        "d_in": found.d_in,
        "d_sae": found.d_sae,
        "digest": found.digest,
        "notes": _notes(found),
    }
