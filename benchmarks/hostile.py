"""What checking the hostile submissions of the tests takes beyond a valid one of the same track.

python benchmarks/hostile.py [--all] [--json]

Every case of tests/regression/test_hostile_submissions.py is checked in one warm process. Of each kind (a test), the
case that came nearest to the limits is checked again by a fresh ``mibench submit check`` (with --all, every case is),
and held against a small valid submission of its track, checked in the same way: at most 2 CPU seconds and 500 MB more,
exit status 1, and no traceback. Wall time is printed beside it; on a calm machine it is the same.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
import pytest
import yaml

from mibench.core.hook_points import HookPoint

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"
CASES = TESTS / "regression" / "test_hostile_submissions.py"
TRACKS = ("circuit", "variable", "sae")
MAX_SECONDS = 2.0
MAX_MB = 500.0
REPEATS = 3
# A process starts with the high-water mark of the one that started it, so a small one starts those that are measured.
_LAUNCHER = """
import json, os, subprocess, sys, time
for line in sys.stdin:
    start = time.perf_counter()
    with open(os.devnull, "wb") as sink, open(json.loads(line)["errors"], "wb") as errors:
        child = subprocess.Popen(json.loads(line)["command"], stdout=sink, stderr=errors)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    took = dict(wall=time.perf_counter() - start, cpu=used.ru_utime + used.ru_stime, kib=used.ru_maxrss)
    print(json.dumps(took | dict(status=child.returncode)), flush=True)
"""


@dataclass(frozen=True)
class Took:
    """What a check took.

    Attributes:
        wall: Seconds.
        cpu: Seconds of all its threads.
        mb: Highest resident memory.
        status: Exit status; None: it was no process of its own.
        traceback: Whether it ended in one.
    """

    wall: float
    cpu: float
    mb: float
    status: int | None = None
    traceback: bool = False


@dataclass(frozen=True)
class Case:
    """A hostile submission.

    Attributes:
        kind: Name of the test.
        name: The case of it.
        path: The submission.
        warm: What checking it took in the warm process.
    """

    kind: str
    name: str
    path: Path
    warm: Took


class Launcher:
    """Starts ``mibench submit check`` in fresh processes, one after another."""

    def __init__(self, folder: Path) -> None:
        self._errors = folder / "stderr.txt"
        words = [sys.executable, "-I", "-S", "-c", _LAUNCHER]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def check(self, path: Path) -> Took:
        """Check a submission."""
        command = [str(Path(sys.executable).with_name("mibench")), "submit", "check", str(path)]
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the launcher has no pipes")
        self._process.stdin.write(json.dumps({"command": command, "errors": str(self._errors)}) + "\n")
        self._process.stdin.flush()
        found = json.loads(self._process.stdout.readline())
        traceback = b"Traceback" in self._errors.read_bytes()
        return Took(found["wall"], found["cpu"], found["kib"] * 1024 / 1e6, found["status"], traceback)

    def close(self) -> None:
        """End the launcher."""
        self._process.communicate()


@dataclass
class Collector:
    """A pytest plugin that measures every check of a hostile submission."""

    cases: list[Case] = field(default_factory=list)
    _test: str = ""

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Leave times to this benchmark."""
        for item in items:
            item.module.SECONDS = float("inf")

    def pytest_runtest_setup(self, item: Any) -> None:
        """Remember which test runs."""
        self._test = item.name

    def measured(self, check: Any) -> Any:
        """The check of a submission, measured."""

        def wrapped(path: Path, *words: Any) -> Any:
            before, wall, cpu = _resident_again(), time.perf_counter(), time.process_time()
            try:
                return check(path, *words)
            finally:
                took = Took(time.perf_counter() - wall, time.process_time() - cpu, _status("VmHWM") - before)
                kind, _, name = self._test.partition("[")
                if kind:
                    self.cases.append(Case(kind, name.removesuffix("]"), Path(path), took))

        return wrapped


