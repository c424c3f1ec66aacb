"""Jobs that go together, so that models, data and dictionaries are loaded or made as few times as possible."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from mibench.core.specs import Track
from mibench.runner.cells.controls import CEILING, FLOOR
from mibench.runner.plan import Job
from mibench.runner.settings import RunSettings

MOST = 100
"""Jobs of a unit, at most."""
_PER_WORKER = 4
"""Units a worker, about: fewer leave workers idle at the end, more cost starts of scheduled jobs."""


@dataclass(frozen=True)
class Unit:
    """Jobs that one worker does one after another.

    Attributes:
        jobs: Places in the plan.
        bundle: Which ground, or dictionary, they are of; bundles are numbered in the order in which they are done.
        first: Whether the other units of the bundle need its records.
    """

    jobs: tuple[int, ...]
    bundle: int
    first: bool = False


def units(jobs: Sequence[tuple[Job, RunSettings]], workers: int) -> list[Unit]:
    """Put the jobs of a plan into units, in the order in which they are to be done.

    A ground, that is a task on a model, is a bundle: its controls come first, since the records of the others take
    floors and ceilings from them. Of dictionaries a bundle is what is trained once: all tasks of one dictionary.
    Bundles that load the same model are neighbours.

    Args:
        jobs: The plan.
        workers: Workers at once.
    """
    grouped: dict[Hashable, dict[Hashable, list[int]]] = {}
    for place, (job, settings) in enumerate(jobs):
        grouped.setdefault(_loading(job, settings), {}).setdefault(_bundle(job, settings), []).append(place)
    bundles = [places for loaded in grouped.values() for places in loaded.values()]
    size = max(1, min(MOST, -(-len(jobs) // (_PER_WORKER * workers)))) if workers > 1 else MOST
    found = []
    for bundle, places in enumerate(bundles):
        controls = [place for place in places if _is_control(*jobs[place])]
        others = [place for place in places if place not in controls]
        found += [Unit(tuple(controls), bundle, first=True)] if controls else []
        whole = jobs[places[0]][0].track is Track.SAE
        step = len(places) if whole else size
        found += [Unit(tuple(others[at : at + step]), bundle) for at in range(0, len(others), step)]
    return found


def _loading(job: Job, settings: RunSettings) -> Hashable:
    return job.model, settings.dtype, settings.device, settings.attention


def _bundle(job: Job, settings: RunSettings) -> Hashable:
    if job.track is not Track.SAE:
        return job.task, job.variable, job.hook
    method = (job.method.name, job.method.code_digest, repr(sorted(job.params.items())), job.seed)
    return (*method, job.hook, settings.corpus, settings.context, settings.bos, settings.train_tokens)


def _is_control(job: Job, settings: RunSettings) -> bool:
    """Whether a job's record is a floor or ceiling of others, also where it was asked for by itself."""
    if job.track is not Track.CIRCUIT or job.method.code_digest is not None:
        return False
    seeds = {FLOOR: settings.floor_draws, CEILING: min(1, settings.floor_draws)}
    return (job.seed or 0) < seeds.get(job.method.name, 0)
