"""Convert featurizers: MIB's triplets to a file of mibench's, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mibench.cli.report import plain, print_json

if TYPE_CHECKING:
    from mibench.artifacts.featurizers.featurizers import Featurizers

_SHOWN = 12


@dataclass(frozen=True)
class Wish:
    """How featurizers are to be converted.

    Attributes:
        model: The model, where the source does not say it for certain.
        position_map: File of MIB's position ids and the task's positions.
        overwrite: Replace the target, if it is a file.
        as_json: Print JSON.
    """

    model: str | None
    position_map: str | None
    overwrite: bool
    as_json: bool


def holds_featurizers(source: str) -> bool:
    """Whether ``source`` is featurizers, of mibench or of MIB; only names and headers are read."""
    from mibench.artifacts.featurizers.native import is_native
    from mibench.artifacts.formats.mib_featurizers import is_triplets

    return is_native(Path(source)) or is_triplets(source)


@dataclass(frozen=True)
class _Converted:
    """What was converted, and what is to be said of it: sentences, and the same as JSON values."""

    featurizers: Featurizers
    lines: list[str]
    details: Mapping[str, Any]


def convert_featurizers(source: str, target: str, wish: Wish) -> None:
    """Convert ``source`` to ``target``, and say what was read and what was lost.

    Raises:
        UsageError: The target exists, or the model is not stated.
        ArtifactError: They cannot be converted.
    """
    from mibench.artifacts.featurizers.native import is_native

    done = _from_ours(source, target, wish) if is_native(Path(source)) else _from_mib(source, target, wish)
    if wish.as_json:
        print_json({"source": source, "target": target} | _summary(done.featurizers) | dict(done.details))
        return
    click.echo(f"Read {source}: {_words(done.featurizers)}.")
    for line in done.lines[:_SHOWN]:
        click.echo(f"  {plain(line)}")
    if len(done.lines) > _SHOWN:
        click.echo(f"  … and {len(done.lines) - _SHOWN} more; --json has them all.")
    click.echo(f"Wrote {target}.")


def _from_mib(source: str, target: str, wish: Wish) -> _Converted:
    from mibench.artifacts.featurizers.files import save_featurizers
    from mibench.artifacts.formats.mib_featurizers import import_triplets, task_of_triplets
    from mibench.artifacts.formats.position_map import check_positions

    known = _aliases(task_of_triplets(source))
    chosen = _position_map(wish)
    if known is not None:
        check_positions(chosen, known)
    done = import_triplets(source, model=wish.model, position_map=chosen, positions=known)
    save_featurizers(done.featurizers, target, overwrite=wish.overwrite)
    return _Converted(done.featurizers, done.report.words(), {"report": done.report.to_json()})


def _from_ours(source: str, target: str, wish: Wish) -> _Converted:
    from mibench.artifacts.featurizers.files import load_featurizers, save_featurizers
    from mibench.artifacts.featurizers.native import SUFFIX
    from mibench.artifacts.formats.mib_export import export_triplets
    from mibench.core.errors import UsageError

    found = load_featurizers(source)
    if wish.model not in {None, found.model}:
        why = f"They say that they are for {found.model}."
        raise UsageError(f"{source} is not for {wish.model}.", why=why, do="Leave --model out.")
    if Path(target).suffix.lower() == SUFFIX:
        save_featurizers(found, target, overwrite=wish.overwrite)
        return _Converted(found, [], {})
    done = export_triplets(found, target, position_map=_position_map(wish))
    details = {"folder": str(done.folder), "units": list(done.units), "notes": list(done.notes)}
    return _Converted(found, [f"Triplets are in {done.folder.name}.", *done.notes], details)


def _position_map(wish: Wish) -> dict[str, str | None]:
    if wish.position_map is None:
        return {}
    from mibench.artifacts.formats.position_map import read_position_map

    return read_position_map(wish.position_map)


def _aliases(task: str) -> dict[str, str] | None:
    """The task's positions by all their names; None where the task is not there."""
    from mibench.core.errors import UsageError
    from mibench.tasks.variable_task import load_variable_task

    try:
        return load_variable_task(task).position_names
    except UsageError:
        return None


def _words(found: Featurizers) -> str:
    sites = f"{len(found.sites)} site" + ("s" if len(found.sites) > 1 else "")
    return plain(f"featurizers of {found.variable} in {found.model} on {found.task}, {sites}")


def _summary(found: Featurizers) -> dict[str, Any]:
    return {
        "model": found.model,
        "task": found.task,
        "variable": found.variable,
        "sites": [one.site.name for one in found.sites],
        "n_parameters": found.n_parameters,
        "digest": found.digest,
    }
