"""Comparisons as tables, LaTeX, CSV and JSON."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from mibench.cli.comparison import Difference, Group, by_column, columns_of
from mibench.cli.report import estimate, plain, print_table
from mibench.cli.show import model_note

if TYPE_CHECKING:
    from mibench.metrics.circuit import MetricDifference
    from mibench.records.record import MetricValue

_TEX = {
    **{char: f"\\{char}" for char in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "−": "$-$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
}

_MINUS = re.compile(r"(?<![\w.-])-(?=\d)")
"""A hyphen that is a minus sign."""

Row = dict[str, str]


def print_tables(groups: Sequence[Group], columns: Sequence[str]) -> None:
    """Print every group as a table of methods and metrics, its differences as another."""
    for group in groups:
        print_table(method_rows(group, columns), group.title)
        rows = difference_rows(group, columns)
        if rows:
            print_table(rows, "Paired differences, 95 % intervals")
        for note in notes(group):
            click.echo(plain(note))
        click.echo()


def notes(group: Group) -> list[str]:
    """Return what has to be said below a group's numbers."""
    note = model_note(group.cell.model.name)
    return [*([f"Model: {note}."] if note else []), *group.failures]


def method_rows(group: Group, columns: Sequence[str]) -> list[Row]:
    """Return one row a method, one column a metric, with arrows towards the better end."""
    tables = {label: by_column(stored.record) for label, stored in group.methods.items()}
    columns = columns_of((stored.record for stored in group.methods.values()), columns)
    heads = {name: _head(name, [table[name] for table in tables.values() if name in table]) for name in columns}
    return [
        {"method": label} | {heads[name]: _cell(table.get(name)) for name in columns} for label, table in tables.items()
    ]


def _head(name: str, metrics: Sequence[MetricValue]) -> str:
    directions = {metric.higher_is_better for metric in metrics} - {None}
    return name if len(directions) != 1 else f"{name} {'↑' if directions == {True} else '↓'}"


def _cell(metric: MetricValue | None) -> str:
    return "-" if metric is None else estimate(metric.value, metric.ci_low, metric.ci_high)


def difference_rows(group: Group, columns: Sequence[str]) -> list[Row]:
    """Return one row a pair of methods, one column a metric: difference, interval and verdict."""
    measured = [one for one in group.differences if one.metrics]
    columns = columns_of((stored.record for stored in group.methods.values()), columns)
    paired = [name for name in columns if any(name in one.metrics for one in measured)]
    return [
        {"difference": f"{one.method} − {one.against}"} | {name: _difference(one.metrics.get(name)) for name in paired}
        for one in measured
    ]


def _difference(value: MetricDifference | None) -> str:
    if value is None or value.difference is None:
        return "-"
    return f"{estimate(value.difference, value.ci_low, value.ci_high)} {value.verdict or ''}".strip()


def latex(groups: Sequence[Group], columns: Sequence[str]) -> str:
    """Return one booktabs table a group, and one for its differences."""
    parts = ["% needs \\usepackage{booktabs}"]
    for group in groups:
        head = [f"% {plain(line)}" for line in (group.title, *notes(group))]
        tables = [_tabular(rows) for rows in (method_rows(group, columns), difference_rows(group, columns)) if rows]
        parts += ["\n".join([*head, *tables])]
    return "\n\n".join(parts)


def _tabular(rows: Sequence[Row]) -> str:
    lines = [
        f"\\begin{{tabular}}{{l{'r' * (len(rows[0]) - 1)}}}",
        "\\toprule",
        _tex_row(list(rows[0])),
        "\\midrule",
        *(_tex_row(list(row.values())) for row in rows),
        "\\bottomrule",
        "\\end{tabular}",
    ]
    return "\n".join(lines)


def _tex_row(cells: Sequence[str]) -> str:
    return " & ".join(_tex(cell) for cell in cells) + r" \\"


def _tex(text: str) -> str:
    signed = _MINUS.sub("−", plain(text))
    return "".join(_TEX.get(char, char) for char in signed)


def comma_separated(groups: Sequence[Group], columns: Sequence[str]) -> str:
    """Return one line a record and metric, and one a difference, all columns always there."""
    rows = [row for group in groups for row in _long_rows(group, columns)]
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue().rstrip("\n")


def _long_rows(group: Group, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    for label, stored in group.methods.items():
        found = by_column(stored.record)
        for name in columns:
            metric = found.get(name)
            value = (metric.value, metric.ci_low, metric.ci_high) if metric else (None, None, None)
            head = {"cell_id": stored.record.cell.id, "status": stored.record.status, "method": label}
            yield group.key | head | _numbers("", name, value)
    for one in group.differences:
        for name in columns:
            found_difference = one.metrics.get(name)
            if found_difference:
                triple = (found_difference.difference, found_difference.ci_low, found_difference.ci_high)
                head = {
                    "cell_id": group.methods[one.method].record.cell.id,
                    "status": "ok",
                    "method": one.method,
                }
                numbers = _numbers(one.against, name, triple) | {"verdict": found_difference.verdict}
                yield group.key | head | numbers


def _numbers(against: str, name: str, triple: tuple[float | None, ...]) -> dict[str, Any]:
    value, low, high = triple
    return {
        "minus": against,
        "metric": name,
        "value": value,
        "ci_low": low,
        "ci_high": high,
        "verdict": None,
    }


def as_json(groups: Sequence[Group], columns: Sequence[str]) -> list[dict[str, Any]]:
    """Return the groups as JSON values."""
    return [_group_json(group, columns) for group in groups]


def _group_json(group: Group, columns: Sequence[str]) -> dict[str, Any]:
    methods = []
    for label, stored in group.methods.items():
        found = by_column(stored.record)
        metrics = {name: found[name].model_dump(mode="json") for name in columns if name in found}
        cell_id = stored.record.cell.id
        methods.append({"method": label, "cell_id": cell_id, "status": stored.record.status, "metrics": metrics})
    differences = [_difference_json(one, columns) for one in group.differences]
    return group.key | {"methods": methods, "differences": differences, "notes": notes(group)}


def _difference_json(one: Difference, columns: Sequence[str]) -> dict[str, Any]:
    metrics = {name: asdict(one.metrics[name]) for name in columns if name in one.metrics}
    return {"method": one.method, "against": one.against, "problem": one.problem, "metrics": metrics}
