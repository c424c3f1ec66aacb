"""Repeat a record as it was made: with its number of threads; and what is different here all the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from threadpoolctl import threadpool_limits

from mibench.records.difference import Difference, environment_differences
from mibench.records.record import Provenance

MOST_THREADS = 256
"""A record that asks for more is repeated with the threads of this process: a number in a file is not to start more."""
_MOVES_NUMBERS = (
    "threads",
    "cpu",
    "device",
    "device_name",
    "python",
    "platform",
    "packages",
    "determinism",
    "mibench",
    "git_commit",
    "git_dirty",
)


def threads_for(made: Provenance | None) -> int:
    """How many threads a record is repeated with: its own number, else those of this process."""
    asked = None if made is None else made.threads
    return torch.get_num_threads() if asked is None or asked > MOST_THREADS else asked


@contextmanager
def with_threads(count: int) -> Iterator[None]:
    """Torch and the libraries behind numpy compute with so many threads, for the time of the block."""
    before = torch.get_num_threads()
    with ExitStack() as undo:
        undo.callback(torch.set_num_threads, before)
        undo.enter_context(threadpool_limits(count, user_api="blas"))
        torch.set_num_threads(count)
        yield


def settings_apart(made: Provenance | None, here: Provenance) -> tuple[Difference, ...]:
    """What may move a number and is another here than where a record was made, as far as the record says."""
    if made is None:
        return ()
    found = environment_differences(made, here)
    return tuple(one for one in found if one.first is not None and one.where.split(".")[0] in _MOVES_NUMBERS)
