"""What is wrong with the rules of a round beyond their form: names that nothing has, cells that come twice, times."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from mibench.core.errors import DataError
from mibench.core.files import exists, is_folder
from mibench.core.hook_points import HookPoint
from mibench.core.names import did_you_mean
from mibench.core.specs import Convention, Track
from mibench.intake.cells import TASKS
from mibench.intake.failures import Failure
from mibench.intake.manifest import FILL_IN
from mibench.intake.round import Board, CellGroup, RoundRules
from mibench.metrics.metric import METRICS
from mibench.models.catalogue import CATALOGUE, names_of
from mibench.models.known import known_models
from mibench.shared_task.cells import RoundCell, headline_column, numbered, parts_of
from mibench.shared_task.folder import RULES_FILE
from mibench.shared_task.rules import Private
from mibench.tasks.sae.dictionary_task import DICTIONARY_TASKS, is_generated
from mibench.tasks.variable_task import VARIABLE_TASKS, load_variable_task

_CORRECT = f"Correct it in {RULES_FILE}."


def rule_faults(rules: RoundRules, private: Private, now: datetime) -> list[Failure]:
    """Everything that is wrong with rules beyond their form; of what is not filled in nothing is said.

    Args:
        rules: The rules.
        private: What the organiser's machine knows.
        now: The time, with zone.
    """
    return [one for one in _all(rules, private, now) if FILL_IN not in one.what]


def _all(rules: RoundRules, private: Private, now: datetime) -> Iterator[Failure]:
    if rules.deadline <= now:
        why = f"It is {now.isoformat(timespec='seconds')}."
        yield _fault(f"The deadline {rules.deadline.isoformat()} has passed.", why, _CORRECT)
    yield from _place_faults(private)
    for index, group in enumerate(rules.cells):
        yield from _group_faults(f"cells[{index}]", group, private)
    yield from _twice(rules)
    for index, board in enumerate(rules.boards):
        yield from _board_faults(f"boards[{index}]", board, rules)


def _place_faults(private: Private) -> Iterator[Failure]:
    """Files and folders that are not there; text may be either."""
    for key, there, kind in (
        ("model_folders", is_folder, "folder"),
        ("texts", exists, "file or folder"),
        ("folders", is_folder, "folder"),
    ):
        for name, place in getattr(private, key).items():
            if not there(place):
                what = f"'private.{key}.{name[:80]}' names nothing that is here."
                yield _fault(what, f"There is no {kind} {str(place)[:200]}.", _CORRECT)
    for name, folder in private.model_folders.items():
        own = folder.resolve().name
        if own.casefold() not in names_of(name):
            what, why = f"The model '{name[:80]}' has another name than its folder.", f"That is called {own[:200]}."
            yield _fault(
                what, f"{why} Artifacts and records name it so.", f"Call it {own[:200]}, or rename the folder."
            )


def _target_faults(name: str, group: CellGroup) -> Iterator[Failure]:
    """Linear targets without heads: those of a submission would stand in for them."""
    tasks = [task for task in group.tasks if group.track is Track.VARIABLE and task in VARIABLE_TASKS.components]
    for task in tasks:
        parts = load_variable_task(task).parts
        for model in group.models:
            if parts.linear is not None and not (group.heads or parts.heads.get(model)):
                what = f"The task {task} needs a list of heads on {model}."
                why = f"{name} has none; its linear target is fitted by swapping them, and none is known of this model."
                yield _fault(what, why, f"Give them, such as heads: [7.3, 8.1], in {name}.")


def _group_faults(name: str, group: CellGroup, private: Private) -> Iterator[Failure]:
    known = TASKS[group.track].components
    for task in group.tasks:
        if task not in known:
            what = f"There is no task '{task}' in the track {group.track}."
            yield _fault(what, f"{name} names it.", did_you_mean(task, known))
    models = [*CATALOGUE, *known_models(), *private.model_folders]
    for model in group.models:
        if model not in models:
            do = f"{did_you_mean(model, models)} Or say where it is: --model-folder {model}=FOLDER."
            yield _fault(f"The model '{model}' is not known.", f"{name} names it.", do)
    yield from _target_faults(name, group)
    for key in ("tasks", "models", "variables", "hooks", "heads"):
        values = getattr(group, key)
        twice = next((one for one in values if values.count(one) > 1), None)
        if twice is not None:
            yield _fault(f"{name}.{key} names {twice} twice.", "Each is scored once.", "Remove one.")
    yield from _model_faults(name, group)
    yield from _part_faults(name, group)


def _model_faults(name: str, group: CellGroup) -> Iterator[Failure]:
    """Generated data have no model, everything else needs one."""
    if group.track is not Track.SAE:
        if not group.models:
            yield _fault(f"{name} names no model.", f"The track {group.track} needs one.", "Add it under models.")
        return
    generated = {task: is_generated(task) for task in group.tasks if task in DICTIONARY_TASKS.components}
    with_model = [task for task, own in generated.items() if not own]
    without = [task for task, own in generated.items() if own]
    if without and (group.models or group.hooks):
        why = f"The data of {without[0]} are generated: there is no model and no hook."
        yield _fault(f"{name} names a model or a hook for generated data.", why, "Put them in a group of their own.")
    if with_model and not group.models:
        yield _fault(f"{name} names no model.", f"{with_model[0]} needs one.", "Add it under models.")


def _part_faults(name: str, group: CellGroup) -> Iterator[Failure]:
    for task in group.tasks if group.track is Track.VARIABLE else ():
        component = VARIABLE_TASKS.components.get(task)
        own = list(component.metadata.get("variables", ())) if component else []
        for variable in group.variables:
            odd = [part for part in variable.split("+") if own and part not in own]
            if odd:
                what = f"The task {task} has no variable '{odd[0]}'."
                yield _fault(what, f"{name} names it.", did_you_mean(odd[0], own))
    for hook in group.hooks:
        try:
            for part in hook.split("->", 1):
                if HookPoint.parse(part).name != part:
                    what = f"'{hook}' is not written as manifests write it."
                    yield _fault(what, f"{name} names it.", f"Write {HookPoint.parse(part).name}.")
        except DataError as error:
            yield _fault(error.what, f"{name} names it. {error.why}", error.do)


def _twice(rules: RoundRules) -> Iterator[Failure]:
    """Cells that two groups have: which of them scores an artifact would be an accident."""
    first: dict[RoundCell, int] = {}
    told = set()
    for index, group in enumerate(rules.cells):
        for cell in dict.fromkeys(_own_cells(group)):
            other = first.setdefault(cell, index)
            if other != index and (other, index) not in told:
                told.add((other, index))
                what = f"cells[{other}] and cells[{index}] have the same cell."
                yield _fault(what, f"Both have {cell.title}.", "Remove it from one of them.")


def _own_cells(group: CellGroup) -> Iterator[RoundCell]:
    for task in group.tasks:
        for model in group.models or ("",):
            for part in parts_of(group, task):
                yield RoundCell(group.track, task, model, part)


def _board_faults(name: str, board: Board, rules: RoundRules) -> Iterator[Failure]:
    metric, column = board.headline, headline_column(board.track, board.headline)
    component = METRICS.components.get(column.declared or metric)
    if component is None:
        of_track = [one.name for one in METRICS.components.values() if one.metadata.get("track") == board.track]
        what = f"There is no metric '{metric}' in the track {board.track}."
        yield _fault(what, f"{name} is ranked by it.", did_you_mean(metric, of_track))
        return
    own = component.metadata.get("track", "circuit")
    numbers = numbered(board.track, metric)
    if own != board.track:
        what = f"The metric '{metric}' is of the track {own}, the board {board.name} of {board.track}."
        yield _fault(what, f"{name} is ranked by it.", "Choose one of its track; see mibench list metrics.")
    elif numbers:
        what = f"The metric '{metric}' carries a number."
        yield _fault(what, f"{name} is ranked by it.", f"Write it as records do, such as {numbers[0]}.")
    elif column.higher_is_better is None:
        why = f"{name} is ranked by it, and neither end of it is better."
        yield _fault(f"Nothing is ranked by '{metric}'.", why, "Choose one with a direction; see mibench list metrics.")
    elif "fails audit" in column.title:
        why = f"{name} is ranked by it: {column.title}."
        yield _fault(f"Nothing is ranked by '{metric}'.", why, "Choose another metric.")
    yield from _family_faults(name, board, rules)


def _family_faults(name: str, board: Board, rules: RoundRules) -> Iterator[Failure]:
    """One number has to be measured in all cells of a board, and tasks of the SAE track measure different ones."""
    if board.track is not Track.SAE:
        return
    tasks = [task for group in rules.cells if group.track is Track.SAE for task in group.tasks]
    known = DICTIONARY_TASKS.components
    families = {known[task].metadata.get("family"): task for task in tasks if task in known}
    if len(families) > 1:
        others = " and ".join(sorted(families.values()))
        why = f"{name} counts all cells of its track, and {others} measure other numbers."
        yield _fault(
            f"The board {board.name} has no number for all its cells.", why, "Keep tasks that measure the same."
        )
    if rules.scoring.convention is Convention.MIB:
        yield _fault("The SAE track has no convention mib.", "scoring.convention says mib.", _CORRECT)


def _fault(what: str, why: str, do: str) -> Failure:
    return Failure(what, why, do, RULES_FILE)
