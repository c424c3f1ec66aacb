"""``mibench tasks causal``: the causal model of a task, and which counterfactual sets tell its variables apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from mibench.cli.report import json_option, print_json, print_table

if TYPE_CHECKING:
    from mibench.tasks.causal.identifiability import Separation

_EXAMPLE = """Example:

\b
    mibench tasks causal mcqa
"""


@click.command(epilog=_EXAMPLE)
@click.argument("task")
@click.option("--split", default="validation", show_default=True, help="Split.")
@click.option("--limit", type=click.IntRange(1), help="Only the first so many rows of each set.")
@json_option
def causal(task: str, split: str, limit: int | None, *, as_json: bool) -> None:
    """Print the causal model of TASK, its positions, and what its counterfactual sets tell apart.

    For each set and each pair of variables: the share of rows where interchanging the one gives another answer than
    interchanging the other. Against 'nothing' it is the share of rows whose answer changes at all.
    """
    from mibench.tasks.causal.identifiability import separations
    from mibench.tasks.variable_task import load_variable_task

    found = load_variable_task(task)
    shares = separations(found.causal, found.rows(split, limit), found.variables)
    if as_json:
        positions = [{"name": one.name, "oracle": one.oracle} for one in found.parts.positions]
        graph = found.causal.graph()
        print_json(
            {"task": found.name, "graph": graph, "positions": positions, "separations": list(map(asdict, shares))}
        )
        return
    click.echo(found.causal.graph())
    names = [f"{one.name}{' (reads the gold answer)' if one.oracle else ''}" for one in found.parts.positions]
    click.echo(f"variables: {', '.join(found.variables)}\npositions: {', '.join(names)}")
    print_table(_rows(shares), f"Share of rows with different answers, {split} split")


def _rows(shares: Sequence[Separation]) -> list[dict[str, Any]]:
    """One row a pair, one column a set."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for one in shares:
        row = rows.setdefault((one.first, one.second), {"variable": one.first, "against": one.second})
        row[one.set] = f"{one.share:.2f}"
    return list(rows.values())
