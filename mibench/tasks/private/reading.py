"""Whether tasks can read the private split that is in use, before anything is published about it."""

from __future__ import annotations

from collections.abc import Iterable

from mibench.core.specs import Track
from mibench.tasks.corpora.load import load_corpus
from mibench.tasks.load import load_task
from mibench.tasks.private.needs import needs
from mibench.tasks.probing.shipped import crossed_texts
from mibench.tasks.variable_task import load_variable_task


def check_readable(tasks: Iterable[tuple[Track, str]], corpora: Iterable[str]) -> None:
    """Read the scored rows of every task, as scoring does, from the split in use.

    Raises:
        DataError: The split lacks data of a task, or holds some that the task cannot use.
    """
    for track, task in tasks:
        if track is Track.CIRCUIT:
            load_task(task).pairs("test")
        elif track is Track.VARIABLE:
            load_variable_task(task).rows("test")
        else:
            _check_dictionary_task(task)
    for corpus in corpora:
        any(load_corpus(corpus).documents("test"))


def _check_dictionary_task(task: str) -> None:
    for need in needs(Track.SAE, task):
        if need.kind == "labelled":
            crossed_texts(need.name)
        elif need.kind == "generated":
            load_variable_task(need.name).rows("test")
