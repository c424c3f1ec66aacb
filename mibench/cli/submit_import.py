"""``mibench submit import``: make a submission of MIB's layouts and of folders of dictionaries."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mibench.cli.model_folders import model_folder_option, named_folders
from mibench.cli.report import json_option, plain, print_json

if TYPE_CHECKING:
    from mibench.intake.imports.items import Answers, Item
    from mibench.intake.imports.run import Imported

_EXAMPLE = """Example:

\b
    mibench submit import my-circuits --team my-team --method my-method
    mibench submit import my-circuits.zip --team my-team --method my-method --model ioi_pythia=pythia-160m
    mibench submit import hub:ORG/NAME@COMMIT/FOLDER --team my-team --method my-method --dry-run
"""
_KEYS = ("task", "model", "level", "variable", "hook", "selection", "ranking")
_ONE = "VALUE, or FOLDER=VALUE for one. Repeats."
_SHOWN = 20


def _said_options(function: Any) -> Any:
    helps = {
        "task": f"Task of artifacts that do not say theirs: {_ONE}",
        "model": "Model, likewise.",
        "level": "edge, node or neuron, likewise.",
        "variable": "Causal variable of featurizers, likewise.",
        "hook": "Where dictionaries read, such as residual-post.L12, likewise.",
        "selection": "How circuits are chosen from scores: top-n, greedy, pnr, ilp or pnr+ilp, likewise.",
        "ranking": "Of nine circuits in one folder: signed, absolute or both, likewise.",
    }
    for key in reversed(_KEYS):
        function = click.option(f"--{key}", key, multiple=True, metavar="[FOLDER=]VALUE", help=helps[key])(function)
    return function


@click.command(name="import", epilog=_EXAMPLE)
@click.argument("source", metavar="SOURCE")
@click.option("--team", required=True, help="Who hands in: ASCII letters, digits, - and dots.")
@click.option("--method", required=True, help="Name of the method, likewise.")
@click.option("--version", default="1", show_default=True, help="Version of the submission, likewise.")
@_said_options
@click.option("--position-map", metavar="FILE", help="YAML: MIB's token positions, and the task's that they are.")
@model_folder_option
@click.option("--author", help="Who is to be shown.")
@click.option("--contact", help="Where questions go.")
@click.option("--licence", help="Licence of the artifacts, such as CC-BY-4.0.")
@click.option("--description", help="The method in one line.")
@click.option("--paper", help="Page of the paper.")
@click.option("--code", help="Page of the code.")
@click.option("-o", "--out", default="submissions", show_default=True, help="Folder of submissions.")
@click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
@json_option
@click.pass_context
def command(context: click.Context, /, source: str, *, as_json: bool, **given: Any) -> None:
    """Make a submission of SOURCE: a folder, an archive, or hub:ORG/NAME@COMMIT.

    Reads MIB's circuits (importances, nine circuits), its featurizers, and dictionaries of SAELens,
    dictionary_learning, sparsify and Gemma Scope. Says for each what it is for and how that is known; asks for an
    option where it is not, and then writes nothing. Nothing in SOURCE is run.
    """
    from mibench.intake.imports.run import Order, import_submission, to_json
    from mibench.intake.template import Wish

    facts = {key: given[key] for key in ("contact", "licence", "description", "paper", "code")}
    names = {key: given[key] for key in ("team", "method", "version")}
    wish = Wish(**names, facts=facts | {"authors": given["author"]})
    order = Order(source, wish, Path(given["out"]), _answers(given), named_folders(given["folders"]), given["dry_run"])
    done = import_submission(order)
    if as_json:
        print_json(to_json(done))
    else:
        _print(done, dry_run=given["dry_run"])
    context.exit(0 if done.passed else 1 if done.failures else 2)


def _answers(given: dict[str, Any]) -> Answers:
    from mibench.artifacts.formats.position_map import read_position_map
    from mibench.intake.imports.items import Answers

    positions = {} if given["position_map"] is None else read_position_map(given["position_map"])
    return Answers({key: given[key] for key in _KEYS}, positions)


def _print(done: Imported, *, dry_run: bool) -> None:
    for item in done.items:
        _print_item(item)
    ignored = list(done.ignored.items())
    for name, why in ignored[:_SHOWN]:
        click.echo(plain(f"ignored: {name}: {why}"))
    if len(ignored) > _SHOWN:
        click.echo(f"ignored: {len(ignored) - _SHOWN} more; --json has them all.")
    for number, one in enumerate(done.failures, start=1):
        click.secho(plain(f"{number}. {one.what}"), fg="red")
        click.echo(plain(f"   why: {one.why}"))
        click.echo(plain(f"   do:  {one.do}"))
    for question in done.questions:
        choices = f" Choices: {', '.join(question.choices[:_SHOWN])}." if question.choices else ""
        click.secho(plain(f"Say {question.flag} of {question.place}."), fg="yellow")
        click.echo(plain(f"   why: {question.why}{choices}"))
    click.echo(plain(_last(done, dry_run=dry_run)))


def _print_item(item: Item) -> None:
    click.echo(plain(f"{item.place} ({item.found.layout}, track {item.track.value})"))
    for key, said in item.said.items():
        click.echo(plain(f"  {key + ':':11} {said.value}  ({said.source})"))
    for note in item.notes[:_SHOWN]:
        click.echo(plain(f"  note: {note}"))
    if item.entry:
        click.echo(plain(f"  to:         {item.entry['file']}, {item.entry['bytes']} bytes"))


def _last(done: Imported, *, dry_run: bool) -> str:
    n = len(done.items)
    size = sum(item.entry.get("bytes", 0) for item in done.items) / 1e6
    counted = f"{n} artifact{'s' * (n != 1)}, {size:.2f} MB"
    if done.written:
        return f"Wrote {done.folder}: {counted}. Fill in submission.yaml, then mibench submit check {done.folder}"
    if not done.passed:
        return f"Nothing was written: {len(done.failures)} failures, {len(done.questions)} questions."
    return f"Would write {done.folder}: {counted}." if dry_run else f"Nothing was written to {done.folder}."
