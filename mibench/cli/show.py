"""``mibench show``: one record, for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from mibench.cli.report import (
    DEFAULT_RECORDS,
    estimate,
    json_option,
    number,
    plain,
    print_json,
    print_rich,
    print_table,
)

if TYPE_CHECKING:
    from mibench.core.specs import Cell
    from mibench.records.record import Cost, CurvePoint, MetricValue, RunRecord
    from mibench.records.saebench.read import Version

_EXAMPLE = """Example:

\b
    mibench show 3fa94c --records runs/first
    mibench show runs/first/circuit/ioi/gpt2/eap/3fa94c….json --json
    mibench show core/my-saes_layer_12_eval_results.json
"""


@click.command(epilog=_EXAMPLE)
@click.argument("records", nargs=-1, required=True, metavar="RECORD…")
@click.option("--records", "folder", default=DEFAULT_RECORDS, show_default=True, help="Folder to find ids in.")
@click.option(
    "--version",
    type=click.Choice(["saebench-0.3", "saebench-0.6", "mibench"]),
    help="Which SAEBench made a result file, where it does not tell.",
)
@json_option
def command(records: tuple[str, ...], folder: str, version: Version | None, *, as_json: bool) -> None:
    """Show records: numbers, intervals, curves, cost and provenance.

    RECORD is the path of a record, or the beginning of a cell id in the folder of --records; or a result file of
    SAEBench, which is shown as published by others.
    """
    from mibench.cli.find import find_record
    from mibench.cli.show_published import print_results, results_of
    from mibench.records.saebench.read import is_result

    if all(is_result(ref) for ref in records):
        print_results(results_of(records, version), as_json=as_json)
        return
    found = [find_record(ref, folder) for ref in records]
    if as_json:
        print_json([_as_json(record) for record in found])
        return
    for ref, record in zip(records, found, strict=True):
        _print(record)
        _print_map(record, ref, folder)


def model_note(name: str) -> str:
    """Return what must be said wherever numbers of a model are shown."""
    from mibench.models.known import note_of

    return note_of(name)


def _as_json(record: RunRecord) -> dict[str, Any]:
    head = {"cell_id": record.cell.id, "model_note": model_note(record.cell.model.name)}
    return head | record.model_dump(mode="json")


def _print(record: RunRecord) -> None:
    _print_panel(record.cell.id, record.status, _head(record))
    if record.metrics:
        print_table([_metric(name, value) for name, value in record.metrics.items()], "Metrics")
    for quantity, curves in _by_quantity(record.curves).items():
        print_table(_curve_rows(curves), f"Curves: {quantity}")
    _print_notes(record)


def _print_map(record: RunRecord, ref: str, folder: str) -> None:
    """Print where a causal variable was found, if the tables are at hand."""
    from mibench.core.errors import MibenchError
    from mibench.core.specs import Track

    if record.cell.track is not Track.VARIABLE or record.problem is not None:
        return
    from mibench.cli.drawable import site_tables, site_title
    from mibench.cli.site_text import print_map
    from mibench.metrics.bootstrap import Resampling
    from mibench.metrics.variable.maps import site_maps

    try:
        print_map(site_maps(site_tables(ref, folder)[1], Resampling()), site_title([record]))
    except MibenchError as error:
        click.echo(plain(f"No map: {error.what} {error.why}"))


def _print_panel(title: str, status: str, lines: dict[str, str]) -> None:
    from rich.panel import Panel
    from rich.text import Text

    width = max(map(len, lines))
    body = "\n".join(f"{label:{width}}  {plain(text)}" for label, text in lines.items())
    colour = {"ok": "green", "failed": "red"}.get(status, "yellow")
    print_rich(Panel(Text(body), title=Text(f"{title}  {status}"), border_style=colour, expand=False))


def _head(record: RunRecord) -> dict[str, str]:
    from mibench.cli.show_dictionary import facts_line, place_line

    lines = _cell(record.cell) | {
        "place": place_line(record.cell.dictionary),
        "dictionary": facts_line(record.dictionary),
    }
    if record.board is not None:
        lines["board"] = f"{record.board}: shown there, not ranked with the others"
    if record.looks_at_test is not None:
        lines["looks at test"] = str(record.looks_at_test)
    lines |= {"cost": _cost(record), "made": _provenance(record)}
    if record.problem is not None:
        problem = record.problem
        lines |= {"problem": problem.what, "why": problem.why, "do": problem.do}
    return {label: text for label, text in lines.items() if text}


def _cell(cell: Cell) -> dict[str, str]:
    task, model, method = cell.task, cell.model, cell.method
    examples = "all examples" if task.limit is None else f"the first {task.limit} examples"
    params = ", ".join(f"{key}={value}" for key, value in method.params.items())
    seed = "" if method.seed is None else f", seed {method.seed}"
    version = "" if method.version is None else f" v{method.version}"
    rules = [cell.track, cell.level, cell.ablation and f"{cell.ablation} ablation", f"BOS {cell.bos}"]
    return {
        "variable": _variable(cell),
        "task": f"{task.name} v{task.version}, {task.split}, {examples}",
        "model": f"{model.name}, {model.dtype}, {model.attention}",
        "model note": model_note(model.name),
        "method": f"{method.name}{version}{' (' + params + ')' if params else ''}{seed}",
        "rules": ", ".join(str(rule) for rule in [*rules, f"convention {cell.convention}"] if rule),
    }


def _variable(cell: Cell) -> str:
    where = cell.variable
    if where is None:
        return ""
    layers = "all layers" if where.layers is None else f"layers {', '.join(map(str, where.layers))}"
    heads = f", heads {', '.join(f'{layer}.{head}' for layer, head in where.heads)}" if where.heads else ""
    oracle = " (oracle: found by the gold answer)" if where.oracle else ""
    return f"{where.name}, {where.component} at {', '.join(where.positions)}{oracle}, {layers}{heads}"


def _cost(record: RunRecord) -> str:
    total, method = record.volatile.cost, record.volatile.discovery
    if total is None:
        return ""
    return _amount(total) + ("" if method is None else f"; the method by itself {_amount(method)}")


def _amount(cost: Cost) -> str:
    peak = "" if cost.peak_bytes is None else f", peak {cost.peak_bytes / 2**30:.2f} GiB"
    passes = f"{cost.forward_passes:g} forward and {cost.backward_passes:g} backward passes"
    return f"{cost.seconds:.1f} s{peak}, {passes}, {cost.examples} examples"


def _provenance(record: RunRecord) -> str:
    made = record.volatile.provenance
    if made is None:
        return ""
    commit = f" ({made.git_commit[:10]}{', changed' if made.git_dirty else ''})" if made.git_commit else ""
    packages = [f"{name} {made.packages[name]}" for name in ("torch", "transformers") if name in made.packages]
    device = made.device_name or made.cpu or made.device
    reused = f"; reused from {record.volatile.reused_from}" if record.volatile.reused_from else ""
    words = [f"mibench {made.mibench}{commit}", *packages, device, f"{made.created_at:%Y-%m-%d %H:%M} UTC"]
    return ", ".join(words) + reused


def _metric(name: str, metric: MetricValue) -> dict[str, Any]:
    better = {True: "higher", False: "lower", None: ""}[metric.higher_is_better]
    return {
        "metric": name,
        "value": estimate(metric.value, metric.ci_low, metric.ci_high),
        "floor": number(metric.floor),
        "ceiling": number(metric.ceiling),
        "better": better,
        "n": "" if metric.n is None else metric.n,
        "interval over": metric.ci_source or "",
        "note": metric.reason or metric.ci_reason or "",
    }


def _by_quantity(curves: dict[str, list[CurvePoint]]) -> dict[str, dict[str, list[CurvePoint]]]:
    """Curves by what they are of, then by ranking."""
    found: dict[str, dict[str, list[CurvePoint]]] = {}
    for name, points in curves.items():
        quantity, _, ranking = name.rpartition("_")
        found.setdefault(quantity.replace("_", " "), {})[ranking] = points
    return found


def _curve_rows(curves: dict[str, list[CurvePoint]]) -> list[dict[str, Any]]:
    fractions = sorted({point.fraction for points in curves.values() for point in points})
    by_name = {name: {point.fraction: point for point in points} for name, points in curves.items()}
    return [
        {"fraction": f"{fraction:g}"}
        | {key: text for name, points in by_name.items() for key, text in _point(name, points.get(fraction))}
        for fraction in fractions
    ]


def _point(name: str, point: CurvePoint | None) -> Iterator[tuple[str, Any]]:
    yield f"{name}: edges", "" if point is None else point.n_edges
    yield name, "" if point is None else estimate(point.value, point.ci_low, point.ci_high)


def _print_notes(record: RunRecord) -> None:
    if record.tables:
        click.echo("Tables: " + ", ".join(f"{name} ({ref.rows} rows)" for name, ref in record.tables.items()))
    if record.artifact is not None:
        click.echo(f"Artifact: {record.artifact.file}")
