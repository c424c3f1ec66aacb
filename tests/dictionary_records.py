"""Records of dictionaries with known numbers, as runs of the SAE track would write them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from mibench.core.hashing import digest
from mibench.core.specs import Cell, Convention, DictionaryRef, MethodRef, ModelRef, TaskRef, Track
from mibench.records.record import Cost, DictionaryFacts, MetricValue, Problem, Provenance, RunRecord, Volatile
from mibench.records.store import Store

SWEEP = (25.0, 65.0, 160.0)
PROBLEM = Problem(what="Training diverged.", why="NaN.", do="Lower lr.")
MADE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def value(number: float | None, half: float | None = 0.01, **more: Any) -> MetricValue:
    """A metric value whose interval is over contexts."""
    if number is None:
        return MetricValue(value=None, reason="it is undefined")
    fields: dict[str, Any] = {"higher_is_better": True, "floor": 0.0, "ceiling": 1.0, "n": 40} | more
    ends = {} if half is None else {"ci_low": number - half, "ci_high": number + half, "ci_source": "contexts"}
    return MetricValue(value=number, **ends, **fields)


def dictionary_cell(method: str = "topk", **fields: Any) -> Cell:
    """A cell of the SAE track."""
    where = {"hook": "residual-post.L15", "corpus": "sotu", "context": 128} | fields.get("where", {})
    task = fields.get("task", "sae-core")
    return Cell(
        track=Track.SAE,
        task=TaskRef(name=task, version=1, split=fields.get("split", "test"), limit=40, digest=digest(task)),
        model=ModelRef(name=fields.get("model", "smollm2-135m"), digest="b" * 64),
        method=MethodRef(
            name=method,
            version=fields.get("version", 1),
            params=fields.get("params", {"width": 2048, "k": 25}),
            seed=fields.get("seed", 0),
            artifact_digest=fields.get("artifact"),
        ),
        convention=fields.get("convention", Convention.MIBENCH),
        dictionary=DictionaryRef(**where),
    )


def facts(method: str, params: Mapping[str, Any], seed: int | None, **more: Any) -> DictionaryFacts:
    """What the dictionary of a method, parameters and seed is."""
    known = {"architecture": method, "d_in": 576, "d_sae": 2048, "train_tokens": 1_000_000, "train_corpus": "sotu"}
    sha = digest([method, dict(params), seed, more.get("d_sae")])
    return DictionaryFacts(**(known | {"sha256": sha, "seed": seed} | more))


def dictionary_record(
    method: str = "topk", metrics: Mapping[str, MetricValue] | None = None, **fields: Any
) -> RunRecord:
    """A record; without metrics, of a cell that failed."""
    cell = dictionary_cell(method, **fields)
    cost = Cost(seconds=60.0, peak_bytes=2**30)
    made = Provenance(mibench="0.1.0", python="3.11", platform="Linux", created_at=fields.get("made", MADE))
    volatile = Volatile(cost=cost, discovery=cost, provenance=made)
    if metrics is None:
        return RunRecord(cell=cell, status="failed", problem=PROBLEM, volatile=volatile)
    known = facts(fields.get("architecture", method), cell.method.params, cell.method.seed, **fields.get("facts", {}))
    return RunRecord(
        cell=cell, status="ok", metrics=dict(metrics), dictionary=known, volatile=volatile, board=fields.get("board")
    )


def write_sweep(
    store: Store, method: str = "topk", *, shift: float = 0.0, l0: Sequence[float] = SWEEP, **fields: Any
) -> list[RunRecord]:
    """Write one record of ``sae-core`` for each L0; explained variance is .2 + shift + .1 · ln L0."""
    written = []
    for number in l0:
        params = {"width": 2048, "lr": None, "k": round(number)} | fields.get("more", {})
        metrics = {
            "l0": value(number, None, higher_is_better=None, floor=None, ceiling=None),
            "explained_variance_global": value(0.2 + shift + 0.1 * math.log(number), version=fields.get("metric", 1)),
            "ce_recovered_mean": value(0.3 + shift + 0.1 * math.log(number)),
        }
        kept = {name: field for name, field in fields.items() if name not in {"more", "metric"}}
        written.append(store.write(dictionary_record(method, metrics, **({"params": params} | kept))))
    return written
