"""``mibench pull``: fetch what a run needs, where there is a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mibench.cli.options import given
from mibench.cli.report import json_option, print_error, print_json, print_table
from mibench.core.errors import MibenchError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mibench.runner.settings import RunSettings
    from mibench.runner.wanted import Wanted

_EXAMPLE = """Example:

\b
    mibench pull mib_circuit --dry-run
    mibench pull mib_circuit --model gpt2 && HF_HUB_OFFLINE=1 mibench run mib_circuit --model gpt2
"""


@click.command(epilog=_EXAMPLE)
@click.argument("run_file", metavar="RUN.yaml")
@click.option("-m", "--model", multiple=True, help="Only for this model. Repeats.")
@click.option("-t", "--task", multiple=True, help="Only for this task. Repeats.")
@click.option("--dry-run", is_flag=True, help="List what would be fetched, and stop.")
@json_option
def command(run_file: str, *, dry_run: bool, as_json: bool, **options: Any) -> None:
    """Fetch every model, data set, dictionary and text that RUN.yaml needs, and compute nothing.

    They go to the caches that mibench run reads, at the revisions that it asks for, so that with HF_HUB_OFFLINE=1 it
    finds all of them on a machine without a network that shares these caches. What cannot be had is listed in the
    end, and the others are fetched nevertheless; the licence of a gated model is accepted on its page.
    """
    from mibench.runner.wanted import wanted

    items = wanted(_settings(run_file, options))
    rows = [_row(one) for one in items]
    if not dry_run:
        problems = _fetch_all(items, rows)
    else:
        problems = []
        _add_sizes(items, rows)
    if as_json:
        print_json({"items": rows})
    else:
        _show(rows, problems, dry_run=dry_run)
    if problems:
        click.get_current_context().exit(1)


def _settings(run_file: str, options: dict[str, Any]) -> RunSettings:
    from mibench.runner.settings import read_run_file, run_settings

    return run_settings(read_run_file(run_file) | given(options))


def _row(one: Wanted) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "name": one.name,
        "source": one.source,
        "revision": one.revision,
        "gated": one.gated,
        "licence_page": one.page if one.gated else None,
        "bytes": one.n_bytes,
        "estimated": False,
        "status": "here" if one.here else "wanted",
        "problem": None,
    }


def _add_sizes(items: Sequence[Wanted], rows: list[dict[str, Any]]) -> None:
    from mibench.runner.hub_answers import estimated_bytes, hub_bytes

    for one, row in zip(items, rows, strict=True):
        row["bytes"] = one.n_bytes if one.here else hub_bytes(one)
        if row["bytes"] is None and not one.here:
            row["bytes"] = estimated_bytes(one)
            row["estimated"] = row["bytes"] is not None


def _fetch_all(items: Sequence[Wanted], rows: list[dict[str, Any]]) -> list[MibenchError]:
    """Fetch one after another, and go on after a failure."""
    problems = []
    for number, (one, row) in enumerate(zip(items, rows, strict=True), start=1):
        click.echo(f"[{number}/{len(items)}] {one.kind} {one.name}, from {one.source} …", err=True)
        try:
            one.fetch(_say)
        except MibenchError as error:
            problems.append(error)
            row |= {"status": "failed", "problem": {"what": error.what, "why": error.why, "do": error.do}}
            row["licence_page"] = _page(one, error)
            click.echo(f"    failed: {error.what}", err=True)
        else:
            row["status"] = "here"
    return problems


def _page(one: Wanted, error: MibenchError) -> str | None:
    """Where a licence is to be accepted, for what says that it is gated, here or on the hub."""
    from huggingface_hub.errors import GatedRepoError

    told = isinstance(error.__cause__, GatedRepoError) or "gated" in error.why.lower()
    return one.page if one.gated or told else None


def _say(sentence: str) -> None:
    click.echo(f"    {sentence} …", err=True)


def _show(rows: list[dict[str, Any]], problems: Sequence[MibenchError], *, dry_run: bool) -> None:
    print_table(
        [
            {
                "kind": row["kind"],
                "name": row["name"],
                "source": row["source"],
                "revision": (row["revision"] or "")[:12],
                "size": _size(row),
                "status": row["status"],
            }
            for row in rows
        ],
        "what the run needs",
    )
    if any(row["estimated"] for row in rows):
        click.echo("Sizes with ~ are estimated, by parameters and their usual type: the hub did not say them.")
    for problem in problems:
        print_error(problem)
    _show_licences(rows)
    missing = sum(row["status"] != "here" for row in rows)
    if dry_run:
        click.echo(f"{missing} of {len(rows)} would be fetched; nothing was.")
    else:
        click.echo(
            f"{len(rows) - missing} of {len(rows)} are here." + (" The others could not be had." * bool(missing))
        )


def _size(row: dict[str, Any]) -> str:
    from mibench.core.amounts import size

    return "?" if row["bytes"] is None else f"{'~' if row['estimated'] else ''}{size(row['bytes'])}"


def _show_licences(rows: list[dict[str, Any]]) -> None:
    """The pages of gated models that are not here, and how to accept their licences."""
    pages = dict.fromkeys(row["licence_page"] for row in rows if row["licence_page"] and row["status"] != "here")
    if not pages:
        return
    click.echo("Gated models need a licence besides: accept it on each page, logged in, then run `hf auth login` here:")
    for page in pages:
        click.echo(f"    {page}")
