"""Run one method and hand back its artifact, without scoring it."""

from __future__ import annotations

import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

from mibench.artifacts.dictionaries.dictionary import Dictionary
from mibench.artifacts.dictionaries.native import save_dictionary
from mibench.artifacts.featurizers.featurizers import Featurizers
from mibench.artifacts.featurizers.files import save_featurizers
from mibench.artifacts.featurizers.native import SUFFIX
from mibench.artifacts.files import FORMATS, save_scores
from mibench.core.errors import MibenchError, UsageError
from mibench.core.files import check_folder, check_name, exists, is_file
from mibench.core.specs import Track
from mibench.records.record import Cost
from mibench.runner.cells.identity import cell_of
from mibench.runner.cells.meter import Meter
from mibench.runner.cells.run import TRADES, unexpected
from mibench.runner.cells.work import CellRun
from mibench.runner.dictionaries.cell import recipe_of
from mibench.runner.dictionaries.checks import check_jobs
from mibench.runner.execute import Benches
from mibench.runner.grounds import check_places
from mibench.runner.observe import Observer
from mibench.runner.plan import Job, plan, track_of
from mibench.runner.settings import RunSettings
from mibench.runner.sources import find_method


def discover_one(settings: RunSettings, seed: int, observer: Observer) -> tuple[Any, Cost]:
    """Run the one method of ``settings`` on its one task and model.

    Args:
        settings: One task, one model, one method.
        seed: Seed, for a method that draws.
        observer: Told of every stage.

    Returns:
        The artifact, with the method's name and parameters, and what it took.

    Raises:
        UsageError: The settings name something that does not exist.
        MibenchError: The model, the data or the method fails.
    """
    settings, job = only_job(settings)
    if job.seed is not None:
        job = replace(job, seed=seed)
    observer.job(job.label, 1, 1)
    return discover(job, Benches(settings), settings, observer)


def only_job(settings: RunSettings) -> tuple[RunSettings, Job]:
    """The job of settings with one task, model and method, and the settings that show it the training split alone.

    Raises:
        UsageError: The settings name something that does not exist.
    """
    own: dict[str, object] = {"floor_draws": 0}
    if track_of([find_method(ref) for ref in settings.methods]) is not Track.SAE:
        own |= {"split": "train", "limit": settings.train_examples}
    settings = settings.model_copy(update=own)
    jobs = plan(settings)
    if jobs[0].track is Track.SAE:
        check_places(settings)
        check_jobs(jobs)
    variables = {job.variable: None for job in jobs}
    if len(variables) > 1:
        raise UsageError(
            "discover takes one variable.",
            why=f"{settings.task[0]} has {', '.join(map(str, variables))}.",
            do="Add --variable.",
        )
    return settings, jobs[0]


def discover(job: Job, benches: Benches, settings: RunSettings, observer: Observer) -> tuple[Any, Cost]:
    """Run a job's method; return the artifact and what it took.

    Raises:
        MibenchError: The model, the data or the method fails.
    """
    bench = benches.get(job.model)
    work = CellRun(cell_of(job, bench, settings), job, bench, settings, observer)
    with Meter() as meter:
        try:
            made = TRADES[job.track].make(work, meter)
        except MibenchError:
            raise
        except (Exception, SystemExit) as error:
            last = [frame for frame in traceback.extract_tb(error.__traceback__) if is_file(frame.filename)][-1]
            where = f"It came from {last.filename}, line {last.lineno}."
            raise unexpected(error, job.method.name, where) from error
    return made, _cost(work, meter)


def _cost(work: CellRun, meter: Meter) -> Cost:
    """What making an artifact took; of a dictionary that an earlier run began or kept, all of it."""
    now = meter.cost()
    if work.job.track is not Track.SAE:
        return now
    kept = work.bench.dictionaries.costs.get(recipe_of(work).key)
    return now if kept is None or kept.seconds < now.seconds else kept


def check_output(path: Path | str, settings: RunSettings | None = None, *, overwrite: bool) -> None:
    """Check where an artifact is to go before anything is computed.

    Args:
        path: Where to.
        settings: What makes it; None: circuit scores.
        overwrite: Whether a file that is there is replaced.

    Raises:
        UsageError: The suffix is of no known format, a file is there, or its folder is none.
    """
    target = Path(path)
    methods = [] if settings is None else [find_method(ref) for ref in settings.methods]
    known = list(FORMATS) if track_of(methods) is Track.CIRCUIT else [SUFFIX]
    if target.suffix.lower() not in known:
        raise UsageError(
            f"{target} cannot be written.",
            why=f"The suffix '{target.suffix}' says no known format.",
            do=f"Use {', '.join(known)}.",
        )
    check_name(target)
    if exists(target) and not overwrite:
        raise UsageError(f"{target} is not overwritten.", why="It exists.", do="Choose another name, or --overwrite.")
    check_folder(target.parent)


def save_artifact(found: Any, path: Path, *, overwrite: bool) -> None:
    """Write what a method made; the suffix says the format.

    Raises:
        MibenchError: It cannot be written.
    """
    if isinstance(found, Dictionary):
        save_dictionary(found, path, overwrite=overwrite)
    elif isinstance(found, Featurizers):
        save_featurizers(found, path, overwrite=overwrite)
    else:
        save_scores(found, path, overwrite=overwrite)
