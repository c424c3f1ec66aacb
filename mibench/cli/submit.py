"""``mibench submit``: write, check and pack a submission."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mibench.cli.model_folders import model_folder_option, named_folders
from mibench.cli.report import json_option, plain, print_json
from mibench.cli.submit_import import command as import_
from mibench.cli.submit_make import command as make
from mibench.cli.submit_report import check_new, format_option, print_report, print_reports, write_reports

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mibench.intake.check import Asked

_INIT = """Example:

\b
    mibench submit init results/ --team my-team --method my-method --task ioi --model gpt2
    mibench submit init --team my-team --method my-method
"""
_CHECK = """Example:

\b
    mibench submit check submissions/my-team__my-method@1
    mibench submit check submissions/my-team__my-method@1 --round round.json --smoke
    mibench submit check my-submission.zip --json
"""
_PACK = "Example: mibench submit pack submissions/my-team__my-method@1 -o my-submission.zip"
_CHANGED = "Example: mibench submit changed origin/main HEAD --format markdown"
_COMMENT = "Example: mibench submit comment report.json > comment.md"
_MOST_BYTES = 8 * 2**20
"""Of a report as JSON."""


@click.group()
def command() -> None:
    """Write, check and pack a submission: artifacts, and a manifest that says what they are for."""


command.add_command(import_)
command.add_command(make, "make")


def _check_options(function: Any) -> Any:
    own = click.option("--round", "rules_file", metavar="FILE", help="Rules of a shared task: its round.json.")
    tasks = click.option("--min-tasks", type=click.IntRange(1), help="Ask for so many tasks in each track.")
    models = click.option("--min-models", type=click.IntRange(1), help="Ask for so many models in each track.")
    fetch = click.option("--fetch", is_flag=True, help="Fetch artifacts that are on the hub, and read them too.")
    return own(model_folder_option(tasks(models(fetch(function)))))


def _smoke_options(function: Any) -> Any:
    code = click.option("--trust-code", is_flag=True, help="Take methods too, Python files; they are read, never run.")
    smoke = click.option("--smoke", is_flag=True, help="Score a few validation rows too, and warn of what looks wrong.")
    rows = click.option(
        "--smoke-rows", type=click.IntRange(2, 10), default=10, show_default=True, help="How many rows."
    )
    return code(smoke(rows(function)))


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
@_smoke_options
@click.option("--manifest-only", is_flag=True, help="Artifacts are sealed: check the manifest, and that none is there.")
@click.option("--sealed", "published", metavar="MANIFEST", help="The published manifest that this one has to equal.")
@format_option
@click.pass_context
def check(context: click.Context, /, path: str, *, form: str, as_json: bool, **options: Any) -> None:
    """Check a submission and say everything that is wrong with it; nothing in it is run."""
    from mibench.intake.check import check_submission

    report = check_submission(path, _asked(options))
    print_report(report, "json" if as_json else form)
    context.exit(0 if report.passed else 1)


@command.command(epilog=_PACK)
@click.argument("folder", metavar="FOLDER")
@click.option("-o", "--out", required=True, help="Archive: .zip.")
@_check_options
@_smoke_options
@json_option
@click.pass_context
def pack(context: click.Context, /, folder: str, *, out: str, as_json: bool, **options: Any) -> None:
    """Check a submission and pack it; equal folders give equal bytes."""
    from mibench.intake.pack import pack_submission

    report = pack_submission(folder, out, _asked(options))
    print_report(report, "json" if as_json else "text", wrote=out if report.passed else None)
    context.exit(0 if report.passed else 1)


@command.command(epilog=_CHANGED)
@click.argument("base", metavar="BASE")
@click.argument("head", metavar="HEAD")
@click.option("--repo", default=".", show_default=True, help="The git repository.")
@click.option("--report", "wanted", metavar="FILE", help="Write the reports as JSON too; the file must not be there.")
@_check_options
@format_option
@click.pass_context
def changed(context: click.Context, /, base: str, head: str, *, form: str, as_json: bool, **options: Any) -> None:
    """Check what HEAD adds to submissions/ of BASE: one new folder, manifest only. Nothing is checked out or run."""
    from mibench.intake.changed import check_changed

    wanted = options["wanted"]
    if wanted is not None:
        check_new(wanted)
    reports = check_changed(Path(options["repo"]), base, head, _asked(options))
    if wanted is not None:
        write_reports(reports, wanted)
    if reports or as_json or form != "text":
        print_reports(reports, "json" if as_json else form)
    else:
        click.echo("No submission is touched.")
    context.exit(0 if all(report.passed for report in reports) else 1)


@command.command(epilog=_COMMENT)
@click.argument("report", metavar="REPORT.json")
def comment(report: str) -> None:
    """Print markdown that is safe to post for a report that was printed as JSON by anyone."""
    import json

    from mibench.core.errors import DataError
    from mibench.core.files import read_text
    from mibench.intake.report_text import markdown, report_of

    try:
        values = json.loads(read_text(report, max_bytes=_MOST_BYTES))
    except (ValueError, RecursionError) as error:
        do = "Write it with --format json."
        raise DataError(f"{report[:200]} is no report of a check.", why="It is not JSON.", do=do) from error
    click.echo(markdown([report_of(one) for one in (values if isinstance(values, list) else [values])]), nl=False)


def _asked(options: Mapping[str, Any]) -> Asked:
    from mibench.intake.check import Asked
    from mibench.intake.round import read_round
    from mibench.intake.rules import Coverage, Rules

    own = None if options["rules_file"] is None else read_round(options["rules_file"])
    least = options["min_tasks"], options["min_models"]
    if own is not None and any(least):
        raise _wrong("--min-tasks and --min-models do not go with --round.", "The round says what it asks for.")
    sealed, published = options.get("manifest_only", False), options.get("published")
    smoke = options["smoke_rows"] if options.get("smoke") else None
    if sealed and smoke:
        raise _wrong("--smoke does not go with --manifest-only.", "Sealed artifacts cannot be scored.")
    code = options.get("trust_code", False)
    if sealed and code:
        raise _wrong("--trust-code does not go with --manifest-only.", "Code is handed in with its manifest.")
    asks = Coverage(least[0] or 1, least[1] or 1) if any(least) else None
    return Asked(
        rules=Rules(coverage=asks, code=code) if own is None else own.rules(),
        folders=named_folders(options["folders"]),
        fetch=options["fetch"],
        round=own,
        manifest_only=sealed,
        published=None if published is None else Path(published),
        smoke=smoke,
    )


def _wrong(what: str, why: str, do: str = "Leave one of them out.") -> Exception:
    from mibench.core.errors import UsageError

    return UsageError(what, why=why, do=do)
