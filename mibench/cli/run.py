"""``mibench run``: methods × tasks × models, scored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mibench.cli.options import (
    cell_options,
    given,
    method_options,
    model_options,
    score_options,
    site_options,
    sweep_options,
    task_options,
    text_options,
)
from mibench.cli.report import json_option
from mibench.core.errors import UsageError

if TYPE_CHECKING:
    from mibench.runner.execute import Report
    from mibench.runner.observe import Observer
    from mibench.runner.settings import RunSettings

_EXAMPLE = """Example:

\b
    mibench run --task ioi --method eap --method eap-ig-inputs --set steps=5 --limit 100
    mibench run --task ioi --method my.py:grad_norm --against eap,eap-ig-inputs
    mibench run runs/demo.yaml
    mibench run mib_circuit --model gpt2 --dry-run
"""


@click.command(epilog=_EXAMPLE)
@click.argument("run_file", required=False, metavar="[RUN.yaml]")
@task_options
@site_options
@text_options
@model_options
@cell_options
@method_options
@sweep_options
@click.option("--seeds", type=int, help="Seeds of methods that draw.  [default: 1]")
@score_options
@click.option("--dry-run", is_flag=True, help="List what each cell needs and takes and the jobs, and stop.")
@click.option(
    "--tiny",
    is_flag=True,
    default=None,
    help="Try every kind of cell in about a minute; its numbers mean nothing.  [default: False]",
)
@json_option
def command(run_file: str | None, *, dry_run: bool, as_json: bool, **options: Any) -> None:
    """Run methods on tasks and models, and score them.

    Lists give the product. Flags go over the keys of RUN.yaml, which have the same names, and over what its cells
    say; --task and --model choose among its cells; --set adds to set, --scheduler to scheduler. A cell with a good
    record is not run again; a killed run goes on where it stopped. Two runs on one folder share its cells. A cell of
    RUN.yaml whose model or data cannot be had here is skipped.
    """
    settings = _settings(run_file, options)
    if settings.tiny:
        from mibench.cli.tiny import made_tiny

        settings = made_tiny(settings)
    if dry_run and settings.artifact and not settings.methods:
        from mibench.cli.dry_run_artifacts import show_artifact_plan

        show_artifact_plan(settings.artifact, settings, as_json=as_json)
        return
    if dry_run:
        from mibench.cli.dry_run import show_plan

        show_plan(settings, as_json=as_json)
        return
    from mibench.cli.outcome import finish
    from mibench.cli.progress import Show

    with Show(silent=as_json) as show:
        report = _do(settings, show)
    if settings.tiny:
        from mibench.cli.tiny import end_tiny

        end_tiny(settings, as_json=as_json)
    finish(report, settings, as_json=as_json)


def _do(settings: RunSettings, observer: Observer) -> Report:
    if settings.artifact:
        from mibench.runner.handed_in.score import score_artifacts

        return score_artifacts(settings, observer)
    from mibench.runner.execute import run

    return run(settings, observer)


def _settings(run_file: str | None, options: dict[str, Any]) -> RunSettings:
    from mibench.runner.settings import read_run_file, run_settings

    values = {} if run_file is None else read_run_file(run_file)
    flags = given(options)
    for name in ("set", "scheduler"):
        if name in flags and isinstance(values.get(name), dict):
            flags[name] = values[name] | flags[name]
    if isinstance(values.get("cells"), list):
        values["cells"] = [_under(flags, cell) for cell in values["cells"]]
    settings = run_settings(values | flags)
    if not (settings.methods or settings.artifact):
        raise UsageError(
            "No method is given.", why="At least one is needed.", do="Add --method; see mibench list methods."
        )
    return settings


def _under(flags: dict[str, Any], cell: Any) -> Any:
    """A cell of a run file without what flags say otherwise, for it and for its single methods."""
    if not isinstance(cell, dict):
        return cell
    kept = {key: value for key, value in cell.items() if key in {"task", "model"} or _key(key) not in flags}
    if isinstance(kept.get("by_method"), dict):
        kept["by_method"] = {name: _under(flags, keys) for name, keys in kept["by_method"].items()}
    return kept


def _key(name: object) -> str:
    return str(name).replace("-", "_")
