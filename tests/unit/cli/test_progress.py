from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.progress import Progress

from mibench.cli.progress import Crew, Show
from mibench.runner.driving.events import Event


def lines(capsys):
    return [line.split(", made")[0] for line in capsys.readouterr().err.splitlines()]


def test_off_a_terminal_every_job_that_a_worker_ends_is_a_line(capsys):
    with Show() as show:
        show.heard(Event("started", 0, "eap"), 0, 3)
        show.heard(Event("stage", 0, "score"), 0, 3)
        show.heard(Event("done", 0, "eap", status="ok", seconds=1.25), 1, 3)
        show.heard(Event("done", 1, "random", status="ok", reused=True, made="2026-01-02T03:04:05+00:00"), 2, 3)
        show.heard(Event("done", 2, "nothing to do"), 3, 3)
    assert lines(capsys) == ["[1/3] eap: ok, 1.2 s", "[2/3] random: ok, from the store"]


@pytest.mark.parametrize("silent", [True, False])
def test_what_this_process_has_shown_is_not_told_again(capsys, silent):
    with Show(silent=silent) as show:
        if not silent:
            show.job("eap", 1, 1)
        show.heard(Event("done", 0, "eap", status="ok", seconds=1.0), 1, 1)
    assert lines(capsys) == []


def test_the_bar_counts_what_was_there_and_each_worker_has_a_line_until_it_is_lost():
    bars = Progress(console=Console(file=io.StringIO()))
    crew = Crew(bars)
    crew.heard(Event("done", 5, "reused", pid=1, status="ok", reused=True), 4, 9)
    assert [(task.completed, task.total) for task in bars.tasks] == [(4, 9)]
    crew.heard(Event("started", 1, "eap", pid=1), 4, 9)
    crew.heard(Event("started", 2, "random", pid=2), 4, 9)
    crew.heard(Event("stage", 2, "score", pid=2), 4, 9)
    assert [task.description for task in bars.tasks] == ["all cells", "  1 eap", "  2 random: score"]
    crew.heard(Event("started", 2, "random", pid=3), 4, 9)
    crew.heard(Event("done", 1, "eap", pid=1, status="ok"), 5, 9)
    assert [task.description for task in bars.tasks] == ["all cells", "  3 random"]
    assert bars.tasks[0].completed == 5