def _resident_again() -> float:
    """Set the high-water mark of this process to what it holds, and return that, in MB."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _status("VmRSS")


def _status(name: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(f"{name}:"))


def hostile(folder: Path) -> list[Case]:
    """Run the tests and return their cases; the submissions stay in ``folder``.

    Args:
        folder: Where pytest makes them.
    """
    sys.path[:0] = [str(TESTS), str(ROOT)]
    import submission_cases

    collector = Collector()
    submission_cases.check_submission = collector.measured(submission_cases.check_submission)
    arguments = [str(CASES), "-o", "addopts=", "-p", "no:cacheprovider", f"--basetemp={folder}"]
    printed = io.StringIO()
    with redirect_stdout(printed):
        status = pytest.main(arguments, plugins=[collector])
    if status != 0:
        raise SystemExit(f"The tests fail, so there is nothing to measure.\n{printed.getvalue()[-5000:]}")
    return collector.cases


def worst(cases: Sequence[Case]) -> list[Case]:
    """Of each kind, the case that came nearest to the limits in the warm process."""
    return [max(own, key=_share) for own in by_kind(cases).values()]


def by_kind(cases: Sequence[Case]) -> dict[str, list[Case]]:
    """Cases by their kind."""
    kinds: dict[str, list[Case]] = {}
    for case in cases:
        kinds.setdefault(case.kind, []).append(case)
    return kinds


def _share(case: Case) -> float:
    return case.warm.cpu / MAX_SECONDS + case.warm.mb / MAX_MB


def track_of(case: Case) -> str:
    """The track that a case pretends to be of, as far as its manifest can be read; else circuit."""
    with suppress(OSError, ValueError, yaml.YAMLError, AttributeError, LookupError, TypeError, RecursionError):
        text = (case.path / "submission.yaml").read_text(encoding="utf-8")[:20_000]
        track = yaml.safe_load(text)["artifacts"][0]["track"]
        return track if track in TRACKS else "circuit"
    return "circuit"


def valid(folder: Path) -> dict[str, Path]:
    """A small valid submission of each track, for the model that the hostile ones are for."""
    import submission_cases as cases

    from mibench.artifacts.dictionaries.dictionary import Dictionary, Place, Rule
    from mibench.artifacts.dictionaries.native import save_dictionary

    shapes = {"w_enc": (cases.WIDTH, 8), "w_dec": (8, cases.WIDTH), "b_enc": (8,), "b_dec": (cases.WIDTH,)}
    arrays = {name: np.full(shape, 0.1, np.float32) for name, shape in shapes.items()}
    place, file = Place(cases.MODEL, HookPoint.parse("residual-post.L1")), "artifacts/d.safetensors"
    circuit, sae = cases.good(folder / "circuit"), cases.good(folder / "sae")
    save_dictionary(Dictionary(place, "relu", Rule("relu", pre_bias=True), arrays), sae / file)
    (sae / cases.FILE).unlink()
    said = {"track": "sae", "level": None, "hook": "residual-post.L1", "tasks": ["sae-core"]}
    cases.write_manifest(sae, cases.manifest([cases.entry(sae / file, file, **said)], tracks=["sae"]))
    return {"circuit": circuit, "variable": ROOT / "submissions" / "example__mean-difference@1", "sae": sae}


def baselines(launcher: Launcher, folder: Path) -> dict[str, Took]:
    """What a valid submission of each track takes; medians."""
    found = {}
    for track, path in valid(folder).items():
        runs = [launcher.check(path) for _ in range(REPEATS)]
        if any(run.status for run in runs):
            raise SystemExit(f"The valid submission of the track {track} is refused.")
        found[track] = Took(*(median(getattr(run, part) for run in runs) for part in ("wall", "cpu", "mb")))
    return found


def beyond(took: Took, base: Took) -> Took:
    """What a check took beyond a valid submission's."""
    return Took(took.wall - base.wall, took.cpu - base.cpu, took.mb - base.mb, took.status, took.traceback)


def is_fine(took: Took) -> bool:
    """Whether a check kept to the limits."""
    return took.cpu <= MAX_SECONDS and took.mb <= MAX_MB and took.status in (1, 2) and not took.traceback


def table(cases: Sequence[Case], fresh: dict[int, Took]) -> list[dict[str, Any]]:
    """One row a kind: all its cases in the warm process, and beyond a valid one in fresh ones."""
    rows = []
    for kind, own in by_kind(cases).items():
        runs = [fresh[id(case)] for case in own if id(case) in fresh]
        row: dict[str, Any] = {"kind": kind.removeprefix("test_").replace("_", " "), "cases": len(own)}
        row |= {"warm_s": max(case.warm.cpu for case in own), "warm_mb": max(case.warm.mb for case in own)}
        row |= {"fresh": len(runs)}
        row |= {name: median(getattr(run, name) for run in runs) for name in ("wall", "cpu", "mb")}
        row |= {f"max_{name}": max(getattr(run, name) for run in runs) for name in ("wall", "cpu", "mb")}
        rows.append(row | {"fine": all(map(is_fine, runs))})
    return sorted(rows, key=lambda row: -row["max_mb"])


@click.command()
@click.option("--all", "every", is_flag=True, help="A fresh process for every case.")
@click.option("--json", "as_json", is_flag=True)
def main(*, every: bool, as_json: bool) -> None:
    """Print what hostile submissions take beyond valid ones; exit 1 above the limits."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="mibench-hostile-") as name:
        cases = hostile(Path(name) / "cases")
        launcher = Launcher(Path(name))
        base = baselines(launcher, Path(name))
        chosen = cases if every else worst(cases)
        fresh = {id(case): beyond(launcher.check(case.path), base[track_of(case)]) for case in chosen}
        launcher.close()
    rows = table(cases, fresh)
    if as_json:
        click.echo(json.dumps({"base": {track: vars(took) for track, took in base.items()}, "kinds": rows}, indent=2))
    else:
        _print(rows, base)
    raise SystemExit(0 if all(row["fine"] for row in rows) else 1)


def _print(rows: Sequence[dict[str, Any]], base: dict[str, Took]) -> None:
    for track, took in base.items():
        click.echo(f"valid, {track}: {took.cpu:.2f} CPU s, {took.wall:.2f} s, {took.mb:.0f} MB")
    click.echo(f"{'cases':>5} {'warm s':>7} {'MB':>5} | fresh, beyond valid: {'CPU s':>6} {'s':>6} {'MB':>5}  (max)")
    for row in rows:
        warm, most = f"{row['warm_s']:7.2f} {row['warm_mb']:5.0f}", (row["max_cpu"], row["max_wall"], row["max_mb"])
        fresh = f"{row['fresh']:>5} {most[0]:20.2f} {most[1]:6.2f} {most[2]:5.0f}"
        click.echo(f"{row['cases']:>5} {warm} | {fresh}  {'' if row['fine'] else 'TOO MUCH '}{row['kind']}")
    n = sum(row["cases"] for row in rows)
    click.echo(f"{n} cases of {len(rows)} kinds; {sum(row['fresh'] for row in rows)} in a fresh process.")
    for name, unit in (("cpu", "CPU s"), ("wall", "s"), ("mb", "MB")):
        middle, most = median(row[name] for row in rows), max(row[f"max_{name}"] for row in rows)
        click.echo(f"beyond valid: median {middle:.2f}, max {most:.2f} {unit}")


if __name__ == "__main__":
    main()
