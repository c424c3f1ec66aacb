"""``mibench compare``: methods side by side, and what the differences are worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mibench.cli.report import DEFAULT_RECORDS, json_option, print_json

if TYPE_CHECKING:
    from mibench.cli.comparison import Group

_EXAMPLE = """Example:

\b
    mibench compare runs/first runs/second
    mibench compare runs/first --against eap --metric cmd --metric cpr
    mibench compare runs/first --format latex > table.tex
"""


@click.command(epilog=_EXAMPLE)
@click.argument("folders", nargs=-1, metavar="[DIR…]")
@click.option("--against", "baseline", metavar="METHOD", help="Pair every other method with this one.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "latex", "csv", "json"]),
    default="table",
    show_default=True,
    help="What to print.",
)
@click.option("--metric", "metrics", multiple=True, help="Only this metric; may be repeated.")
@json_option
@click.pass_context
def command(context: click.Context, /, folders: tuple[str, ...], baseline: str | None, **rest: Any) -> None:
    """Compare the methods of record folders, one table a task, model and set of rules.

    DIR is a folder of records; the default is mibench-records.
    With --against, differences are measured on the same examples (paired bootstrap, 95 % intervals); a tie is
    a difference whose interval holds 0. Exit status 1: a pair could not be measured.
    """
    from mibench.cli.comparison import against, chosen, grouped
    from mibench.cli.find import all_records

    form = "json" if rest["as_json"] else rest["form"]
    found = all_records(folders or (DEFAULT_RECORDS,))
    columns = chosen(found, rest["metrics"], all_of_them=form in ("csv", "json"))
    groups = grouped(found, columns)
    if baseline is not None:
        groups = against(groups, baseline)
    _print(groups, columns, form)
    if any(one.problem for group in groups for one in group.differences):
        context.exit(1)


def _print(groups: list[Group], columns: list[str], form: str) -> None:
    from mibench.cli import comparison_formats as formats

    if form == "json":
        print_json(formats.as_json(groups, columns))
    elif not groups:
        click.echo("There are no records in these folders.", err=True)
    elif form == "table":
        formats.print_tables(groups, columns)
    else:
        write = formats.latex if form == "latex" else formats.comma_separated
        click.echo(write(groups, columns))
