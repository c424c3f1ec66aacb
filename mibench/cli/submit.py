"""``mibench submit``: write, check and pack a submission."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mibench.cli.report import json_option, plain, print_json

if TYPE_CHECKING:
    from mibench.intake.check import Asked
    from mibench.intake.failures import Failure, Report

_INIT = """Example:

\b
    mibench submit init results/ --team my-team --method my-method --task ioi --model gpt2
    mibench submit init --team my-team --method my-method
"""
_CHECK = """Example:

\b
    mibench submit check submissions/my-team__my-method@1
    mibench submit check my-submission.zip --json
"""
_PACK = "Example: mibench submit pack submissions/my-team__my-method@1 -o my-submission.zip"


@click.group()
def command() -> None:
    """Write, check and pack a submission: artifacts, and a manifest that says what they are for."""


def _check_options(function: Any) -> Any:
    folder = click.option(
        "--model-folder",
        "folders",
        multiple=True,
        metavar="NAME=FOLDER",
        help="A model that no list has, in transformers format. Repeats.",
    )
    tasks = click.option("--min-tasks", type=click.IntRange(1), default=1, help="Ask for so many tasks in each track.")
    models = click.option(
        "--min-models", type=click.IntRange(1), default=1, help="Ask for so many models in each track."
    )
    fetch = click.option("--fetch", is_flag=True, help="Fetch artifacts that are on the hub, and read them too.")
    return folder(tasks(models(fetch(function))))


@command.command(epilog=_INIT)
@click.argument("artifacts", required=False, metavar="[ARTIFACTS]")
@click.option("--team", required=True, help="Who hands in: ASCII letters, digits, - and dots.")
@click.option("--method", required=True, help="Name of the method, likewise.")
@click.option("--version", default="1", show_default=True, help="Version of the submission, likewise.")
@click.option("-t", "--task", "tasks", multiple=True, help="Task of artifacts that do not say theirs. Repeats.")
@click.option("-m", "--model", "models", multiple=True, help="Model, likewise. Repeats.")
@click.option("--author", help="Who is to be shown.")
@click.option("--contact", help="Where questions go.")
@click.option("--licence", help="Licence of the artifacts, such as CC-BY-4.0.")
@click.option("--description", help="The method in one line.")
@click.option("--paper", help="Page of the paper.")
@click.option("--code", help="Page of the code.")
@click.option("-o", "--out", default="submissions", show_default=True, help="Folder of submissions.")
@json_option
def init(artifacts: str | None, *, out: str, as_json: bool, **given: Any) -> None:
    """Make a submission's folder with a manifest to fill in, and copies of ARTIFACTS: a file, or a folder of them."""
    from mibench.intake.template import Wish, write_template

    facts = {key: given[key] for key in ("contact", "licence", "description", "paper", "code")}
    names = {key: given[key] for key in ("team", "method", "version")}
    wish = Wish(**names, tasks=given["tasks"], models=given["models"], facts=facts | {"authors": given["author"]})
    folder = write_template(wish, None if artifacts is None else Path(artifacts), Path(out))
    if as_json:
        print_json({"folder": str(folder)})
        return
    click.echo(plain(f"Wrote {folder}/submission.yaml: fill it in, then mibench submit check {folder}"))


@command.command(epilog=_CHECK)
@click.argument("path", metavar="FOLDER|ARCHIVE")
@_check_options
@json_option
@click.pass_context
def check(context: click.Context, /, path: str, *, as_json: bool, **options: Any) -> None:
    """Check a submission and say everything that is wrong with it; nothing in it is run."""
    from mibench.intake.check import check_submission

    report = check_submission(path, _asked(**options))
    _print(report, as_json=as_json)
    context.exit(0 if report.passed else 1)


@command.command(epilog=_PACK)
@click.argument("folder", metavar="FOLDER")
@click.option("-o", "--out", required=True, help="Archive: .zip.")
@_check_options
@json_option
@click.pass_context
def pack(context: click.Context, /, folder: str, *, out: str, as_json: bool, **options: Any) -> None:
    """Check a submission and pack it; equal folders give equal bytes."""
    from mibench.intake.pack import pack_submission

    report = pack_submission(folder, out, _asked(**options))
    _print(report, as_json=as_json, wrote=out if report.passed else None)
    context.exit(0 if report.passed else 1)


def _asked(folders: tuple[str, ...], min_tasks: int, min_models: int, *, fetch: bool) -> Asked:
    from mibench.core.errors import UsageError
    from mibench.core.files import is_folder
    from mibench.intake.check import Asked
    from mibench.intake.rules import Coverage, Rules

    named = {}
    for text in folders:
        name, equals, folder = text.partition("=")
        if not (name and equals and is_folder(Path(folder).expanduser())):
            why = "It is not NAME=FOLDER, or there is no such folder."
            raise UsageError(f"--model-folder {text[:200]} cannot be used.", why=why, do="Correct it.")
        named[name] = Path(folder).expanduser()
    asks = min_tasks > 1 or min_models > 1
    return Asked(Rules(coverage=Coverage(min_tasks, min_models) if asks else None), named, fetch)


def _print(report: Report, *, as_json: bool, wrote: str | None = None) -> None:
    if as_json:
        print_json(_values(report) | ({"archive": wrote} if wrote else {}))
        return
    for number, one in enumerate(report.failures, start=1):
        _print_failure(number, one)
    for note in report.notes:
        click.echo(plain(f"note: {note}"))
    size = f"{report.n_files} files, {report.n_bytes / 1e6:.2f} MB, {report.n_read} artifacts read"
    if report.passed:
        click.echo(plain(f"{report.name}: passed; {size}." + (f" Wrote {wrote}." if wrote else "")))
    else:
        n = len(report.failures)
        click.echo(plain(f"{report.name}: {n} failure{'s' * (n != 1)}; {size}."))


def _print_failure(number: int, one: Failure) -> None:
    artifact = "" if one.index is None else f"artifacts[{one.index}]"
    place = ", ".join(filter(None, (one.file, artifact)))
    click.secho(plain(f"{number}. {one.what}{f' ({place})' if place else ''}"), fg="red")
    click.echo(plain(f"   why: {one.why}"))
    click.echo(plain(f"   do:  {one.do}"))


def _values(report: Report) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "name": report.name,
        "passed": report.passed,
        "failures": [asdict(one) for one in report.failures],
        "notes": list(report.notes),
        "files": report.n_files,
        "bytes": report.n_bytes,
        "read": report.n_read,
    }
