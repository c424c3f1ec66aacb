"""From settings to jobs: which method, with which parameters and seed, on which task and model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mibench.core.errors import UsageError
from mibench.core.names import did_you_mean
from mibench.core.specs import Convention, Track
from mibench.methods.method import METHODS, Method
from mibench.models.known import truth_of
from mibench.runner.cells.controls import CEILING, FLOOR
from mibench.runner.grounds import Ground, grounds
from mibench.runner.settings import RunSettings
from mibench.runner.sources import find_method


@dataclass(frozen=True)
class Job:
    """One cell to be, before model and data are loaded; the settings that it runs under go beside it.

    Attributes:
        task: Reference of the task.
        model: Reference of the model.
        method: The method.
        params: All its parameters.
        seed: None: the method draws nothing.
        ref: What the user wrote for the method.
        control: The job is there to measure the floor or the ceiling of the others; nobody asked for it by itself.
        variable: The causal variable, in the variable track.
        hook: Where a dictionary reads, in the SAE track; None: the default of the model.
        variant: What tells it from the other variants of a sweep, in words.
    """

    task: str
    model: str
    method: Method
    params: Mapping[str, Any]
    seed: int | None
    ref: str = ""
    control: bool = False
    variable: str | None = None
    hook: str | None = None
    variant: str = ""

    @property
    def track(self) -> Track:
        """What kind of artifact the method hands in."""
        return Track(self.method.track)

    @property
    def label(self) -> str:
        """A short name for people."""
        seed = "" if self.seed is None else f" seed {self.seed}"
        variable = "" if self.variable is None else f" / {self.variable}"
        place = "" if self.hook is None else f" {self.hook}"
        variant = self.variant and f" {self.variant}"
        return f"{self.method.name}{variant}{seed} · {self.task}{variable} · {self.model}{place}"


def plan_cells(settings: RunSettings) -> list[tuple[Job, RunSettings]]:
    """List the jobs of a run cell by cell, each with the settings that it runs under.

    Without cells, all jobs run under ``settings`` itself.

    Raises:
        UsageError: As :func:`plan`, or a cell speaks of a method that there is not.
    """
    if not settings.cells:
        return [(job, settings) for job in plan(settings)]
    found: list[tuple[Job, RunSettings]] = []
    for cell in settings.chosen_cells:
        for name in cell.by_method:
            find_method(name)
        own = settings.of_cell(cell)
        for job in plan(own):
            keys = cell.by_method.get(job.ref)
            found.append((job, own if keys is None or job.control else own.of_method(keys)))
    return found


def plan(settings: RunSettings) -> list[Job]:
    """List the jobs of a product: the floor's first, then tasks × models × methods × seeds.

    Raises:
        UsageError: Unknown methods or parameters, a level that a method cannot score, or a foreign convention.
    """
    methods = [find_method(ref) for ref in settings.methods]
    track = track_of(methods)
    check_convention(settings.convention, track)
    for method in methods if track is Track.CIRCUIT else ():
        _check_level(method, settings)
    given, variants = _by_method(settings.set, methods), _variants(settings)
    kinds = [
        (ref, method, _params(method, {**values, **variant}, settings.convention), seed, _words(variant))
        for ref, method, values in zip(settings.methods, methods, given, strict=True)
        for variant in variants.get(ref, [{}])
        for seed in _seeds(method, settings.seeds)
    ]
    controls = _controls(settings) if track is Track.CIRCUIT else []
    jobs: dict[tuple[Any, ...], Job] = {}
    for ground in grounds(settings, track):
        for ref, method, params, seed, variant in (*_of_ground(controls, ground), *kinds):
            # A user's method may have the name of another one.
            key = (ground, method.name, method.code_digest, repr(sorted(params.items())), seed)
            job = _job(ground, method, params, seed, ref)
            jobs.setdefault(key, replace(job, variant=variant))
    return [replace(job, control=job.control and job.ref not in settings.methods) for job in jobs.values()]


def _job(ground: Ground, method: Method, params: Mapping[str, Any], seed: int | None, ref: str) -> Job:
    return Job(
        task=ground.task,
        model=ground.model,
        method=method,
        params=params,
        seed=seed,
        ref=ref,
        control=ref in {FLOOR, CEILING},
        variable=ground.variable,
        hook=ground.hook,
    )


def track_of(methods: Sequence[Method]) -> Track:
    """The one track of methods; circuit where there are none.

    Raises:
        UsageError: They hand in artifacts of several tracks.
    """
    tracks = {method.track: method.name for method in methods}
    if len(tracks) > 1:
        raise UsageError(
            "These methods cannot be run together.",
            why="; ".join(f"{name} is of the {track} track" for track, name in tracks.items()) + ".",
            do="Run the methods of each track by themselves.",
        )
    return Track(next(iter(tracks), Track.CIRCUIT))


def _words(variant: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in variant.items())


_Kind = tuple[str, Method, dict[str, Any], int | None, str]
"""What the user wrote, the method, its parameters, its seed, and what tells it from other variants."""


def _controls(settings: RunSettings) -> list[_Kind]:
    if not settings.floor_draws:
        return []
    draws: list[_Kind] = [(FLOOR, find_method(FLOOR), {}, seed, "") for seed in range(settings.floor_draws)]
    truth = find_method(CEILING)
    return [(CEILING, truth, truth.parameters({}), 0, ""), *draws]


def _of_ground(controls: Sequence[_Kind], ground: Ground) -> list[_Kind]:
    """The controls that a ground can have: there is a ceiling where the truth is known."""
    truth = truth_of(ground.model) if controls else None
    known = truth is not None and ground.task in truth.tasks
    return [kind for kind in controls if known or kind[0] != CEILING]


def _variants(settings: RunSettings) -> dict[str, list[dict[str, Any]]]:
    """Variants of the methods of this run.

    Raises:
        UsageError: The sweep speaks of a method that there is not.
    """
    for name in settings.sweep:
        find_method(name)
    return {name: variants for name, variants in settings.sweep.items() if variants}


def _seeds(method: Method, n: int) -> list[int | None]:
    return list(range(n)) if "randomness" in method.needs else [None]


def _params(method: Method, given: Mapping[str, Any], convention: Convention) -> dict[str, Any]:
    values = method.parameters(given)
    # A parameter of that name means something else in a user's method.
    built_in = method.code_digest is None
    if built_in and convention is Convention.MIB and "variant" in values and "variant" not in given:
        values = method.parameters({**given, "variant": "mib"})
    return values


def _by_method(given: Mapping[str, Any], methods: Sequence[Method]) -> list[dict[str, Any]]:
    """Give each method the parameters that it has; ``name.key`` is for one method, and goes over ``key``.

    A run file may say something of a method that is left out this time.
    """
    found: list[dict[str, Any]] = [{} for _ in methods]
    known = [list(method.known) for method in methods]
    for key, value in sorted(given.items(), key=lambda item: "." in item[0]):
        owner, _, name = key.rpartition(".")
        if owner in METHODS.components and owner not in {method.name for method in methods}:
            METHODS.load(owner).parameters({name: value})
            continue
        takers = [place for place, method in enumerate(methods) if name in known[place] and owner in {"", method.name}]
        if not takers:
            names = sorted({word for words in known for word in words})
            raise UsageError(
                f"No method here has the parameter '{key}'.",
                why="None of the methods of this run takes it.",
                do=did_you_mean(name, names) if names else "Leave it out.",
            )
        for place in takers:
            found[place][name] = value
    return found


_CONVENTIONS = {
    Track.CIRCUIT: (Convention.MIBENCH, Convention.MIB),
    Track.VARIABLE: (Convention.MIBENCH, Convention.MIB),
    Track.SAE: (Convention.MIBENCH, Convention.SAEBENCH),
}


def is_control(method: Method) -> bool:
    """Whether a method is the built-in one that sees the truth, not somebody's namesake."""
    return method.name == CEILING and method.code_digest is None


def check_convention(convention: Convention, track: Track) -> None:
    """Check that a track is scored under a convention.

    Raises:
        UsageError: The convention is about artifacts of another track.
    """
    known = _CONVENTIONS[track]
    if convention not in known:
        what = "is about sparse dictionaries" if convention is Convention.SAEBENCH else "says nothing of dictionaries"
        raise UsageError(
            f"The {track} track is not scored under the convention '{convention}'.",
            why=f"It {what}.",
            do=f"Use --convention {' or '.join(known)}.",
        )


def _check_level(method: Method, settings: RunSettings) -> None:
    if settings.level not in method.levels:
        raise UsageError(
            f"{method.name} does not score {settings.level}s.",
            why=f"It scores {', '.join(method.levels)}.",
            do=f"Use --level {method.levels[0]}, or another method.",
        )
