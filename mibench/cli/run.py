"""``mibench run``: methods × tasks × models, scored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mibench.cli.options import given, method_options, model_options, score_options, task_options
from mibench.cli.report import json_option
from mibench.core.errors import UsageError

if TYPE_CHECKING:
    from mibench.runner.settings import RunSettings

_EXAMPLE = """Example:

\b
    mibench run --task ioi --method eap --method eap-ig-inputs --set steps=5 --limit 100
    mibench run --task ioi --method my.py:grad_norm --against eap,eap-ig-inputs
    mibench run runs/demo.yaml
"""


@click.command(epilog=_EXAMPLE)
@click.argument("run_file", required=False, metavar="[RUN.yaml]")
@task_options
@model_options
@method_options
@click.option("--seeds", type=int, help="Seeds of methods that draw.  [default: 1]")
@score_options
@click.option("--dry-run", is_flag=True, help="List the jobs and stop.")
@json_option
def command(run_file: str | None, *, dry_run: bool, as_json: bool, **options: Any) -> None:
    """Run methods on tasks and models, and score them.

    Lists give the product. Flags go over the keys of RUN.yaml, which have the same names; --set adds to set. A cell
    with a good record is not run again; a killed run goes on where it stopped.
    """
    settings = _settings(run_file, options)
    if dry_run:
        _list_jobs(settings, as_json=as_json)
        return
    from mibench.cli.outcome import finish
    from mibench.cli.progress import Show
    from mibench.runner.execute import run

    with Show(silent=as_json) as show:
        report = run(settings, show)
    finish(report, settings, as_json=as_json)


def _settings(run_file: str | None, options: dict[str, Any]) -> RunSettings:
    from mibench.runner.settings import read_run_file, run_settings

    values = {} if run_file is None else read_run_file(run_file)
    flags = given(options)
    if isinstance(values.get("set"), dict) and "set" in flags:
        flags["set"] = values["set"] | flags["set"]
    settings = run_settings(values | flags)
    if not settings.methods:
        raise UsageError(
            "No method is given.", why="At least one is needed.", do="Add --method; see mibench list methods."
        )
    return settings


def _list_jobs(settings: RunSettings, *, as_json: bool) -> None:
    from mibench.cli.report import print_json, print_table
    from mibench.runner.execute import check_names
    from mibench.runner.plan import plan

    check_names(settings)
    rows = [
        {
            "task": job.task,
            "model": job.model,
            "method": job.method.name,
            "seed": job.seed,
            "parameters": ", ".join(f"{key}={value}" for key, value in job.params.items()),
            "why": "floor" if job.floor else "asked for",
        }
        for job in plan(settings)
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, f"{len(rows)} jobs")
