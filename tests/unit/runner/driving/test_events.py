from __future__ import annotations

import errno
import os

import pytest

from mibench.core.errors import ModelError, StoreError, UsageError
from mibench.runner.driving import events
from mibench.runner.driving.events import TIME, Event, EventFile, Tail, append, problem_of


def test_events_come_out_as_they_went_in_and_once(tmp_path):
    told = [Event("started", 3, "a · b"), Event("done", 3, cell="c", status="ok", reused=True, seconds=1.5)]
    file, tail = EventFile(tmp_path / "x" / "1.jsonl"), Tail(tmp_path / "x" / "1.jsonl")
    assert tail.read() == []
    for one in told:
        file.write(one)
        assert tail.read() == [one]
    assert tail.read() == []


def test_half_a_line_is_read_when_it_is_whole_or_passed_over_when_it_never_is(tmp_path):
    path = tmp_path / "1.jsonl"
    EventFile(path).write(Event("started", 1))
    with path.open("ab") as stream:
        stream.write(b'{"event": "st')
    tail = Tail(path)
    assert [one.job for one in tail.read()] == [1]
    EventFile(path).write(Event("started", 2))
    assert [one.job for one in tail.read()] == [2]


def test_a_line_that_is_no_event_is_passed_over(tmp_path):
    path = tmp_path / "1.jsonl"
    path.write_text('[1]\n{"event": "done"}\n\xff\n{"event": "done", "job": 1, "unheard": 2}\n')
    assert [one.job for one in Tail(path).read()] == [1]


@pytest.mark.parametrize("error", [UsageError, ModelError])
def test_a_problem_is_of_the_kind_it_was(error):
    event = Event("problem", 0, error=error.__name__, what="a", why="b", do="c")
    found = problem_of(event)
    assert type(found) is error
    assert (found.what, found.why, found.do) == ("a", "b", "c")


def test_a_job_whose_time_was_up_has_not_ended():
    ends = [Event("problem", 0, status=TIME), Event("problem", 0), Event("done", 0), Event("started", 0)]
    assert [one.ends for one in ends] == [False, True, True, False]


def test_a_disk_without_space_is_told_and_leaves_whole_lines(tmp_path, monkeypatch):
    path = tmp_path / "1.jsonl"
    append(path, b"whole\n")

    class Full:
        def __init__(self, stream):
            self.stream = stream

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.stream.close()

        def __getattr__(self, name):
            return getattr(self.stream, name)

        def write(self, line):
            return self.stream.write(line[:3])

    opened = type(path).open
    monkeypatch.setattr(type(path), "open", lambda self, *given, **more: Full(opened(self, *given, **more)))
    with pytest.raises(StoreError) as caught:
        append(path, b"half a line\n")
    assert os.strerror(errno.ENOSPC) in caught.value.why
    monkeypatch.undo()
    assert path.read_bytes() == b"whole\n"
    assert events.append is append
