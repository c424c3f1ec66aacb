"""``mibench validate``: our curves beside published ones."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from mibench.cli.options import given
from mibench.cli.report import DEFAULT_RECORDS, json_option, number, plain, print_error, print_json, print_table

if TYPE_CHECKING:
    from mibench.runner.again.published import Published
    from mibench.runner.again.validate import Validated

_EXAMPLE = """Example:

\b
    mibench validate --against published
    mibench validate --against published --model ./gpt2 --data ./mib-ioi --device cuda
"""


@click.command(epilog=_EXAMPLE)
@click.option("--against", default="published", show_default=True, help="published (GPT-2 on MIB's IOI), or a file.")
@click.option("-m", "--model", help="Folder or hub/id@revision to take in place of the published model.")
@click.option("--data", help="Folder with the data set's files, to take in place of the hub.")
@click.option("--limit", type=int, help="Evaluate the first N examples; fewer than published differ by chance.")
@click.option("--deciding-only", is_flag=True, help="Leave out the rows that are only shown beside: most of the time.")
@click.option("--tolerance", type=click.FloatRange(min=0), help="Largest difference that passes.  [default: 0.02]")
@click.option("--device", help="Device of torch.  [default: cpu]")
@click.option("--batch-size", type=int, help="Pairs a batch.  [default: 20]")
@click.option("--batch-tokens", type=int, help="Tokens a batch; sets memory.")
@click.option("-o", "--out", help=f"Folder of the records.  [default: {DEFAULT_RECORDS}]")
@json_option
def command(
    *, against: str, data: str | None, tolerance: float | None, deciding_only: bool, as_json: bool, **options: Any
) -> None:
    """Compute curves that were published, and compare: exit status 0 if every point is within the tolerance.

    It needs the hub, or the model and the data set as folders, and writes records as a run does.
    """
    from mibench.cli.progress import Show
    from mibench.runner.again.published import read_published
    from mibench.runner.again.validate import data_from, validate

    published = read_published(against)
    allowed = published.tolerance if tolerance is None else tolerance
    with data_from(data, published.task), Show(silent=as_json) as show:
        found = validate(published, given(options), show, deciding_only=deciding_only)
    passed = all(one.passes(allowed) is not False for one in found)
    if as_json:
        print_json(_as_json(published, found, allowed) | {"passed": passed})
    else:
        _print(published, found, allowed)
        if options["limit"]:
            click.echo(f"note: only the first {options['limit']} examples were evaluated")
        click.echo(f"{'pass' if passed else 'FAIL'}: {published.model} on {published.task}, tolerance {allowed}")
    if not passed:
        sys.exit(1)


def _print(published: Published, found: list[Validated], tolerance: float) -> None:
    click.echo(f"published: {plain(published.source)}")
    for one in found:
        row = one.row
        print_table(_points(published, one), f"{row.method}, {row.level}, {published.ranking} ranking")
        click.echo(f"CPR: published {number(row.cpr)}, ours {number(_cpr(one))}")
        click.echo(_verdict(published, one, tolerance))
        if row.note:
            click.echo(f"note: {plain(row.note)}")
        if one.problem is not None:
            print_error(one.problem)


def _points(published: Published, one: Validated) -> list[dict[str, str]]:
    """One row a size, published and ours; ``-`` where there is none."""
    ours = {round(point.fraction, 9): point for point in one.points}
    rows = []
    for place, fraction in enumerate(published.fractions):
        point = ours.get(round(fraction, 9))
        rows.append(
            {
                "size": f"{fraction:.1%}",
                "published": number(one.row.faithfulness[place] if one.row.faithfulness else None, 2),
                "ours": number(point.value if point else None),
                "difference": f"{one.differences[place]:+.3f}" if one.differences else "-",
                "edges published": str(one.row.n_edges[place]) if one.row.n_edges else "-",
                "edges ours": str(point.n_edges) if point else "-",
            }
        )
    return rows


def _verdict(published: Published, one: Validated, tolerance: float) -> str:
    passes = one.passes(tolerance)
    word = {True: "pass", False: "FAIL", None: "shown beside, does not decide"}[passes]
    if one.worst is None:
        return f"{word}: there is nothing to compare"
    largest = abs(one.differences[one.worst])
    return f"{word}: largest difference {largest:.3f}, at {published.fractions[one.worst]:.1%} of the {one.row.level}s"


def _cpr(one: Validated) -> float | None:
    found = one.record.metrics.get("cpr") if one.record else None
    return found.value if found else None


def _as_json(published: Published, found: list[Validated], tolerance: float) -> dict[str, Any]:
    return {
        "source": published.source,
        "task": published.task,
        "model": published.model,
        "tolerance": tolerance,
        "fractions": published.fractions,
        "rows": [
            {
                "method": one.row.method,
                "level": one.row.level.value,
                "decides": one.row.decides,
                "published": one.row.model_dump(include={"faithfulness", "n_edges", "cpr"}),
                "ours": {
                    "faithfulness": [point.value for point in one.points],
                    "n_edges": [point.n_edges for point in one.points],
                    "cpr": _cpr(one),
                },
                "largest_difference": None if one.worst is None else abs(one.differences[one.worst]),
                "at": None if one.worst is None else published.fractions[one.worst],
                "passed": one.passes(tolerance),
                "problem": None if one.problem is None else one.problem.what,
                "record": one.record.cell.id if one.record else None,
            }
            for one in found
        ],
    }
