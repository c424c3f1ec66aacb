"""What a cell of the variable track stands on: its rows, its sites, and how answers are read."""

from __future__ import annotations

from dataclasses import dataclass

from mibench.core.errors import DataError, UsageError
from mibench.core.sites import Component
from mibench.core.specs import Cell, MethodRef, TaskRef, Track, VariableDefaults, VariableRef
from mibench.engine.batches import MAX_TOKENS
from mibench.engine.interchange.options import InterchangeOptions
from mibench.runner.cells.workbench import Asked, Labelled, Workbench
from mibench.runner.plan import Job
from mibench.runner.settings import RunSettings
from mibench.tasks.causal.identifiability import check_separated
from mibench.tasks.positions import Position
from mibench.tasks.variable_parts import DEFAULT_SIZE
from mibench.tasks.variable_task import VariableTask
from mibench.tracks.interchange_rows import SolvedRows, solved
from mibench.tracks.site_groups import Size, groups_of

Heads = tuple[tuple[int, int], ...]

EVERYWHERE = "all"
"""Name of the selector that takes every token, where a task has it: what heads are replaced at."""


@dataclass(frozen=True)
class Parts:
    """Which splits a job uses: evaluated, to choose a site by, and what the method sees."""

    evaluated: str
    chosen_by: str
    train: bool
    validation: bool

    @property
    def all(self) -> tuple[str, ...]:
        """Splits that the numbers depend on besides the evaluated one."""
        wanted = {self.chosen_by, *(["train"] if self.train else []), *(["validation"] if self.validation else [])}
        seen = {"validation"} if self.validation else set()
        return tuple(sorted((wanted - {self.evaluated}) | seen))


def parts_of(job: Job, settings: RunSettings, task: VariableTask) -> Parts:
    """The splits of a job; the site is chosen on validation where test is scored, on train where validation is."""
    return Parts(
        evaluated=settings.split,
        chosen_by="train" if settings.split == "validation" else "validation",
        train="train" in job.method.needs or task.parts.linear is not None,
        validation="validation" in job.method.needs,
    )


def labelled(job: Job, bench: Workbench, settings: RunSettings, split: str) -> Labelled:
    """The rows of a split, labelled for the job's variable."""
    limit = settings.limit if split == settings.split else settings.train_examples
    names = [position.name for position in positions_of(settings, bench.variable_task(job.task))]
    if bench.variable_task(job.task).parts.linear is not None and EVERYWHERE not in names:
        names.append(EVERYWHERE)  # the target is fitted there
    return bench.labelled(job.task, split, limit, Asked(job.variable or "", tuple(names)))


def solved_rows(job: Job, bench: Workbench, settings: RunSettings, split: str) -> SolvedRows:
    """The rows of a split that the model solves; run once a variable and split, and kept on the bench."""
    found = labelled(job, bench, settings, split)
    key = (found.digest, settings.batch_size, settings.batch_tokens)
    if key not in bench.solved:
        options = options_of(job, bench, settings)
        bench.solved[key] = solved(bench.model, found.rows, options, found.left_out)
    return bench.solved[key]


def options_of(job: Job, bench: Workbench, settings: RunSettings) -> InterchangeOptions:
    """How rows are put into batches and answers are read."""
    checker, tokenizer = bench.variable_task(job.task).parts.checker, bench.hf.tokenizer
    generated = checker.new_tokens is not None and tokenizer is not None
    return InterchangeOptions(
        batch_size=settings.batch_size,
        batch_tokens=settings.batch_tokens or MAX_TOKENS,
        new_tokens=checker.new_tokens if generated else None,
        decode=tokenizer.decode if generated and tokenizer is not None else None,
        accepts=checker.accepts if generated else None,
    )


def variable_ref(job: Job, bench_model: str, settings: RunSettings, task: VariableTask) -> VariableRef:
    """The variable and sites of a job.

    Raises:
        UsageError: Unknown positions.
        DataError: All positions read the gold answer, and none is asked for.
    """
    chosen = positions_of(settings, task)
    return VariableRef(
        name=job.variable or "",
        component=settings.component,
        positions=tuple(position.name for position in chosen),
        layers=tuple(sorted(set(settings.layer))) or None,
        heads=heads_of(settings, bench_model, task) if settings.component is Component.HEAD else (),
        target_heads=() if task.parts.linear is None else target_heads_of(settings, bench_model, task),
        defaults=defaults_of(task, job.variable or ""),
        oracle=any(position.oracle for position in chosen),
    )


