"""What scoring artifacts would do: the files, the tasks, and the activations that all share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from mibench.artifacts.dictionaries.checks import check_model
from mibench.artifacts.dictionaries.dictionary import Dictionary
from mibench.cli.dry_run import by_reason, store_row
from mibench.cli.report import plain, print_error, print_json, print_table
from mibench.core.errors import MibenchError
from mibench.core.files import is_folder
from mibench.core.hook_points import HookKind
from mibench.core.specs import Track
from mibench.methods.method import Method
from mibench.runner.dictionaries.forecast import StoreForecast, forecasts, model_size
from mibench.runner.execute import check_names
from mibench.runner.grounds import grounds
from mibench.runner.handed_in.dictionaries import check_model_name, hook_of, is_for, read_dictionary
from mibench.runner.handed_in.featurizers import Whose
from mibench.runner.handed_in.reading import asks_for_dictionaries
from mibench.runner.handed_in.refs import PREFIX, artifact_paths
from mibench.runner.needs import Checks, Needs
from mibench.runner.plan import Job
from mibench.runner.settings import RunSettings
from mibench.tasks.sae.dictionary_task import is_generated


def show_artifact_plan(refs: Sequence[str], settings: RunSettings, *, as_json: bool) -> None:
    """Print which artifacts would be scored on what; nothing of the hub is fetched.

    Raises:
        UsageError: The settings name something that does not exist.
    """
    dictionaries = asks_for_dictionaries(settings)
    track = Track.SAE if dictionaries else Track.CIRCUIT
    check_names(settings, track)
    looked = [_looked_at(ref, settings) for ref in refs] if dictionaries else []
    files = [one.row for one in looked] if dictionaries else [_file(ref) for ref in refs]
    hooks = {hook: None for one in looked for hook in one.hooks}
    needs, stores = _needs(settings, track), _stores(settings, list(hooks)) if dictionaries else []
    refused = [(name, error) for one in looked for name, error in one.refused]
    if as_json:
        tasks = [{"task": one.task, "model": one.model, "here": one.skip is None} for one in needs]
        told = [{"artifact": name, "what": error.what, "why": error.why, "do": error.do} for name, error in refused]
        stored = [asdict(one) for one in stores]
        print_json({"artifacts": files, "tasks": tasks, "activations": stored, "refused": told})
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
    for name, error in refused:
        click.echo(f"would be refused: {plain(name)}")
        print_error(error)


@dataclass(frozen=True)
class _LookedAt:
    """Dictionaries that a reference names: a row of the table, where they read, and which are refused."""

    row: dict[str, Any]
    hooks: tuple[str, ...] = ()
    refused: tuple[tuple[str, MibenchError], ...] = ()


def _looked_at(ref: str, settings: RunSettings) -> _LookedAt:
    """Read the files of a reference one by one, as scoring them would."""
    if ref.startswith(PREFIX):
        return _LookedAt({"artifact": ref, "files": "of the hub, not fetched", "hooks": "?", "refused": "?"})
    paths, hooks, refused = artifact_paths(ref), [], []
    for path in paths:
        try:
            found, _ = read_dictionary(path, Whose(), settings)
            _check_models(found, settings)
            hooks.append(hook_of(found))
        except MibenchError as error:
            refused.append((str(path), error))
    places = tuple(dict.fromkeys(hook for hook in hooks if hook is not None))
    row = {"artifact": ref, "files": len(paths), "hooks": ", ".join(places), "refused": len(refused)}
    return _LookedAt(row, places, tuple(refused))


def _loaded(model: str) -> str:
    """Name that a model has once it is loaded, which its dictionaries state."""
    return f"local:{Path(model).resolve().name}" if is_folder(model) else model


def _check_models(found: Dictionary, settings: RunSettings) -> None:
    """Check that a dictionary is for one of the models of the run, and as wide, as far as it can be told here.

    Raises:
        ArtifactError: It is for none of them.
    """
    if all(is_generated(task) for task in settings.task):
        for task in settings.task:
            check_model_name(found, "", task)
        return
    suited = [model for model in settings.model if is_for(found, _loaded(model))] or settings.model[:1]
    check_model_name(found, _loaded(suited[0]), "")
    size, kinds = model_size(suited[0]), {found.place.hook.kind, found.place.target.kind}
    if size is not None and HookKind.HEADS not in kinds:
        check_model(found, size.width, size.width)


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


def _stores(settings: RunSettings, hooks: Sequence[str]) -> list[StoreForecast]:
    """Activations at the places that the files name; where none of them could be read, at that of the settings."""
    stands_for = Method(lambda view: view, name="artifact", track=Track.SAE.value, needs=())
    jobs = [
        (Job(one.task, one.model, stands_for, {}, None, hook=hook), settings)
        for one in grounds(settings, Track.SAE)
        for hook in hooks or (one.hook,)
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
