"""What a run would take, in words and rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mibench.core.amounts import duration, size

if TYPE_CHECKING:
    from mibench.core.errors import MibenchError
    from mibench.runner.forecasts.forecast import Span
    from mibench.runner.forecasts.outlook import Outlook, Whole


def job_columns(one: Outlook) -> dict[str, Any]:
    """Columns of a job: how long it takes, what it needs, whether it fits or is there already."""
    memory = "?" if one.memory is None else f"{size(one.memory.low)} to {size(one.memory.high)}"
    here = "reused" if one.reused else "too large" if one.problem else ""
    return {"time": span_text(one.seconds), "memory": memory, "notes": here}


def job_json(one: Outlook) -> dict[str, Any]:
    """The same for machines."""
    memory = one.memory
    return {
        "seconds": span_json(one.seconds),
        "seconds_unknown": one.time.reason or None,
        "memory_bytes": None if memory is None else {"low": memory.low, "high": memory.high, "basis": memory.basis},
        "fits": None if memory is None else one.problem is None,
        "reused": one.reused,
    }


def whole_json(found: Whole) -> dict[str, Any]:
    """A run in all, for machines."""
    return {
        "seconds": span_json(found.time),
        "jobs_forecast": found.known,
        "jobs_unknown": found.unknown,
        "jobs_reused": found.reused,
        "memory_bytes": found.memory,
        "memory_bytes_all_workers": found.at_once,
        "model_loads": found.loads,
        "shared": found.shared,
        "workers": found.workers,
    }


def whole_text(found: Whole) -> list[str]:
    """A run in all, sentence by sentence."""
    told = [_time_text(found)]
    if found.unknown:
        told.append(f"Of {_count(found.unknown, 'job')} no record tells how long it takes; they come on top.")
    if found.reused:
        told.append(
            f"Records of {_count(found.reused, 'job')} are there, and are taken if model and data are the same."
        )
    if found.memory is not None:
        told.append(f"The largest job needs about {size(found.memory)} of memory{_all_workers(found)}.")
    if not found.loads:
        return told
    shared = f"; {_count(found.shared, 'ground or dictionary', 'grounds or dictionaries')} shared by several jobs"
    told.append(f"{_count(found.loads, 'model')} to load{shared if found.shared else ''}.")
    return told


def _all_workers(found: Whole) -> str:
    if found.workers == 1 or found.at_once is None:
        return ""
    return f", {found.workers} workers at most {size(found.at_once)} at once"


def _time_text(found: Whole) -> str:
    if found.time is None:
        return "How long it takes is not known: no record tells." if found.unknown else "Nothing is left to run."
    at_once = f" with {found.workers} workers" if found.workers > 1 else ""
    other = f", by records of another device ({found.time.device})" if found.time.device else ""
    jobs = _count(found.known, "job")
    return f"Time of {jobs}{at_once}, loading left out: {span_text(found.time)}{other}."


def misfits(found: Sequence[Outlook]) -> list[tuple[MibenchError, int]]:
    """What does not fit, each model once with the first of its jobs, and how many these are."""
    kinds: dict[str, list[MibenchError]] = {}
    for one in found:
        if one.problem is not None:
            kinds.setdefault(one.job.model, []).append(one.problem)
    return [(problems[0], len(problems)) for problems in kinds.values()]


def span_text(span: Span | None) -> str:
    """A range of times; ``?`` where none is known."""
    if span is None:
        return "?"
    low, high = duration(span.low), duration(span.high)
    return low if low == high else f"{low} to {high}"


def span_json(span: Span | None) -> dict[str, Any] | None:
    """A range of seconds, with what it rests on."""
    if span is None:
        return None
    return {
        "low": round(span.low, 3),
        "high": round(span.high, 3),
        "basis": span.basis,
        "other_device": span.device or None,
    }


def _count(n: int, name: str, several: str = "") -> str:
    return f"{n} {name}" if n == 1 else f"{n} {several or name + 's'}"
