"""What scoring artifacts would do: the files, the tasks, and the activations that all share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from mibench.cli.dry_run import by_reason, store_row
from mibench.cli.report import print_error, print_json, print_table
from mibench.core.specs import Track
from mibench.methods.method import Method
from mibench.runner.artifact_refs import PREFIX, artifact_paths
from mibench.runner.dictionary_forecast import StoreForecast, forecasts
from mibench.runner.execute import check_names
from mibench.runner.grounds import grounds
from mibench.runner.needs import Checks, Needs
from mibench.runner.plan import Job
from mibench.runner.settings import RunSettings
from mibench.tasks.sae.dictionary_task import DICTIONARY_TASKS


def show_artifact_plan(refs: Sequence[str], settings: RunSettings, *, as_json: bool) -> None:
    """Print which artifacts would be scored on what; nothing of the hub is fetched.

    Raises:
        UsageError: The settings name something that does not exist.
    """
    dictionaries = set(settings.task) <= set(DICTIONARY_TASKS.names())
    track = Track.SAE if dictionaries else Track.CIRCUIT
    check_names(settings, track)
    files = [_file(ref) for ref in refs]
    needs, stores = _needs(settings, track), _stores(settings) if dictionaries else []
    if as_json:
        tasks = [{"task": one.task, "model": one.model, "here": one.skip is None} for one in needs]
        print_json({"artifacts": files, "tasks": tasks, "activations": [asdict(one) for one in stores]})
        return
    print_table(files, "artifacts")
    print_table([_row(one) for one in needs], "tasks, with one model load and one pass for all artifacts")
    if stores:
        print_table(
            [store_row(one, settings) for one in stores], "activations, each computed once for all dictionaries"
        )
    for error, names in by_reason(needs).items():
        click.echo(f"would fail: {', '.join(names)}")
        print_error(error)


def _file(ref: str) -> dict[str, Any]:
    if ref.startswith(PREFIX):
        return {"artifact": ref, "files": "of the hub, not fetched"}
    found = artifact_paths(ref)
    return {"artifact": ref, "files": len(found)}


def _needs(settings: RunSettings, track: Track) -> list[Needs]:
    checks = Checks()
    places = [(one.task, one.model) for one in grounds(settings, track)] if track is Track.SAE else []
    places = places or [(task, model) for model in settings.model for task in settings.task]
    return [checks.needs(task, model, settings, track) for task, model in dict.fromkeys(places)]


def _stores(settings: RunSettings) -> list[StoreForecast]:
    stands_for = Method(lambda view: view, name="artifact", track=Track.SAE.value, needs=())
    jobs = [
        (Job(one.task, one.model, stands_for, {}, None, hook=one.hook), settings)
        for one in grounds(settings, Track.SAE)
    ]
    return forecasts(jobs)


def _row(needs: Needs) -> dict[str, Any]:
    return {
        "task": needs.task,
        "model": needs.model,
        "weights": needs.weights,
        "examples": needs.examples,
        "here": "no" if needs.skip else "yes",
    }