def heads_of(settings: RunSettings, model: str, task: VariableTask) -> Heads:
    """The heads that are listed: the user's, or those that the task knows of this model."""
    listed = [tuple(map(int, head.split("."))) for head in settings.heads]
    return tuple(sorted({(layer, head) for layer, head in listed})) or tuple(task.parts.heads.get(model, ()))


def target_heads_of(settings: RunSettings, model: str, task: VariableTask) -> Heads:
    """The heads by which a linear target is fitted: the task's, or the user's where it knows none of this model."""
    return tuple(task.parts.heads.get(model, ())) or heads_of(settings, model, task)


def defaults_of(task: VariableTask, variable: str) -> VariableDefaults:
    """What methods are given that are told nothing else."""
    sizes = [task.parts.sizes.get(name, DEFAULT_SIZE) for name in task.parts_of(variable)]
    training = task.parts.training
    size = sizes[0] if len(sizes) == 1 else " ".join(map(str, sizes))
    return VariableDefaults(size=size, epochs=training.epochs, batch=training.batch, lr=training.lr)


def positions_of(settings: RunSettings, task: VariableTask) -> tuple[Position, ...]:
    """The position selectors of a cell, in the task's order: the user's, or all that do not read the gold answer.

    Raises:
        UsageError: The task has no such position.
        DataError: All of them read the gold answer.
    """
    asked = {task.position(name).name for name in settings.position}
    free = {position.name for position in task.parts.positions if not position.oracle}
    if settings.component is Component.HEAD:
        free = {EVERYWHERE} & free or free
    elif len(free) > 1:
        free -= {EVERYWHERE}
    chosen = tuple(position for position in task.parts.positions if position.name in (asked or free))
    if not chosen:
        raise DataError(f"{task.name} has no free positions.", why="All read the gold answer.", do="Give --position.")
    return chosen


def _check_asked(settings: RunSettings, where: VariableRef, task: VariableTask) -> None:
    """Refuse what would be ignored, or would say nothing.

    Raises:
        UsageError: Layers beside a list of heads, or labels to shuffle where there is a linear target.
    """
    if where.heads and where.layers:
        raise UsageError(
            "Layers and listed heads do not go together.",
            why="Listed heads have their own layers.",
            do="Leave out --layer, or list other heads with --heads.",
        )
    if task.parts.linear is not None and "control-labels" in settings.extras:
        raise UsageError(
            f"control-labels cannot be measured on {task.name}.",
            why="Its target depends on signals that are the same in all rows of a set: shuffling changes nothing.",
            do="Use --extra control-weights.",
        )


def variable_cell_with(method: MethodRef, job: Job, bench: Workbench, settings: RunSettings) -> Cell:
    """The cell of a method reference on a variable; every split that its numbers depend on is named by content."""
    task = bench.variable_task(job.task)
    where = variable_ref(job, bench.hf.name, settings, task)
    parts = parts_of(job, settings, task)
    _check_asked(settings, where, task)
    if task.parts.linear is not None and not where.target_heads:
        raise DataError(
            f"{task.name} needs a list of heads on {bench.hf.name}.",
            why="Its linear target is fitted by swapping them, and none is known of this model.",
            do="Give --heads layer.head,layer.head.",
        )
    anatomy = bench.model.anatomy
    groups_of(where, Size(anatomy.n_layers, anatomy.n_heads))  # layers and heads are the model's
    check_separated(task, where.name, task.rows(parts.evaluated, settings.limit))
    evaluated = labelled(job, bench, settings, parts.evaluated)
    others = {split: labelled(job, bench, settings, split) for split in parts.all}
    return Cell(
        track=Track.VARIABLE,
        task=TaskRef(
            name=task.name,
            version=task.version,
            split=parts.evaluated,
            limit=len(evaluated.rows),
            digest=evaluated.digest,
            train_limit=len(others["train"].rows) if "train" in others else None,
            train_digest=others["train"].digest if "train" in others else None,
            validation_limit=len(others["validation"].rows) if "validation" in others else None,
            validation_digest=others["validation"].digest if "validation" in others else None,
        ),
        model=bench.model_ref,
        method=method,
        bos="prepend",
        convention=settings.convention,
        variable=where,
    )
