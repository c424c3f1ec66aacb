"""MIB's featurizers: three files for each site; model, task and variable are in the folder's name."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from mibench.artifacts.featurizers.featurizers import Featurizers
from mibench.artifacts.featurizers.files import load_featurizers
from mibench.artifacts.formats.mib_featurizers import Imported, import_triplets
from mibench.artifacts.formats.mib_names import MODELS, TASKS, Cell, folders_in, is_cell, parse_file, parse_folder
from mibench.artifacts.formats.position_map import check_positions
from mibench.core.errors import ArtifactError, UsageError
from mibench.intake.imports.context import Context, sizes_of
from mibench.intake.imports.items import Item, Said, settle
from mibench.intake.imports.words import in_names
from mibench.tasks.variable_task import VARIABLE_TASKS, load_variable_task

_STAND_IN = Cell(next(iter(TASKS)), "UnnamedForCausalLM", "variable")
"""Names a copy of a folder that does not say what it is for."""
_ANY_MODEL = "not-stated"


def read(item: Item, context: Context) -> Featurizers | None:
    """Read a folder of triplets, and find out what they are for.

    Returns:
        The featurizers; None: something has to be asked before they can be read.

    Raises:
        ArtifactError: Nothing in it can be read.
        UsageError: The position map names a position that the task does not have.
    """
    folder = item.found.paths[0]
    cell = _cell(folder.name if item.place != "." else context.name)
    task, variable = _settle_cell(item, cell, context)
    known = None if task is None else _positions(task)
    if known is not None:
        check_positions(context.answers.positions, known)
    with _named(folder, cell, context) as place:
        left_out, some = _unmapped(item, place, known, context)
        mapped = context.answers.positions | dict.fromkeys(left_out)
        done = import_triplets(place, model=_first(cell), position_map=mapped, positions=known) if some else None
    model = _settle_model(item, cell, None if done is None else done.featurizers, context)
    if done is None:
        return None
    item.notes += _words(done, set(left_out))
    sites = done.featurizers.sites
    item.said["sites"] = Said(str(len(sites)), f"names of files, {sites[0].site.name} first")
    if task is None or variable is None or model is None:
        return None
    meta = {"source": {"format": "mib", "folder": folder.name}}
    return replace(done.featurizers, model=model, task=task, variable=variable, meta=meta)


def read_native(item: Item, context: Context) -> Featurizers:
    """Read a file of mibench's own, which says all of it.

    Raises:
        ArtifactError: It cannot be read.
    """
    found = load_featurizers(item.found.paths[0])
    for key in ("task", "model", "variable"):
        item.said[key] = Said(getattr(found, key), "its header")
        context.answers.agrees(key, getattr(found, key))
    return found


def _cell(name: str) -> Cell | None:
    """What a folder's name says; None: it is none of MIB's, or of a task that MIB does not have."""
    try:
        return parse_folder(name) if is_cell(name) else None
    except ArtifactError:
        return None


def _settle_cell(item: Item, cell: Cell | None, context: Context) -> tuple[str | None, str | None]:
    own_tasks = [Said(TASKS[cell.task], f"{cell.task} in the folder's name")] if cell else []
    why = "Its folder is not named TASK_MODEL_VARIABLE with a task of MIB's."
    task = settle(item, "task", context.answers, own_tasks, why)
    own = [Said(cell.variable, "the folder's name")] if cell else []
    variable = settle(item, "variable", context.answers, own, why)
    return task, variable


def _first(cell: Cell | None) -> str:
    """A model that fits the class in the name, to read with; which one it is is decided by what is read."""
    return next(iter(MODELS.get(cell.model, ())), _ANY_MODEL) if cell else _ANY_MODEL


def _unmapped(item: Item, place: Path, known: Mapping[str, str] | None, context: Context) -> tuple[list[str], bool]:
    """Ids of positions that nothing is known of, which are asked for; and whether there are others."""
    names = [path.name for one in (place, *folders_in(place)) for path in one.iterdir()]
    ids = sorted({found[0].token for name in names if (found := parse_file(name))})
    if known is None:
        return [], True
    left_out = [token for token in ids if token not in known and token not in context.answers.positions]
    if left_out:
        why = f"The task has no position called {', '.join(left_out)[:300]}."
        item.ask("--position-map", why, sorted(set(known.values())))
    return left_out, len(left_out) < len(ids)


def _settle_model(item: Item, cell: Cell | None, found: Featurizers | None, context: Context) -> str | None:
    if cell is None:
        own = [one for one in in_names(context.names(item), "model") if _fits(one.value, found, context)]
        why = "Its folder is not named TASK_MODEL_VARIABLE with a task of MIB's."
    else:
        can = MODELS.get(cell.model, ())
        agree = "" if found is None else "; its sizes agree"
        own = [Said(name, f"{cell.model} in the folder's name{agree}") for name in can]
        own = [one for one in own if _fits(one.value, found, context)]
        why = f"{cell.model} can be several, of the same sizes." if own else f"No known {cell.model} has its sizes."
    return settle(item, "model", context.answers, own, why)


def _fits(name: str, found: Featurizers | None, context: Context) -> bool:
    if found is None:
        return True
    size = sizes_of(name, context.folders)
    if size is None:
        return False
    try:
        found.check_model(size.d_model, size.head_dim, size.graph.n_layers, size.graph.n_heads)
    except ArtifactError:
        return False
    return True


def _positions(task: str) -> dict[str, str] | None:
    """The task's positions by all their names; None: there is no such task, which is said later."""
    if task not in VARIABLE_TASKS.components:
        return None
    try:
        return load_variable_task(task).position_names
    except UsageError:
        return None


@contextmanager
def _named(folder: Path, cell: Cell | None, context: Context) -> Iterator[Path]:
    """The folder itself, or a copy of its triplets under a name that says a cell."""
    if cell is not None and folder.name == cell.name:
        yield folder
        return
    with tempfile.TemporaryDirectory(dir=context.work) as place:
        copy = Path(place) / (cell or _STAND_IN).name
        copy.mkdir()
        for path in sorted(folder.iterdir()):
            if parse_file(path.name) and path.is_file() and not path.is_symlink():
                shutil.copyfile(path, copy / path.name)
        yield copy


def _words(done: Imported, asked: set[str]) -> list[str]:
    """What the import says, but for what is said elsewhere."""
    silent = ["Not run:"] + [f"Not read: {one.unit}:" for one in done.report.skipped if _token(one.unit) in asked]
    return [line for line in done.report.words() if not line.startswith(tuple(silent))]


def _token(unit: str) -> str:
    found = parse_file(f"{unit}_indices")
    return found[0].token if found else ""
