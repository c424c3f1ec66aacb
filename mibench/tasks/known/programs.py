"""All programs, found by name; a program's file is imported when it is asked for."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module

from mibench.core.names import unknown
from mibench.tasks import known
from mibench.tasks.known.program import Program

_KINDS = ("planted", "siit")


def program_names() -> tuple[str, ...]:
    """Return the names of all programs, sorted; imports none of them."""
    modules = (found.name for found in pkgutil.iter_modules(known.__path__))
    return tuple(sorted(name.replace("_", "-") for name in modules if name.split("_")[0] in _KINDS))


def load_program(name: str) -> Program:
    """Return the program of that name, such as ``planted-ioi``.

    Raises:
        UsageError: There is none.
    """
    if name not in program_names():
        raise unknown("program", name, program_names())
    module = import_module(f"{known.__name__}.{name.replace('-', '_')}")
    return module.PROGRAM  # type: ignore[no-any-return]


def programs() -> Iterator[Program]:
    """Yield all programs, sorted by name."""
    return map(load_program, program_names())


def task_names(program: Program) -> dict[str, str]:
    """Return the counterfactual sets of a program by name of the circuit task: the first has the program's name."""
    first, *further = program.sets
    return {program.name: first} | {f"{program.name}-{name.replace('_', '-')}": name for name in further}


def program_of(task: str) -> tuple[Program, str]:
    """Return the program of a circuit task, and its counterfactual set.

    Raises:
        UsageError: It is no program's.
    """
    known_sets = {name: (program, one) for program in programs() for name, one in task_names(program).items()}
    if task not in known_sets:
        raise unknown("program's task", task, known_sets)
    return known_sets[task]
