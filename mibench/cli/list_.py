"""``mibench list``: what there is, without importing any of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from mibench.cli.report import DEFAULT_RECORDS, estimate, json_option, print_json, print_table

if TYPE_CHECKING:
    from mibench.core.registry import Component
    from mibench.models.catalogue import ModelSpec
    from mibench.models.known import KnownModel
    from mibench.records.record import RunRecord

Row = dict[str, Any]

HEADLINES = (
    "distance_absolute", "cmd", "cpr", "normalised_iia", "explained_variance_global", "ce_loss_score",
    "probe_accuracy_k5", "sae_top_5_test_accuracy", "disentangle_err", "disentanglement_score", "absorption",
    "mcc_decoder", "explained_variance",
)  # fmt: skip
"""The first of these that a record has speaks for it."""

_EXAMPLE = """Example:

\b
    mibench list
    mibench list methods --json
    mibench list records --records runs/first
"""


@click.command(epilog=_EXAMPLE)
@click.argument("kind", required=False, metavar="[tasks|models|methods|metrics|records]")
@click.option("--records", "folder", default=DEFAULT_RECORDS, show_default=True, help="Folder of records.")
@json_option
def command(kind: str | None, folder: str, *, as_json: bool) -> None:
    """List tasks, models, methods and metrics, or the records of a folder."""
    from mibench.core.names import unknown

    if kind is None:
        _print_all(as_json=as_json)
        return
    if kind not in {*KINDS, "records"}:
        raise unknown("kind", kind, [*KINDS, "records"])
    rows = _records(folder) if kind == "records" else KINDS[kind]()
    if as_json:
        print_json(rows)
    elif rows:
        print_table(_without_empty([_shown(row) for row in _folded(kind, rows)]))
    else:
        click.echo(f"There are no {kind}{' in ' + folder if kind == 'records' else ''} yet.")


def _print_all(*, as_json: bool) -> None:
    found = {kind: rows() for kind, rows in KINDS.items()}
    if as_json:
        print_json(found)
        return
    for kind, every in found.items():
        rows = _folded(kind, every)
        keys = ("name", "track", "description") if kind in {"tasks", "methods"} else ("name", "description")
        print_table([{key: row[key] for key in keys} for row in rows], kind)
    click.echo("More of each: mibench list KIND. Records: mibench list records --records DIR.")


def _folded(kind: str, rows: list[Row]) -> list[Row]:
    """The rows for people: of a program's counterfactual sets, the first alone."""
    if kind != "tasks":
        return rows
    from mibench.tasks.known.programs import program_names

    further = tuple(f"{name}-" for name in program_names())
    return [row for row in rows if not row["name"].startswith(further)]


def _shown(row: Row) -> Row:
    return {key: ", ".join(map(str, value)) if isinstance(value, list) else value for key, value in row.items()}


def _without_empty(rows: list[Row]) -> list[Row]:
    """The rows without columns in which none says anything."""
    kept = [name for name in rows[0] if any(row[name] != "" for row in rows)]
    return [{name: row[name] for name in kept} for row in rows]


def _components(kind: str, package: str = "") -> list[Component]:
    from mibench.core.registry import Registry

    return list(Registry(kind=kind, package=f"mibench.{package or f'{kind}s'}").components.values())


def _tasks() -> list[Row]:
    """Tasks of circuits, then tasks with a causal model; the same sentences may be in both."""
    keys = ("version", "track", "metric", "licence")
    circuits = [
        _row(one, keys) | {"variables": [], "notes": one.metadata.get("notes", "")} for one in _components("task")
    ]
    variables = [_variable_task(one) for one in _components("variable_task", "tasks")]
    return circuits + variables + [_dictionary_task(one) for one in _components("dictionary_task", "tasks")]


def _dictionary_task(one: Component) -> Row:
    row = _row(one, ("version", "licence")) | {"track": "sae", "metric": one.metadata.get("family", "")}
    return row | {"variables": [], "notes": one.metadata.get("notes", "")}


def _variable_task(one: Component) -> Row:
    row = _row(one, ("version", "licence")) | {"track": "variable", "metric": "iia"}
    return row | {"variables": list(one.metadata.get("variables", ())), "notes": one.metadata.get("notes", "")}


def _methods() -> list[Row]:
    rows = []
    for one in _components("method"):
        lists = {key: list(one.metadata.get(key, ())) for key in ("levels", "needs")}
        rows.append(_row(one, ("version", "track")) | lists)
    return rows


def _metrics() -> list[Row]:
    return [_row(one, ("version", "track")) | {"better": _direction(one)} for one in _components("metric")]


def _direction(metric: Component) -> str:
    better = metric.metadata.get("higher_is_better")
    return "neither" if better is None else "higher" if better else "lower"


def _row(component: Component, keys: tuple[str, ...]) -> Row:
    values = {key: component.metadata.get(key, "") for key in keys}
    return {"name": component.name, "description": component.doc} | values


def _models() -> list[Row]:
    from mibench.models.catalogue import CATALOGUE
    from mibench.models.known import known_models

    known = [_known_model(one) for one in known_models().values() if one.listed]
    return [*(_model(spec) for spec in CATALOGUE.values()), *known]


def _known_model(one: KnownModel) -> Row:
    told = f"planted: {one.name.split('-')[1]}; harder: -d1 to -d3" if one.origin == "planted" else one.note
    row = {"name": one.name, "description": told, "family": one.family, "licence": "Apache-2.0"}
    return row | dict.fromkeys(("params", "layers", "heads"), "")


def _model(spec: ModelSpec) -> Row:
    licence = f"{spec.licence}, gated" if spec.gated else spec.licence
    return {
        "name": spec.name,
        "description": spec.note or spec.hub_id,
        "family": spec.family,
        "params": f"{spec.n_params / 1e6:.0f} M",
        "layers": spec.n_layers,
        "heads": spec.n_heads,
        "licence": licence,
    }


KINDS: dict[str, Callable[[], list[Row]]] = {
    "tasks": _tasks,
    "models": _models,
    "methods": _methods,
    "metrics": _metrics,
}
"""What is listed without reading any record."""


def _records(folder: str) -> list[Row]:
    from mibench.cli.find import open_store

    return [_record(record) for record in open_store(folder).query()]


def _record(record: RunRecord) -> Row:
    from mibench.leaderboard.rows import place

    cell = record.cell
    return {
        "id": cell.id[:12],
        "task": cell.task.name,
        "variable": cell.variable.name if cell.variable else "",
        "hook": "" if cell.dictionary is None else place(cell.dictionary),
        "split": cell.task.split,
        "model": cell.model.name,
        "method": cell.method.name,
        "parameters": ", ".join(f"{name}={value}" for name, value in cell.method.params.items() if value is not None),
        "seed": "" if cell.method.seed is None else cell.method.seed,
        "level": cell.level.value if cell.level else "",
        "status": record.status,
        "headline": headline(record),
    }


def headline(record: RunRecord) -> str:
    """Return the one number that speaks for a record, or why there is none."""
    if record.problem is not None:
        return record.problem.what
    names = [name for name in (*HEADLINES, *record.metrics) if name in record.metrics]
    for name in names:
        metric = record.metrics[name]
        if metric.value is not None:
            return f"{name} {estimate(metric.value, metric.ci_low, metric.ci_high)}"
    return "-"
