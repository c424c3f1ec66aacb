"""What a run would do: what each cell needs, whether it can be had here, and the jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from mibench.cli.outlook_text import job_columns, job_json, misfits, whole_json, whole_text
from mibench.cli.report import print_error, print_json, print_table
from mibench.core.amounts import duration, size
from mibench.core.errors import MibenchError
from mibench.core.specs import Track
from mibench.models.placement import device_problem
from mibench.runner.cells.controls import CEILING
from mibench.runner.dictionaries.checks import check_jobs
from mibench.runner.dictionaries.forecast import StoreForecast, forecasts
from mibench.runner.execute import check_names
from mibench.runner.forecasts.outlook import outlooks, whole
from mibench.runner.grounds import NO_MODEL
from mibench.runner.needs import Checks, Needs
from mibench.runner.plan import Job, plan_cells
from mibench.runner.settings import RunSettings
from mibench.runner.wanted import check_models


def show_plan(settings: RunSettings, *, as_json: bool) -> None:
    """Print what each cell needs, the jobs, and what they take; models are not fetched, data sets are.

    Raises:
        UsageError: The settings name something that does not exist.
    """
    check_names(settings)
    check_models(settings)
    checks, planned = Checks(), plan_cells(settings)
    check_jobs([job for job, _ in planned])
    jobs = [(job, checks.needs(job.task, job.model, own, job.track)) for job, own in planned]
    stores = forecasts([(job, own) for job, own in planned if job.track is Track.SAE])
    ahead = outlooks(planned, settings)
    total = whole(ahead, planned, settings)
    devices = device_problems([own for _, own in planned], settings)
    if as_json:
        rows = [
            _row(job) | _needs(needs) | job_json(one) | {"skip": _problem(needs)}
            for (job, needs), one in zip(jobs, ahead, strict=True)
        ]
        print_json(
            {"jobs": rows, "activations": [asdict(one) for one in stores], "total": whole_json(total)}
            | {"devices": [_said(error) for error in devices]}
        )
        return
    cells = list(dict.fromkeys(needs for job, needs in jobs if not job.control))
    n_cells = len({(job.variable, needs) for job, needs in jobs if not job.control})
    title = f"{n_cells} cells" if n_cells == len(cells) else f"{n_cells} cells, by task and model"
    print_table([_needs(needs) | {"here": "no" if needs.skip else "yes"} for needs in cells], title)
    print_table([_row(one.job) | job_columns(one) for one in ahead], f"{len(jobs)} jobs")
    if stores:
        print_table(
            [store_row(one, settings) for one in stores], "activations, each computed once for all dictionaries"
        )
        click.echo("Their time is that of computing activations alone.")
    for error, names in by_reason(cells).items():
        click.echo(f"{'would be skipped' if settings.cells else 'would fail'}: {', '.join(names)}")
        print_error(error)
    for error in devices:
        click.echo("would fail: every job on this device")
        print_error(error)
    for problem, count in misfits(ahead):
        click.echo(f"would not fit: {count} {'job' if count == 1 else 'jobs'}")
        print_error(problem)
    for sentence in whole_text(total):
        click.echo(sentence)
    click.echo("Of a model that is here, or can be had, the data was fetched; no model was.")


def by_reason(cells: list[Needs]) -> dict[MibenchError, list[str]]:
    """Why cells cannot run here, each reason once, with the cells."""
    found: dict[MibenchError, list[str]] = {}
    for needs in cells:
        if needs.skip is not None:
            known = next((one for one in found if (one.what, one.why) == (needs.skip.what, needs.skip.why)), needs.skip)
            found.setdefault(known, []).append(f"{needs.task} on {needs.model}")
    return found


def device_problems(runs: Sequence[RunSettings], settings: RunSettings) -> list[MibenchError]:
    """Why devices of a run cannot be used here, each once; those of a scheduler's workers are elsewhere."""
    if settings.executor not in {"serial", "process"}:
        return []
    names = settings.devices or [own.device for own in runs]
    found = (device_problem(name) for name in dict.fromkeys(names))
    return [error for error in found if error is not None]


def _row(job: Job) -> dict[str, Any]:
    return {
        "task": job.task,
        "variable": job.variable or "",
        **({"hook": _hook(job)} if job.track is Track.SAE else {}),
        "model": job.model,
        "method": job.method.name,
        "seed": job.seed,
        "parameters": ", ".join(f"{key}={value}" for key, value in job.params.items()),
        "why": _control(job) if job.control else "asked for",
    }


def _control(job: Job) -> str:
    return "ceiling" if job.method.name == CEILING else "floor"


def _hook(job: Job) -> str:
    return "" if job.model == NO_MODEL else job.hook or "half-way up"


def _needs(needs: Needs) -> dict[str, Any]:
    return {
        "task": needs.task,
        "model": needs.model,
        "weights": needs.weights,
        "dtype": needs.dtype,
        "attention": needs.attention,
        "processing": needs.processing,
        "examples": needs.examples,
        "training": needs.train,
        "batch": needs.batch_size,
    }


def store_row(one: StoreForecast, settings: RunSettings) -> dict[str, Any]:
    """A set of activations as a row of a table."""
    kept = "disk" if settings.storage == "disk" else "not kept"
    return {
        "model": one.model,
        "hook": one.hook or "half-way up",
        "text": one.text,
        "tokens": one.tokens,
        kept: "?" if one.bytes is None else size(one.bytes),
        "time here, roughly": "?" if one.hours is None else duration(3600 * one.hours),
    }


def _problem(needs: Needs) -> dict[str, str] | None:
    found = needs.skip
    return None if found is None else _said(found)


def _said(error: MibenchError) -> dict[str, str]:
    return {"what": error.what, "why": error.why, "do": error.do}
