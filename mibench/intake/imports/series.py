"""Circuits of nine sizes: MIB's binary submissions, one set for both rankings or one for each."""

from __future__ import annotations

import tempfile
from pathlib import Path

from mibench.artifacts.files import load_scores
from mibench.artifacts.series import BUDGETS, CircuitSeries
from mibench.artifacts.series_folder import load_series
from mibench.core.errors import ArtifactError
from mibench.core.specs import Level, Ranking
from mibench.intake.imports.context import Context, settle_model, settle_task
from mibench.intake.imports.importances import budgets_of, note_seed, one_of
from mibench.intake.imports.items import Found, Item, Said
from mibench.intake.imports.words import in_names, key_of

BOTH = "both"
_SEVERAL = "or one of neurons"
"""What a reader says to do where circuits are of two levels."""
_FOLDERS = {Ranking.ABSOLUTE: "abs-true", Ranking.SIGNED: "abs-false"}


def is_ranking_folder(name: str) -> Ranking | None:
    """The ranking that a folder is for by its name, such as ``abs-true`` or ``abs_False``; None: it does not say."""
    words = name.lower()
    if "abs" not in words or ("true" in words) == ("false" in words):
        return None
    return Ranking.ABSOLUTE if "true" in words else Ranking.SIGNED


def grouped(circuits: dict[str, list[Path]]) -> list[Found]:
    """Tell files of scores from circuits of nine sizes, and put circuits for the two rankings together.

    Files of a folder whose names have other tasks, models, levels or seeds are each by themselves. Of others, nine are
    circuits of nine sizes if they say what is in them, and any number is if they rank nothing.

    Args:
        circuits: Files by their folder.
    """
    groups: dict[tuple[str, tuple[str, ...]], dict[Ranking | None, list[tuple[str, Path]]]] = {}
    for place, paths in sorted(circuits.items()):
        parts = place.split("/")
        at = next((number for number in reversed(range(len(parts))) if is_ranking_folder(parts[number])), None)
        ranking = None if at is None else is_ranking_folder(parts[at])
        base = place if at is None else "/".join(parts[:at] + parts[at + 1 :]) or "."
        for path in sorted(paths):
            rankings = groups.setdefault((base, key_of(path.name)), {})
            rankings.setdefault(ranking, []).append((place, path))
    return [one for (base, _), rankings in groups.items() for one in _found(base, rankings)]


def _found(base: str, rankings: dict[Ranking | None, list[tuple[str, Path]]]) -> list[Found]:
    singles, series = [], {}
    for ranking, files in rankings.items():
        paths = tuple(path for _, path in files)
        if len(paths) == 1 or not _are_circuits(paths):
            singles += [Found("importances", _file_place(place, path), (path,)) for place, path in files]
        elif ranking is None:
            singles.append(Found("nine circuits", base, paths))
        else:
            series[ranking] = paths
    if series:
        place = base if len(series) > 1 else next(files[0][0] for one, files in rankings.items() if one in series)
        singles.append(Found("nine circuits", place, (), series))
    return singles


def _file_place(place: str, path: Path) -> str:
    return path.name if place == "." else f"{place}/{path.name}"


def _are_circuits(paths: tuple[Path, ...]) -> bool:
    """Whether files say what is in a circuit, rather than how all is ranked; the first one tells."""
    nine = len(paths) == len(BUDGETS)
    try:
        found = load_scores(paths[0], binary=nine)
    except ArtifactError as error:
        # Files that rank nothing are circuits, whatever is wrong with them; nine may be of two levels.
        return not nine or _SEVERAL in error.do or not _ranks(paths[0])
    return found.binary and found.in_graph is not None and bool(found.in_graph.any())


def _ranks(path: Path) -> bool:
    try:
        load_scores(path)
    except ArtifactError:
        return False
    return True


def read(item: Item, context: Context) -> CircuitSeries | None:
    """Read nine circuits, or nine for each ranking, and find out what they are for.

    Returns:
        The circuits; None: it has to be asked which ranking they are for.

    Raises:
        ArtifactError: They are not nine different circuits of one model.
    """
    sets = dict(item.found.rankings) or _sets(item, context)
    told = context.answers.of("level", item.place) or one_of(in_names(context.names(item), "level"))
    try:
        series = _load(item, sets, told, context)
    except ArtifactError as error:
        if told is not None or _SEVERAL not in error.do:
            raise
        told = context.answers.all("level")
        if told is None:
            item.ask("--level", error.why, [Level.EDGE, Level.NEURON])
            return None
        series = _load(item, sets, told, context)
    item.said["level"] = told or Said(series.level.value, f"its circuits are of {series.level.value}s")
    context.answers.agrees("level", series.level.value)
    if item.found.rankings:
        names = [_FOLDERS[one] for one in sets]
        item.said["ranking"] = Said(" and ".join(sets), f"folders such as {' and '.join(names)}")
    settle_task(item, context)
    settle_model(item, series, context)
    item.said["budgets"] = budgets_of(series)
    item.notes += series.notes
    note_seed(item, context)
    return series


def _load(item: Item, sets: dict[Ranking, tuple[Path, ...]], level: Said | None, context: Context) -> CircuitSeries:
    with tempfile.TemporaryDirectory(dir=context.work) as place:
        _stage(Path(place), sets, item.found.paths)
        try:
            return load_series(place, level=None if level is None else Level(level.value))
        except ArtifactError as error:
            raise ArtifactError(error.what, why=error.why.replace(f"{place}/", ""), do=error.do) from error


def _sets(item: Item, context: Context) -> dict[Ranking, tuple[Path, ...]]:
    """Of nine circuits without a ranking in any name: the one that is said, none where they are for both."""
    said = context.answers.of("ranking", item.place) or context.answers.all("ranking")
    if said is None:
        why = "Nothing says whether its circuits are for the signed ranking (CPR), the absolute one (CMD), or both."
        item.ask("--ranking", why, [*Ranking, BOTH])
        return {}
    item.said["ranking"] = said
    return {} if said.value == BOTH else {Ranking(said.value): item.found.paths}


def _stage(place: Path, sets: dict[Ranking, tuple[Path, ...]], paths: tuple[Path, ...]) -> None:
    """Lay out links as circuits of nine sizes are read."""
    for ranking, files in sets.items():
        (place / _FOLDERS[ranking]).mkdir()
        for path in files:
            (place / _FOLDERS[ranking] / path.name).symlink_to(path)
    for path in () if sets else paths:
        (place / path.name).symlink_to(path)
