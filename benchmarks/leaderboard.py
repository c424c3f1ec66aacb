"""What a leaderboard of many records takes: seconds of one core and peak memory of a build, and of one more record.

python benchmarks/leaderboard.py make FOLDER [--groups 25] [--rows 200]
python benchmarks/leaderboard.py time FOLDER

``make`` writes a synthetic store: circuits of known shapes with per-example tables of 100 examples × 20 circuits, sites
of causal variables, dictionaries, every tenth method with three seeds, every fiftieth failed. ``time`` builds tables,
pictures and site three times, each in a process of its own: from nothing, again unchanged, and with one record more
from a second folder. It prints seconds of one core, user and system, and those of the clock, which others' work on the
machine lengthens.

5,000 records, 25 tables, 2 cores without other work: 58 s from nothing (target 60; 97 s of processors), 1.6 s
unchanged, 2.7 s with one record more (target 3; it brings a column to every table); .85 GiB at most. What is kept takes
350 MB.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
import psutil

from mibench.core.sites import Site
from mibench.core.specs import (
    Ablation,
    Cell,
    DictionaryRef,
    Level,
    MethodRef,
    ModelRef,
    TaskRef,
    Track,
    VariableRef,
)
from mibench.metrics.areas import FRACTIONS
from mibench.metrics.circuit import circuit_metrics
from mibench.metrics.variable.scores import variable_metrics
from mibench.metrics.variable.tables import VariableTables
from mibench.records.record import Cost, DictionaryFacts, MetricValue, Problem, RunRecord, Volatile
from mibench.records.store import Store

EXAMPLES, EDGES = 100, 10_000
SEEDS, SEEDED_EVERY, FAILED_EVERY = 3, 10, 50
RESAMPLES = 50
"""For the intervals of synthetic records only; a build draws its own."""
FULL_SECONDS, MORE_SECONDS, FULL_GIB = 60.0, 3.0, 1.0
SAMPLE_SECONDS = 0.1
COST = Cost(seconds=75.5, peak_bytes=3 * 2**29, forward_passes=60.0, backward_passes=30.0, examples=EXAMPLES)
PROBLEM = Problem(what="The method failed.", why="Out of memory.", do="Use a smaller batch.")


@dataclass(frozen=True)
class Place:
    """One record to make: its group, the number of its row there, and its seed."""

    group: int
    row: int
    seed: int | None

    @property
    def method(self) -> MethodRef:
        """Method, whose parameters tell rows of one name apart."""
        # In the SAE track, dictionaries that differ in k alone are a family.
        return MethodRef(name=f"method-{self.row % 20}", version=1, params={"k": self.row}, seed=self.seed)

    @property
    def rng(self) -> np.random.Generator:
        """Its own random numbers."""
        return np.random.default_rng([self.group, self.row, self.seed or 0])


def places(groups: int, rows: int) -> Iterator[Place]:
    """Yield every record: ``rows`` records a group, seeds counted."""
    for group in range(groups):
        count = row = 0
        while count < rows:
            seeds: list[int | None] = list(range(SEEDS)) if row % SEEDED_EVERY == 0 else [None]
            for seed in seeds[: rows - count]:
                yield Place(group, row, seed)
                count += 1
            row += 1


def record_of(place: Place) -> tuple[RunRecord, Mapping[str, pd.DataFrame]]:
    """Return a record and its tables: of 25 groups two are of sites and two of dictionaries."""
    kind = place.group % 25
    cell = _cell(place, Track.VARIABLE if kind in {11, 12} else Track.SAE if kind in {23, 24} else Track.CIRCUIT)
    volatile = Volatile(cost=COST, discovery=COST)
    if place.row % FAILED_EVERY == FAILED_EVERY - 1:
        return RunRecord(cell=cell, status="failed", problem=PROBLEM, volatile=volatile), {}
    made = {Track.CIRCUIT: _circuit, Track.VARIABLE: _sites, Track.SAE: _dictionary}[cell.track](place)
    return RunRecord(cell=cell, status="ok", volatile=volatile, **made[0]), made[1]


def _cell(place: Place, track: Track) -> Cell:
    of_track: dict[Track, dict[str, Any]] = {
        Track.CIRCUIT: {"level": Level.EDGE, "ablation": Ablation.COUNTERFACTUAL},
        Track.VARIABLE: {"variable": VariableRef(name="pointer", positions=("last", "symbol"))},
        Track.SAE: {"dictionary": DictionaryRef(hook="residual-post.L15", corpus="sotu", context=128)},
    }
    name = "sae-core" if track is Track.SAE else f"task-{place.group}"
    return Cell(
        track=track,
        task=TaskRef(name=name, version=1 + place.group, split="test", digest=f"{place.group:064x}"),
        model=ModelRef(name=f"model-{place.group % 5}", digest=f"{place.group % 5:064x}"),
        method=place.method,
        **of_track[track],
    )


def _circuit(place: Place) -> tuple[dict[str, Any], Mapping[str, pd.DataFrame]]:
    base, rng = np.random.default_rng(place.group), place.rng
    ids = [f"pair-{index:04}" for index in range(EXAMPLES)]
    empty = base.normal(-1, 1, EXAMPLES)
    clean = empty + 4 + base.normal(0, 1, EXAMPLES)
    sizes = np.array(FRACTIONS)
    heights = sizes ** rng.uniform(0.05, 0.6)
    frames = []
    for ranking in ("signed", "absolute"):
        values = empty[:, None] + heights * (clean - empty)[:, None]
        values += rng.normal(0, 0.3, values.shape) * (sizes < 1)
        edges = np.round(sizes * EDGES).astype(int)
        columns = {"fraction": sizes, "n_requested": edges, "n_edges": edges, "weighted_edges": edges.astype(float)}
        repeated = {name: np.tile(column, EXAMPLES) for name, column in columns.items()}
        kl = np.abs(rng.normal(0.5, 0.2, values.shape)) * (sizes < 1)
        told = {"example": np.repeat(ids, sizes.size), "ranking": ranking, **repeated}
        frames.append(pd.DataFrame(told | {"value": values.ravel(), "kl": kl.ravel()}))
    table = pd.concat(frames, ignore_index=True)
    ends = pd.DataFrame({"example": ids, "clean": clean, "empty": empty, "kl_empty": base.uniform(0.5, 1.5, EXAMPLES)})
    metrics, curves = circuit_metrics(table, ends, EDGES, resamples=RESAMPLES)
    return {"metrics": metrics, "curves": curves}, {"examples": table, "endpoints": ends.assign(graph_edges=EDGES)}


def _sites(place: Place) -> tuple[dict[str, Any], Mapping[str, pd.DataFrame]]:
    base, rng = np.random.default_rng(place.group), place.rng
    rows = pd.DataFrame({"set": np.repeat(["answer", "stays"], EXAMPLES // 2)})
    rows["example"] = [f"row-{index:04}" for index in range(EXAMPLES)]
    rows["cause"] = rows["set"] == "answer"
    noop = rows.assign(correct=~rows["cause"])
    skill, frames, sites = rng.uniform(0.2, 0.9), [], []
    for layer in range(10):
        for position in ("last", "symbol"):
            site = Site(layer, position)
            named: dict[str, Any] = {"group": site.name, "component": str(site.component), "layer": layer, "head": -1}
            right = rng.random(EXAMPLES) < skill * (1 - abs(layer - 5) / 10)
            frames.append(rows.assign(**named, position=position, correct=right))
            sites.append(named | {"position": position, "score": float(base.random() + right.mean())})
    selection = pd.DataFrame(sites)
    selection["chosen"] = np.arange(len(selection)) == int(selection["score"].to_numpy().argmax())
    tables = VariableTables(pd.concat(frames, ignore_index=True), noop, selection, n_layers=10)
    return {"metrics": variable_metrics(tables, resamples=RESAMPLES)}, tables.by_name()


def _dictionary(place: Place) -> tuple[dict[str, Any], Mapping[str, pd.DataFrame]]:
    rng, l0 = place.rng, float(20 * 1.1 ** (place.row % 25))
    names = ("explained_variance_global", "explained_variance_ordinary", "ce_recovered_mean", "kl_recovered_mean")
    found = {name: rng.uniform(0.5, 0.9) + 0.02 * np.log(l0) for name in names}
    known: dict[str, Any] = {"higher_is_better": True, "floor": 0.0, "ceiling": 1.0, "ci_source": "contexts", "n": 40}
    metrics = {
        name: MetricValue(value=one, ci_low=one - 0.01, ci_high=one + 0.01, **known) for name, one in found.items()
    }
    metrics["l0"] = MetricValue(value=l0, ci_low=l0 - 1, ci_high=l0 + 1, ci_source="contexts", n=40)
    sha = f"{place.group:08x}{place.row:08x}{place.seed or 0:08x}".rjust(64, "0")
    facts = DictionaryFacts(architecture="topk", d_in=576, d_sae=2048, sha256=sha)
    return {"metrics": metrics, "dictionary": facts}, {}


@click.group()
def main() -> None:
    """Make a large synthetic store, or time builds of one."""


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--groups", default=25, show_default=True)
@click.option("--rows", default=200, show_default=True, help="Records a group.")
def make(folder: Path, groups: int, rows: int) -> None:
    """Write the store to FOLDER/records."""
    store = Store(folder / "records")
    for place in places(groups, rows):
        store.write(*record_of(place))
    click.echo(f"{groups * rows} records: {store.folder}")


@main.command("time")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--no-site", is_flag=True, help="Tables and curves only.")
def time_command(folder: Path, *, no_site: bool) -> None:
    """Build FOLDER/records three times; exit 1 where a target is missed."""
    out, records = folder / "leaderboard", folder / "records"
    for each in (out, folder / "kept"):
        shutil.rmtree(each, ignore_errors=True)
    first = _timed("from nothing", records, out, no_site=no_site)
    _timed("unchanged", records, out, no_site=no_site)
    record, tables = record_of(Place(0, 10_001, None))
    path = Store(records).path(Store(records).write(record, tables).cell)
    try:
        one = _timed("one record more", records, out, no_site=no_site)
    finally:
        for file in path.parent.glob(f"{path.stem}*"):
            file.unlink()
    missed = first["wall"] > FULL_SECONDS or first["gib"] > FULL_GIB or one["wall"] > MORE_SECONDS
    raise SystemExit(1 if missed else 0)


@main.command("build", hidden=True)
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--no-site", is_flag=True)
def build_command(folders: tuple[Path, ...], out: Path, *, no_site: bool) -> None:
    """Build once, and print what it took as JSON."""
    started = time.perf_counter()
    from mibench.leaderboard.build import build

    report = build(folders, out, kept=out.with_name("kept"), site=not no_site)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(one.ru_utime + one.ru_stime for one in used)
    click.echo(json.dumps({"cpu": cpu, "wall": time.perf_counter() - started, "rows": report.rows}))


def _timed(what: str, records: Path, out: Path, *, no_site: bool) -> dict[str, float]:
    arguments = [sys.executable, __file__, "build", str(records), "--out", str(out)]
    arguments += ["--no-site"] if no_site else []
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as running:
        peak = 0
        while running.poll() is None:
            peak = max(peak, _resident(running.pid))
            time.sleep(SAMPLE_SECONDS)
        told = running.stdout.read() if running.stdout else ""
    if running.returncode:
        raise SystemExit(running.returncode)
    found: dict[str, float] = json.loads(told) | {"gib": peak / 2**30}
    click.echo(
        f"{what:16} {found['wall']:6.1f} s, {found['cpu']:6.1f} s of processors, {found['gib']:.2f} GiB, "
        f"{found['rows']:.0f} rows"
    )
    return found


def _resident(pid: int) -> int:
    """Bytes of a process and those that it started together; what they share counts for each."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        return sum(one.memory_info().rss for one in family)
    except psutil.Error:
        return 0


if __name__ == "__main__":
    main()
